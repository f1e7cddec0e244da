/** All faults, one after the other, on one world; each is judged before the next. */
import { createDice } from '../dice.ts'
import type { Fault, Scene, Struck } from './faults.ts'
import { troublesIn } from './logs.ts'
import { type Finding, probe, untilTrue } from './probe.ts'
import { linesOf, type Replica } from './replica.ts'
import { openTown, settle } from './residents.ts'
import { slotsWithTwo, staleWrites, termsOf } from './trail.ts'
import { openWorld, type World } from './world.ts'

/** Stale writes that are told one by one. */
const SHOWN = 10
/** Seconds for another replica to take over. */
const FAILOVER_WITHIN = 20

export type FaultResult = {
  readonly name: string
  /** From the end of the fault until all was right. */
  readonly recoveredSeconds: number
  /** From the strike until another had the Lease; absent: the leader was not struck. */
  readonly failoverSeconds?: number
  readonly duplicateJobs: number
  readonly writesByStaleLeader: number
  /** What was not as it should be, a sentence each. */
  readonly wrong: readonly string[]
}

export type OperatorChaosOptions = {
  readonly faults: readonly Fault[]
  readonly seed: number
  readonly say: (line: string) => void
  /** Folder for logs, audit log and the connectors as they were in the end; none: nothing is kept. */
  readonly folder?: string | undefined
  /** Ends it before its time. */
  readonly signal?: AbortSignal
}

export async function runOperatorChaos(options: OperatorChaosOptions): Promise<FaultResult[]> {
  const { faults, seed, say, folder, signal } = options
  await using things = new AsyncDisposableStack()
  const world = await openWorld('operator-chaos')
  things.defer(world.stop)
  if (folder !== undefined) things.defer(() => world.keep(folder))
  await world.addReplica()
  await world.addReplica()
  const residents = openTown(world)
  await settle(residents)
  const scene = { world, residents, dice: createDice(seed) }
  const early = await untilTrue(world, residents, performance.now() + 90_000)
  if (early.length > 0) throw new Error(`the world was not right before any fault: ${early.join('; ')}`)
  say(`${residents.truth.size} connectors, ${world.replicas.length} replicas: ${(await world.leader()).name} leads`)
  const calm = await probe(world, residents, performance.now())
  if (calm.wrong.length > 0) throw new Error(`what is asked for is not done without a fault: ${calm.wrong.join('; ')}`)
  say(`what is asked for after each fault takes ${rounded(calm.seconds)} s without one`)

  const results: FaultResult[] = []
  const counts = await counted(world)
  for (const fault of faults) {
    if (signal?.aborted) break
    say(`${fault.name}: ${fault.what}`)
    const result = await play(fault, scene, counts)
    results.push(result)
    say(`  right after ${result.recoveredSeconds} s${result.wrong.map((sentence) => `\n  ${sentence}`).join('')}`)
  }
  return results
}

/** Duplicates and stale writes are counted for the fault that they came with. */
type Counts = { duplicateJobs: number; staleWrites: number }

async function play(fault: Fault, scene: Scene, counts: Counts): Promise<FaultResult> {
  const { world } = scene
  const logged = await logsFromNow(world)
  const wrong: string[] = []
  const findings: Finding[] = []
  let failoverSeconds: number | undefined
  let struck: Struck | undefined
  try {
    struck = await fault.strike(scene)
    while (struck !== undefined) {
      const finding = await probe(world, scene.residents, struck.since)
      findings.push(finding)
      wrong.push(...finding.wrong)
      if (struck.leaderStruckAt !== undefined) failoverSeconds = await failover(world, struck.leaderStruckAt)
      // A fault goes on after what is wrong, too: it has to put things back.
      struck = await struck.next?.()
    }
  } catch (error) {
    wrong.push(String(error))
  }
  wrong.push(...troublesIn(await logged(), fault.mayLog), ...world.ended())

  const after = await counted(world)
  const duplicateJobs = after.duplicateJobs - counts.duplicateJobs
  const writesByStaleLeader = after.staleWrites - counts.staleWrites
  Object.assign(counts, after)
  if (failoverSeconds !== undefined && failoverSeconds > FAILOVER_WITHIN) {
    wrong.push(`another replica had the Lease only after ${failoverSeconds} s`)
  }
  return {
    name: fault.name,
    recoveredSeconds: rounded(
      findings.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...findings.map(({ seconds }) => seconds)),
    ),
    ...(failoverSeconds === undefined ? {} : { failoverSeconds: rounded(failoverSeconds) }),
    duplicateJobs,
    writesByStaleLeader,
    wrong: [...wrong, ...(writesByStaleLeader > 0 ? after.stale.slice(-writesByStaleLeader).slice(0, SHOWN) : [])],
  }
}

/** Gives the lines that replicas write from now on, those among them that come or go meanwhile. */
async function logsFromNow(world: World): Promise<() => Promise<string[]>> {
  const before = new Map<Replica, number>()
  for (const replica of world.replicas) before.set(replica, (await linesOf(replica)).length)
  return async () => {
    const replicas = [...new Set([...before.keys(), ...world.replicas])]
    const lines = await Promise.all(
      replicas.map(async (replica) => (await linesOf(replica)).slice(before.get(replica) ?? 0)),
    )
    return lines.flat()
  }
}

async function failover(world: World, struckAt: number): Promise<number> {
  const next = termsOf(await world.writes()).find(({ from }) => from.at > struckAt)
  return next === undefined ? Number.POSITIVE_INFINITY : (next.from.at - struckAt) / 1000
}

async function counted(world: World): Promise<Counts & { readonly stale: string[] }> {
  const writes = await world.writes()
  const jobs = [...world.jobs(), ...writes.flatMap(({ job }) => job ?? [])]
  const stale = staleWrites(writes, world.replicaOf)
  return {
    duplicateJobs: slotsWithTwo(jobs).length,
    staleWrites: stale.length,
    stale: stale.map(
      ({ what, token, at }) => `stale: ${world.replicaOf(token)} ${what} at ${new Date(at).toISOString()}`,
    ),
  }
}

export function isGood({ wrong, duplicateJobs, writesByStaleLeader }: FaultResult): boolean {
  return wrong.length === 0 && duplicateJobs === 0 && writesByStaleLeader === 0
}

const rounded = (seconds: number) => Math.round(seconds * 10) / 10
