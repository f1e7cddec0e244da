/** The measurement of the operator, step by step: with nothing due, its peer, first tests, runs, with everything due. */
import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { arrive, changeSecrets, watchConnectors } from './arrivals.ts'
import { clockMs } from './figures.ts'
import { firstTests } from './first-tests.ts'
import { type Member, makeDue, makeFleet, membersOf, removeNewcomers } from './fleet.ts'
import { takeModel } from './model.ts'
import { requestsBetween, sumOf } from './requests.ts'
import { measureRuns, type Runs } from './runs.ts'
import { ACCOUNTS, OPERATOR_USER, startWorld, type World } from './world.ts'

export type Figures = {
  readonly connectors: number
  readonly startSeconds: number
  /** The most that any of its processes had in any step. */
  readonly rssMb: number
  readonly quiet: {
    readonly leadsSeconds: number
    readonly rssMb: number
    readonly firstStatus: readonly number[]
    readonly firstRequest: readonly number[]
    readonly secretToTest: readonly number[]
  }
  readonly peer: { readonly startSeconds: number; readonly rssMb: number; readonly firstStatus: readonly number[] }
  readonly firstTests1000Seconds: number
  readonly firstRequestWhileDue: readonly number[]
  readonly secretToTestWhileDue: readonly number[]
  readonly testsPerSecond: number
  readonly requests: {
    /** Those that do not depend on the number of connectors. */
    readonly fixedPerHour: number
    readonly perTest: number
    readonly perRun: number
    readonly perConnectorHour: number
  }
  readonly runs: Runs
}

/**
 * Less than this in the audit log within this time is no burden: a request takes up to 2 KB, and the garbage collector
 * asks, for a quarter of an hour, ten times a second for connectors that it had not seen before their Jobs.
 */
const QUIET_BYTES = 200_000
const QUIET_MS = 5_000
/** By the defaults of the schema: each run counts as a test, so no test falls due between them. */
const RUNS_PER_CONNECTOR_HOUR = 4
/** Each of the five collections has a watch, which the server ends after 30 to 45 s: WATCH_SECONDS in src/kube/watch.ts. */
const WATCHES_PER_HOUR = (5 * 3600) / ((30 + 45) / 2)
/** The operator keeps so many tests going. */
const TESTS_AT_ONCE = 20
const PREFIX = ACCOUNTS.lesser.prefix

export async function measureOperator(connectors: number): Promise<Figures> {
  const world = await startWorld()
  try {
    return await measure(world, connectors)
  } finally {
    await world.stop()
  }
}

async function measure(world: World, connectors: number): Promise<Figures> {
  const { api } = world.cluster
  const model = await takeModel(world)
  say(`A connector with three runs behind it is made; now ${connectors} of its likes.`)
  const began = clockMs()
  const fleet = await makeFleet(world.cluster, model, connectors)
  await quietApi(world.cluster.auditLog)
  say(`They are made after ${Math.round((clockMs() - began) / 1000)} s.`)

  const quiet = await nothingDue(world, fleet)
  say(`Nothing due: known after ${quiet.startSeconds.toFixed(1)} s, ${quiet.rssMb.toFixed(0)} MiB.`)
  const peer = await inItsPlace(world, fleet)
  say(`controller-runtime: known after ${peer.startSeconds.toFixed(1)} s, ${peer.rssMb.toFixed(0)} MiB.`)
  const busy = await testsAndRuns(world, fleet)
  say(
    `First tests: ${busy.firstTests1000Seconds.toFixed(1)} s per 1,000; ${busy.runs.perHour.toFixed(0)} runs an hour.`,
  )
  await makeDue(api, fleet)
  const due = await everythingDue(world, fleet)
  say(`Everything due: ${due.rssMb.toFixed(0)} MiB, ${due.testsPerSecond.toFixed(1)} tests a second.`)

  return {
    connectors,
    startSeconds: Math.max(quiet.startSeconds, due.startSeconds),
    rssMb: Math.max(quiet.rssMb, busy.rssMb, due.rssMb),
    quiet,
    peer,
    firstTests1000Seconds: busy.firstTests1000Seconds,
    firstRequestWhileDue: due.firstRequest,
    secretToTestWhileDue: due.secretToTest,
    testsPerSecond: due.testsPerSecond,
    runs: busy.runs,
    requests: {
      fixedPerHour: quiet.fixedPerHour,
      perTest: due.requestsPerTest,
      perRun: busy.runs.requestsPerRun,
      perConnectorHour: quiet.fixedPerHour / connectors + RUNS_PER_CONNECTOR_HOUR * busy.runs.requestsPerRun,
    },
  }
}

