/**
 * The world of the node tier: a node cluster that has our image, namespaces that enforce `restricted`, and a simulator and
 * other servers of this machine where pods reach them. The operator is installed as users install it: by helm.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { buildHelm, CHART, helm } from '../helm.ts'
import { connectorsOf, readRecords, type Stage } from '../stage.ts'
import { judgeStatuses } from '../status-judge.ts'
import { auditedStatuses } from '../statuses.ts'
import { type NodeCluster, startNodeCluster } from './cluster.ts'
import { note } from './figures.ts'
import { NETWORK } from './machine.ts'

export const SYSTEM = 'zendesk-connector-system'
const RELEASE = 'zendesk-connector'

/** Where a release is, and of which chart; by default the one here. */
type Which = { readonly namespace?: string; readonly chart?: string }

export type NodeStage = Pick<Stage, 'apply' | 'get' | 'until' | 'records' | 'stop'> & {
  readonly cluster: NodeCluster
  readonly simulator: Simulator
  /** `helm install` or `upgrade` with our image, the simulator's proxy and CA; waits until it is at work. */
  release(command: 'install' | 'upgrade', values?: object, which?: Which): Promise<string>
  /** Any other command of helm for the release. */
  helm(command: string, ...args: readonly string[]): Promise<string>
  /** Asks for a run now, and returns the slot that it will have. */
  requestRun(name: string, namespace?: string): Promise<number>
  /** Tells a figure at the end of the tier. */
  note(what: string, value: number, unit: string, limit?: number): Promise<void>
}

/** Starts it; no operator is installed yet. `namespaces`: those there are beside the operator's. */
export async function startNodeStage(name: string, namespaces: readonly string[] = ['security']): Promise<NodeStage> {
  const [image, figures] = [inject('image'), inject('figures')]
  await buildHelm()
  const cluster = await startNodeCluster({ name, archives: [image.archive], auditRules: auditedStatuses })
  let simulator: Simulator | undefined
  const end = async () => {
    await simulator?.stop()
    await cluster.stop()
  }
  try {
    simulator = await startSimulator({ host: NETWORK.host })
    for (const namespace of [SYSTEM, ...namespaces]) await makeRestricted(cluster, namespace)
    const values = {
      image: { repository: image.reference.replace(/:[^:]+$/, ''), tag: image.reference.replace(/^.*:/, '') },
      watchNamespaces: ['security'],
      httpsProxy: simulator.proxyUrl,
      caBundle: await readFile(simulator.caFile, 'utf8'),
    }
    const place = (namespace = SYSTEM) => [
      ...['--namespace', namespace, '--kubeconfig', cluster.kubeconfig, '--timeout', '120s'],
    ]
    const connectors = connectorsOf(cluster)
    return {
      cluster,
      simulator,
      ...connectors,
      apply: (yaml) => cluster.kubectlWithInput(yaml, 'apply', '-f', '-'),
      records: (claim, connector, stream, namespace = 'security') =>
        readRecords(join(cluster.claim(namespace, claim), namespace, connector, stream)),
      release: (command, more = {}, { namespace, chart = CHART } = {}) => {
        const args = [command, RELEASE, chart, ...place(namespace), '--values', '-', '--wait']
        return helm(args, JSON.stringify({ ...values, ...more }))
      },
      helm: (command, ...args) => helm([command, RELEASE, ...args, ...place()]),
      requestRun: async (connector, namespace = 'security') => {
        const { status } = await connectors.get(connector, namespace)
        const request = `cloudapps.security/sync-requested-at=${crypto.randomUUID()}`
        await cluster.kubectl('annotate', '--overwrite', '-n', namespace, 'zdc', connector, request)
        return (status.sync?.lastSlot ?? 0) + 1
      },
      note: (what, value, unit, limit) => note(figures, { what, value, unit, ...(limit !== undefined && { limit }) }),
      stop: async () => {
        try {
          await judgeStatuses(cluster)
        } finally {
          await end()
        }
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

async function makeRestricted({ kubectl }: NodeCluster, namespace: string): Promise<void> {
  await kubectl('create', 'namespace', namespace)
  await kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted')
}
