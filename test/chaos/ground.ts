/** What all lanes stand on: a control plane, a Zendesk, an S3 server, and a folder. */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSimulator } from '../simulator/simulator.ts'
import { createAuthority } from '../support/certificates.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { readKubeconfig } from '../support/cluster/kubeconfig.ts'
import { foundHousehold } from '../support/cluster/processes.ts'
import { startS3 } from '../support/s3/server.ts'
import { type Ground, NAMESPACE } from './lane.ts'

const crd = join(import.meta.dirname, '..', '..', 'crds', 'zendeskconnectors.yaml')

export type OpenGround = Ground & {
  /** Folder that keeps the ids of processes; all of them end with this process, however it ends. */
  readonly household: string
  close(): Promise<void>
}

export async function openGround(withS3: boolean, folder: string | undefined): Promise<OpenGround> {
  await using begun = new AsyncDisposableStack()
  const household = await foundHousehold(await mkdtemp(join(tmpdir(), 'zendesk-connector-chaos-')))
  begun.defer(household.disband)
  const cluster = await startCluster({ name: 'chaos', images: {}, node: 'none' })
  begun.defer(cluster.stop)
  const simulator = await startSimulator()
  begun.defer(simulator.stop)
  const s3 = withS3 ? await startS3() : undefined
  if (s3) begun.defer(s3.stop)
  await cluster.kubectl('create', 'namespace', NAMESPACE)
  await cluster.kubectl('apply', '-f', crd)
  await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')

  const lanes = folder ?? join(household.folder, 'lanes')
  await mkdir(join(lanes, 'ca'), { recursive: true })
  await writeFile(join(lanes, 'ca', 'ca.crt'), await readFile(simulator.caFile))
  const relays = await createAuthority('chaos relays')
  const relayTls = await relays.issue({ commonName: 'relay', ipAddresses: ['127.0.0.1'] })
  const { caPem: clusterCa } = await readKubeconfig(cluster.kubeconfig)
  const all = begun.move()
  return {
    household: household.folder,
    cluster,
    clusterCa,
    simulator,
    s3,
    relayTls,
    relayCa: relays.certPem,
    folder: lanes,
    close: () => all.disposeAsync(),
  }
}
