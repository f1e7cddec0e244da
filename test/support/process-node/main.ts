/**
 * The process node: does a kubelet's share of the work with local processes in place of containers, in a process of
 * its own, so that tests can pause and kill it as they can a machine. Started by `start.ts` with a file of settings.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, follow } from '../cluster/api.ts'
import { readKubeconfig } from '../cluster/kubeconfig.ts'
import { findUnshare } from './isolation.ts'
import type { Pod } from './kinds.ts'
import { serveLogs } from './logs-server.ts'
import { keepLease, registerNode } from './node.ts'
import { logFile } from './plan.ts'
import { type PodRunner, runPod } from './pod.ts'
import { provideStorage } from './provisioner.ts'
import type { Settings } from './start.ts'

const settings = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Settings
const { folder, nodeName, kubeconfig, storageKubeconfig, servingCertificate, images, isolation } = settings
const [api, storageApi, { caPem }] = await Promise.all([
  connect(kubeconfig),
  connect(storageKubeconfig),
  readKubeconfig(kubeconfig),
])
await mkdir(join(folder, 'logs', 'pods'), { recursive: true })

const unshare = isolation === 'paths' ? undefined : findUnshare()
if (isolation === 'mounts' && !unshare) throw new Error('mount namespaces do not work here: choose isolation "paths"')
console.log(unshare ? `pods run in mount namespaces (${unshare.join(' ')})` : 'pods run with mount paths replaced')

const stopping = new AbortController()
const runners = new Map<string, { readonly pod: Pod; readonly runner: PodRunner }>()
const finished = new Set<string>()

const { server, port } = await serveLogs({
  caPem,
  ...servingCertificate,
  find(namespace, name, container) {
    const found = [...runners.values()].findLast(
      ({ pod: { metadata } }) => metadata.name === name && metadata.namespace === namespace,
    )
    if (!found) return undefined
    const { uid } = found.pod.metadata
    return { file: logFile(folder, found.pod, container), isGrowing: () => runners.has(uid) && !finished.has(uid) }
  },
})

await registerNode(api, nodeName, port)
keepLease(api, nodeName, stopping.signal)
provideStorage(storageApi, folder, stopping.signal)
follow<Pod>(api, `/api/v1/pods?fieldSelector=spec.nodeName%3D${nodeName}`, stopping.signal, {
  changed(pod) {
    const { uid } = pod.metadata
    if (pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') finished.add(uid)
    if (!runners.has(uid)) {
      if (finished.has(uid) && !pod.metadata.deletionTimestamp) return
      const runner = runPod({ api, caPem, clusterFolder: folder, images, unshare }, pod)
      runner.ended.catch((error: unknown) => console.error(`${pod.metadata.namespace}/${pod.metadata.name}:`, error))
      runners.set(uid, { pod, runner })
    }
    runners.get(uid)?.runner.update(pod)
  },
  gone({ metadata: { uid } }) {
    runners.get(uid)?.runner.kill()
    runners.delete(uid)
    finished.delete(uid)
  },
})

process.on('SIGTERM', () => {
  stopping.abort()
  server.close()
  for (const { runner } of runners.values()) runner.kill()
  process.exit(0)
})