/** The cluster's own controllers look at each new object: until they are done, they would be measured, too. */
async function quietApi(auditLog: string): Promise<void> {
  const giveUp = clockMs() + 10 * 60_000
  for (let before = -1; clockMs() < giveUp; ) {
    const { size } = await stat(auditLog)
    if (before >= 0 && size >= before && size - before < QUIET_BYTES) return
    before = size
    await delay(QUIET_MS)
  }
}

async function nothingDue(world: World, fleet: readonly Member[]) {
  const operator = world.startOperator()
  const startSeconds = await operator.knows(fleet.length)
  const leadsSeconds = await operator.leads()
  // What follows from the start must be over.
  await delay(10_000)
  const [from, seconds] = [clockMs(), Math.min(60, 10 + fleet.length / 200)]
  await delay(seconds * 1000)
  const requests = await requestsBetween(world.cluster.auditLog, OPERATOR_USER, from, clockMs())
  say(`With nothing due, within ${seconds} s: ${JSON.stringify(Object.fromEntries(requests))}.`)
  // Watches are too rare to be counted here; lists belong to the start, and may still be under way.
  const others = [...requests].filter(([what]) => !/^(watch|list) /.test(what)).map(([, count]) => count)
  const fixedPerHour = (others.reduce((sum, count) => sum + count, 0) * 3600) / seconds + WATCHES_PER_HOUR

  const onlooker = await watchConnectors(world)
  const arrivals = await arrive(world, onlooker, { prefix: `${PREFIX}a`, count: 100, everyMs: 100, tested: true })
  const secretToTest = await changeSecrets(world, fleet.slice(0, 100), 100)
  onlooker.stop()
  const rssMb = operator.peakMb()
  await operator.stop()
  await removeNewcomers(world.cluster.api)
  return { startSeconds, leadsSeconds, rssMb, fixedPerHour, ...arrivals, secretToTest }
}

async function inItsPlace(world: World, fleet: readonly Member[]) {
  const program = world.startPeer()
  const startSeconds = await program.knows(fleet.length)
  await delay(10_000)
  const onlooker = await watchConnectors(world)
  const { firstStatus } = await arrive(world, onlooker, {
    prefix: `${PREFIX}b`,
    count: 100,
    everyMs: 100,
    tested: false,
  })
  onlooker.stop()
  const rssMb = program.peakMb()
  await program.stop()
  await removeNewcomers(world.cluster.api)
  return { startSeconds, rssMb, firstStatus }
}

async function testsAndRuns(world: World, fleet: readonly Member[]) {
  const operator = world.startOperator()
  await operator.leads()
  await delay(5_000)
  const onlooker = await watchConnectors(world)
  const count = Math.min(1000, fleet.length)
  const firstTests1000Seconds = ((await firstTests(world, onlooker, membersOf(`${PREFIX}c`, count))) * 1000) / count
  await removeNewcomers(world.cluster.api)
  const runs = await measureRuns(world, onlooker, operator, fleet.slice(0, 120))
  onlooker.stop()
  const rssMb = operator.peakMb()
  await operator.stop()
  return { rssMb, firstTests1000Seconds, runs }
}

async function everythingDue(world: World, fleet: readonly Member[]) {
  const operator = world.startOperator()
  const startSeconds = await operator.knows(fleet.length)
  await operator.leads()
  const onlooker = await watchConnectors(world)
  await delay(2_000)
  // New ones come while most of the fleet still waits for its test.
  const dueSeconds = fleet.length / TESTS_AT_ONCE
  const count = Math.max(20, Math.min(200, fleet.length / 10))
  const from = clockMs()
  const everyMs = Math.min(250, (dueSeconds * 500) / count)
  const { firstRequest } = await arrive(world, onlooker, { prefix: `${PREFIX}d`, count, everyMs, tested: true })
  // Their tests are over: what is seen now is the test that the changed Secret asks for.
  await delay(2_000)
  const secretToTest = await changeSecrets(world, membersOf(`${PREFIX}d`, count), everyMs)
  const to = clockMs()
  const requests = await requestsBetween(world.cluster.auditLog, OPERATOR_USER, from, to)
  say(
    `With everything due, within ${Math.round((to - from) / 1000)} s: ${JSON.stringify(Object.fromEntries(requests))}.`,
  )
  onlooker.stop()
  const rssMb = operator.peakMb()
  await operator.stop()
  // Each test reads its Secret once; those of the new ones are told apart by what they cost beside.
  const tests = requests.get('get secrets') ?? 0
  return {
    ...{ startSeconds, rssMb, firstRequest, secretToTest },
    testsPerSecond: tests / ((to - from) / 1000),
    requestsPerTest: sumOf(requests) / tests,
  }
}

const say = (line: string) => process.stderr.write(`${line}\n`)
