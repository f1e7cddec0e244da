/** Starts the process node of a cluster, with credentials of its own, and waits until the scheduler may use it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Authority, KeyPair } from '../certificates.ts'
import type { Api } from '../cluster/api.ts'
import { bareEnvironment, until } from '../cluster/control-plane.ts'
import { writeKubeconfig } from '../cluster/kubeconfig.ts'
import { type Running, startProcess } from '../cluster/processes.ts'
import type { Isolation } from './isolation.ts'

/** What a node is started with. */
export type NodeOptions = {
  readonly folder: string
  readonly server: string
  readonly admin: Api
  readonly authority: Authority
  readonly images: Readonly<Record<string, readonly string[]>>
  readonly isolation?: Isolation
  /** Default: `node-1`. */
  readonly name?: string
}

/** The file that the node's process reads. */
export type Settings = {
  readonly folder: string
  readonly nodeName: string
  readonly kubeconfig: string
  readonly storageKubeconfig: string
  readonly servingCertificate: KeyPair
  readonly images: Readonly<Record<string, readonly string[]>>
  readonly isolation?: Isolation
}

/** Starts the node's process. */
export async function startProcessNode(options: NodeOptions): Promise<Running> {
  const { folder, server, admin, authority, images, isolation, name: nodeName = 'node-1' } = options
  const kubeconfig = async (name: string, commonName: string, organization: string) => {
    const file = join(folder, 'kubeconfigs', name)
    const pair = await authority.issue({ commonName, organizations: [organization] })
    await writeKubeconfig(file, { server, caPem: authority.certPem, ...pair })
    return file
  }
  const settings: Settings = {
    folder,
    nodeName,
    kubeconfig: await kubeconfig(nodeName, `system:node:${nodeName}`, 'system:nodes'),
    storageKubeconfig: await kubeconfig(`${nodeName}-storage`, 'storage-provisioner', 'system:masters'),
    servingCertificate: await authority.issue({ commonName: nodeName, ipAddresses: ['127.0.0.1'] }),
    images,
    ...(isolation && { isolation }),
  }
  const file = join(folder, `${nodeName}.json`)
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
  const main = join(import.meta.dirname, 'main.ts')
  const node = startProcess(folder, `process-${nodeName}`, [process.execPath, main, file], bareEnvironment(folder))
  await until('The node is ready', [node], async () => {
    const { spec } = await admin.request<{ spec: { taints?: unknown[] } }>('GET', `/api/v1/nodes/${nodeName}`)
    await admin.request('GET', '/apis/storage.k8s.io/v1/storageclasses/standard')
    return !spec.taints?.length
  })
  return node
}
