/** A cluster with real containers: the control plane of all test clusters, and one node with containerd and the kubelet. */
import { join } from 'node:path'
import { createAuthority } from '../certificates.ts'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { killGroup } from '../cluster/processes.ts'
import { type Containerd, startContainerd } from './containerd.ts'
import { startKubelet } from './kubelet.ts'
import { type Machine, NETWORK, startMachine } from './machine.ts'
import { provideLocalStorage } from './storage.ts'

export type NodeCluster = Cluster & {
  readonly machine: Machine
  readonly containerd: Containerd
  readonly kubelet: { kill(): Promise<void>; startAgain(): Promise<void> }
  /** Folder of a claim's data. */
  claim(namespace: string, name: string): string
}

/** How a node cluster shall be. */
export type NodeClusterOptions = {
  readonly name: string
  /** Docker archives of the images that its node has; nothing is ever pulled. */
  readonly archives: readonly string[]
  readonly auditRules?: readonly object[]
}

/** Starts one; there can be one on a machine. It takes root, and what `requirements.ts` names. */
export async function startNodeCluster({ name, archives, auditRules = [] }: NodeClusterOptions): Promise<NodeCluster> {
  const machine = await startMachine()
  const following = new AbortController()
  let cluster: Cluster | undefined
  const stop = async () => {
    following.abort()
    // The node first: what the kubelet would have to say about the end is of no use to anybody.
    await machine.stop()
    await cluster?.stop()
  }
  try {
    const authority = await createAuthority('zendesk-connector test cluster')
    const starting = startContainerd(machine, archives)
    // Heard below; the control plane may fail before.
    starting.catch(() => {})
    const control = await startCluster({
      name,
      images: {},
      node: 'none',
      listen: NETWORK.apiServer,
      authority,
      auditRules,
    })
    cluster = control
    const containerd = await starting
    const program = join(control.kubectlPath, '..', 'kubelet')
    const claims = join(machine.folder, 'claims')
    let running = await startKubelet({ machine, cluster, authority, program })
    await provideLocalStorage(control.api, machine.name, claims, following.signal)
    const claim = (namespace: string, one: string) => join(claims, namespace, one)
    const kubelet = {
      kill: () => {
        killGroup(running.pid)
        return running.exited
      },
      startAgain: async () => {
        running = await running.again()
      },
    }
    return { ...control, machine, containerd, kubelet, claim, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
