/** What operators are tried on: a cluster, a Zendesk, and replicas that come and go. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { follow } from '../../support/cluster/api.ts'
import { type Cluster, startCluster } from '../../support/cluster/cluster.ts'
import type { Running } from '../../support/cluster/processes.ts'
import { auditedStatuses } from '../../support/statuses.ts'
import { IMAGE, linesOf, OPERATOR, PROGRAM, type Replica, startReplica } from './replica.ts'
import { auditRulesFor, type Job, jobOf, termsOf, type Write, writesIn } from './trail.ts'

export const NAMESPACE = 'security'

const root = join(import.meta.dirname, '..', '..', '..')

export type World = {
  readonly cluster: Cluster
  readonly simulator: Simulator
  /** Part of the control plane, as it runs now. */
  part(name: string): Running
  /** Starts a part again that has ended. */
  partAgain(name: string): Promise<void>
  /** The process node of that name. */
  node(name: string): Running
  addNode(): Promise<void>
  /** The replicas that shall run. */
  readonly replicas: readonly Replica[]
  /** Starts one more; resolves when it is ready to take or to wait for the lead. */
  addReplica(options?: { readonly ownClock?: boolean }): Promise<Replica>
  /** Ends one, and forgets that it shall run. */
  removeReplica(replica: Replica, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** The replica that holds the Lease, once one of those that shall run does. */
  leader(): Promise<Replica>
  /** All that the operator's replicas have written so far. */
  writes(): Promise<Write[]>
  /** Name of the replica that a token belongs to. */
  replicaOf(token: string): string
  /** All Jobs that were ever seen. */
  jobs(): Iterable<Job>
  /** Replicas that have ended by themselves, with their last lines. */
  ended(): string[]
  /** Copies logs, audit log and the connectors as they are into a folder. */
  keep(folder: string): Promise<void>
  stop(): Promise<void>
}

export async function openWorld(name: string): Promise<World> {
  await using begun = new AsyncDisposableStack()
  const command = [process.execPath, PROGRAM]
  const cluster = await startCluster({
    name,
    images: { [IMAGE]: command },
    auditRules: [...auditedStatuses, ...auditRulesFor(OPERATOR)],
  })
  begun.defer(cluster.stop)
  const simulator = await startSimulator()
  begun.defer(simulator.stop)
  await cluster.kubectl('create', 'namespace', 'zendesk-connector-system')
  await cluster.kubectl('create', 'namespace', NAMESPACE)
  const manifests = ['crds/zendeskconnectors.yaml', 'deploy/rbac.yaml'].flatMap((file) => ['-f', join(root, file)])
  await cluster.kubectl('apply', ...manifests)
  await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')

  const jobs = new Map<string, Job>()
  const over = new AbortController()
  begun.defer(() => over.abort())
  // Beside the audit log, which loses its last lines when the API server is killed.
  type Served = { metadata: { uid: string; resourceVersion: string } }
  const seen = (job: Served) => void jobs.set(job.metadata.uid, jobOf(job))
  void follow<Served>(cluster.api, '/apis/batch/v1/jobs', over.signal, { changed: seen, gone: seen })

  const parts = new Map(cluster.parts.map((part) => [part.name, part]))
  const part = (of: string) => {
    const found = parts.get(of)
    if (found === undefined) throw new Error(`the control plane has no ${of}`)
    return found
  }
  const nodes = cluster.node === undefined ? [] : [cluster.node]
  const replicas: Replica[] = []
  const names = new Map<string, Replica>()
  let started = 0
  const writes = async () => writesIn(await readFile(cluster.auditLog, 'utf8'), OPERATOR)
  const replicaOf = (token: string) => [...names.values()].find(({ tokens }) => tokens.has(token))?.name ?? 'nobody'
  begun.defer(async () => {
    for (const replica of names.values()) await replica.stop()
  })

  const all = begun.move()
  return {
    cluster,
    simulator,
    part,
    partAgain: async (of) => void parts.set(of, await part(of).again()),
    node: (of) => {
      const found = nodes[Number(of.replace('node-', '')) - 1]
      if (found === undefined) throw new Error(`the cluster has no ${of}`)
      return found
    },
    addNode: async () => void nodes.push(await cluster.addNode(`node-${nodes.length + 1}`)),
    replicas,
    addReplica: async (options = {}) => {
      const replica = await startReplica({ name: `r${++started}`, cluster, simulator, ...options })
      names.set(replica.name, replica)
      replicas.push(replica)
      await untilReady(replica)
      return replica
    },
    removeReplica: async (replica, signal) => {
      replicas.splice(replicas.indexOf(replica), 1)
      await replica.end(signal)
    },
    leader: async () => {
      const giveUp = performance.now() + 60_000
      while (performance.now() < giveUp) {
        const last = termsOf(await writes()).at(-1)
        const found = last && last.to === undefined && replicaOf(last.token)
        const leader = replicas.find((replica) => replica.name === found)
        if (leader !== undefined) return leader
        await delay(100)
      }
      throw new Error('nobody had the lead within 60 s')
    },
    writes,
    replicaOf,
    jobs: () => jobs.values(),
    ended: () =>
      replicas
        .filter((replica) => !replica.process.isRunning())
        .map((replica) => `replica ${replica.name} ended: ${replica.process.lastLines()}`),
    keep: async (folder) => {
      await mkdir(folder, { recursive: true })
      await cp(join(cluster.folder, 'logs'), join(folder, 'logs'), { recursive: true })
      await cp(cluster.auditLog, join(folder, 'audit.log'))
      await writeFile(join(folder, 'connectors.yaml'), await cluster.kubectl('get', 'zdc', '-A', '-o', 'yaml'))
    },
    stop: () => all.disposeAsync(),
  }
}

/** Five watches are open: it has listed everything, and knows when something changes. */
async function untilReady(replica: Replica): Promise<void> {
  const giveUp = performance.now() + 60_000
  while (replica.gate.watches() < 5) {
    if (!replica.process.isRunning() || performance.now() > giveUp) {
      throw new Error(`replica ${replica.name} was not ready: ${(await linesOf(replica)).slice(-5).join('\n')}`)
    }
    await delay(50)
  }
}
