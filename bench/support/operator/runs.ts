/** How many runs an hour the operator and this machine sustain, with pods as local processes. */
import { availableParallelism } from 'node:os'
import type { Onlooker } from './arrivals.ts'
import { clockMs, quantile } from './figures.ts'
import { type Member, pathOfConnector } from './fleet.ts'
import { inParallel } from './in-parallel.ts'
import { MERGE, type Served } from './model.ts'
import type { Program } from './program.ts'
import { requestsBetween, sumOf } from './requests.ts'
import { startUsage, type Usage } from './usage.ts'
import { OPERATOR_USER, type World } from './world.ts'

export type Runs = {
  readonly perHour: number
  /** Of the operator to the API server. */
  readonly requestsPerRun: number
  /** In a sentence. */
  readonly bound: string
}

/** Asks for a run of each of these at once, and looks at the middle eight tenths of their ends. */
export async function measureRuns(
  world: World,
  onlooker: Onlooker,
  operator: Program,
  members: readonly Member[],
): Promise<Runs> {
  const { api, auditLog, folder } = world.cluster
  const asked = new Date().toISOString()
  const body = { metadata: { annotations: { 'cloudapps.security/sync-requested-at': asked } } }
  const hasRun = ({ status }: Served) =>
    status?.lastHandledSyncRequest === asked && status.sync.activeRun === undefined && status.sync.lastRun !== undefined
  const all = members.map((member) => onlooker.when(member, hasRun))
  const from = clockMs()
  const usage = startUsage(whose(world, folder, operator))
  await inParallel(members, 16, async (member) => {
    await api.request('PATCH', pathOfConnector(member), { body, contentType: MERGE })
  })
  const ends = await Promise.all(all)
  const used = usage()
  const requests = await requestsBetween(auditLog, OPERATOR_USER, from, clockMs())
  process.stderr.write(`${members.length} runs: ${JSON.stringify(Object.fromEntries(requests))}.\n`)
  const began = requests.get('create jobs') ?? 0
  const [early, late] = [quantile(ends, 0.1), quantile(ends, 0.9)]
  return {
    perHour: (members.length * 0.8 * 3_600_000) / (late - early),
    requestsPerRun: sumOf(requests) / began,
    bound: boundOf(used),
  }
}

function boundOf({ busy, processors }: Usage): string {
  const count = availableParallelism()
  const shares = Object.entries(processors)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, share]) => `${name} ${share.toFixed(2)}`)
  const where = `the ${count} processors are ${Math.round(busy * 100)} % busy (of ${count}: ${shares.join(', ')})`
  return busy > 0.85 ? `this machine: ${where}.` : `the cap on runs at once and the time that a run takes: ${where}.`
}

function whose({ program }: World, folder: string, operator: Program) {
  return (command: string, pid: number): string | undefined => {
    if (pid === process.pid) return 'bench'
    if (pid === operator.pid) return 'operator'
    if (command.includes('simulator/command.ts')) return 'Zendesk'
    // A pod's processor time becomes its node's when it ends.
    if (command.includes(`${program} sync`) || (command.includes('process-node/main.ts') && command.includes(folder)))
      return 'node and pods'
    return /kube-|etcd/.test(command) && command.includes(folder) ? 'control plane' : undefined
  }
}
