/**
 * What to do next with one connector: the specification of the operator. Every rule is a function of what is observed;
 * time is an argument. A due rule answers *when*: the past means now, undefined means never.
 */
import { milliseconds } from './duration.ts'
import { notStarted, takeUpRuns } from './facts.ts'
import type { Observed, ObservedRun } from './observed.ts'
import { lastOutcome } from './outcome.ts'
import { isLasting } from './reasons.ts'
import type { Spent } from './run.ts'
import {
  earliest,
  later,
  latest,
  MOST_PER_TEST,
  POD_START_MS,
  PROGRESS_MS,
  REPORT_GRACE_MS,
  retryAfterMs,
  SECRET_GRACE_MS,
  spread,
  WINDOW_MS,
} from './schedule.ts'
import { type Connector, requested, SYNC_REQUESTED_AT, TEST_REQUESTED_AT } from './schema.ts'
import { type LastRun, type Status, status as statusSchema } from './status.ts'
import { summarise } from './summary.ts'

/** One next step. */
export type Step =
  | { readonly do: 'nothing' }
  /** Read the Secret and run the connection test. */
  | { readonly do: 'test' }
  /** Create the Job of this slot. */
  | { readonly do: 'start run'; readonly slot: number }
  /** End a run under way: its pod publishes what it has read, and stops. */
  | { readonly do: 'stop run'; readonly run: string; readonly failure?: LastRun }
  /** Remove a Job that ended long ago. */
  | { readonly do: 'prune run'; readonly run: string }

export type Decision = {
  readonly step: Step
  /** The status to show, before the step is taken. */
  readonly status: Status
  /** When to look again if nothing changes before; undefined: never. */
  readonly wakeAt: Date | undefined
}

/** What the rules look at: the observation with runs taken up into the status. */
type Case = {
  readonly observed: Observed
  readonly status: Status
  readonly now: Date
  readonly spentByTests: readonly Spent[]
}
type Due = (given: Case) => Date | undefined

/** So many ended Jobs are kept, for their logs. */
const KEPT_JOBS = 3
const BREATH_MS = 1000
const NOW = new Date(0)

/** `spentByTests`: what tests have spent of the account's budget in the last minute. */
export function decide(observed: Observed, now: Date, spentByTests: readonly Spent[] = []): Decision {
  const { connector } = observed
  const known = takeUpRuns(observed, connector.status ?? statusSchema.parse({}), now)
  const given: Case = { observed, status: known, now, spentByTests }
  const active = activeRun(given)
  const testDue = earliest([atAnyTime(given), active === undefined ? whenIdle(given) : undefined])
  const testAt = testDue && latest([testDue, testsHaveRoom(given)])
  const runAt = active === undefined ? runDue(given) : undefined
  const giveUpAt = active && podMustRunBy(active, given)
  const others = [secretGraceEnds, reportIsLate, nextProgress].map((due) => due(given))

  const step = (): Step => {
    if (connector.spec.suspend) return active === undefined ? nothing : stop(active)
    if (isDue(testAt, now)) return { do: 'test' }
    if (active !== undefined) {
      if (isDue(giveUpAt, now)) return stop(active, notStarted(active, now))
      return isOfAnOlderSpec(active, given) ? stop(active) : nothing
    }
    if (isDue(runAt, now)) return { do: 'start run', slot: nextSlot(given) }
    return prune(observed.runs)
  }
  const wakeAt = earliest(
    [...(connector.spec.suspend ? [] : [testAt, runAt, giveUpAt]), ...others].filter(isAfter(now)),
  )
  return { step: step(), status: summarise(connector, known, now), wakeAt }
}

const nothing: Step = { do: 'nothing' }
const isDue = (time: Date | undefined, now: Date) => time !== undefined && time <= now
const isAfter = (now: Date) => (time: Date | undefined) => time !== undefined && time > now

/** Ends a run, once; `failure` is what becomes known of it. */
function stop({ run, deleting }: ObservedRun, failure?: LastRun): Step {
  if (deleting) return nothing
  return failure === undefined ? { do: 'stop run', run } : { do: 'stop run', run, failure }
}

function prune(runs: readonly ObservedRun[]): Step {
  const old = runs.filter((run) => run.state !== 'Active' && !run.deleting).at(-KEPT_JOBS - 1)
  return old === undefined ? nothing : { do: 'prune run', run: old.run }
}

/** Greater than any that was ever used, also where a status was lost: the checkpoint remembers its last holder. */
function nextSlot({ observed, status }: Case): number {
  return Math.max(status.sync?.lastSlot ?? 0, observed.checkpoint?.holder?.slot ?? 0) + 1
}

// When a test is due.

const notTestedYet: Due = ({ status }) => (status.connectionTest?.lastTime === undefined ? NOW : undefined)

const specChanged: Due = ({ observed, status }) =>
  status.connectionTest?.testedGeneration === observed.connector.metadata.generation ? undefined : NOW

const secretIsNotTheTestedOne: Due = ({ observed: { connector, secret }, status }) => {
  const tested = status.connectionTest?.testedSecrets?.[0]
  const same =
    tested?.name === connector.spec.secretRef.name &&
    tested.uid === secret?.uid &&
    tested.resourceVersion === secret?.resourceVersion
  return same ? undefined : NOW
}

const someoneAsksForATest: Due = ({ observed, status }) => {
  const request = requested(observed.connector, TEST_REQUESTED_AT)
  return request === undefined || request === status.lastHandledTestRequest ? undefined : NOW
}

/** A run that was refused knows something that the last test did not. */
const runWasRefused: Due = ({ status }) => {
  const { lastRun } = status.sync ?? {}
  if (lastRun?.result !== 'Failed' || lastRun.reason === undefined || !isLasting(lastRun.reason)) return undefined
  if (lastRun.reason === 'SinkUnavailable') return undefined
  const { testedAfterRun, lastTime = '' } = status.connectionTest ?? {}
  // A CRD older than this program drops the field: then times must do.
  if (testedAfterRun === undefined && lastTime >= (lastRun.endTime ?? '')) return undefined
  return lastRun.id === testedAfterRun ? undefined : NOW
}

const noAnswerLastTime: Due = ({ status: { connectionTest } }) => {
  if (connectionTest?.lastTime === undefined || lastOutcome(connectionTest)?.kind !== 'no answer') return undefined
  return later(connectionTest.lastTime, retryAfterMs(connectionTest.consecutiveFailures))
}

/** A run that ended well counts as a test passed. */
const intervalIsOver: Due = ({ observed: { connector }, status: { connectionTest, sync } }) => {
  if (connectionTest?.lastTime === undefined) return undefined
  const { result, endTime } = sync?.lastRun ?? {}
  const ranWell = result === 'Succeeded' || result === 'MoreToDo' ? endTime : undefined
  const last = [connectionTest.lastTime, ranWell ?? ''].sort().at(-1) ?? connectionTest.lastTime
  return later(last, spread(connector.metadata.uid, milliseconds(connector.spec.connectionTest.interval)))
}

/** These do not wait for a run under way; what they cost comes on top of its budget. */
const atAnyTime: Due = (given) =>
  earliest(
    [notTestedYet, specChanged, secretIsNotTheTestedOne, someoneAsksForATest, noAnswerLastTime].map((due) =>
      due(given),
    ),
  )

/** These do, and until the run's last minute has room for them: the run itself shows whether the connection is good. */
const whenIdle: Due = (given) => {
  const due = earliest([runWasRefused, intervalIsOver].map((one) => one(given)))
  return due === undefined ? undefined : latest([due, budgetHasRoom(given)])
}

/** When the requests of the last run's last minute leave room for a test within the rate. */
const budgetHasRoom: Due = ({ observed: { connector, checkpoint } }) =>
  checkpoint?.budget && roomForTest(checkpoint.budget.spent, checkpoint.budget.at, connector)

/** Tests keep to the rate among themselves, and a second apart: a rule that insists, for whatever cause, makes no storm. */
const testsHaveRoom: Due = ({ observed: { connector }, spentByTests, now }) => {
  const breath = spentByTests.map(({ secondsAgo }) => later(now, BREATH_MS - secondsAgo * 1000))
  return latest([roomForTest(spentByTests, now, connector), ...breath])
}

/** When those requests, with their ages as of `at`, leave room for a test within the rate; undefined: always. */
function roomForTest(spent: readonly Spent[], at: string | Date, { spec }: Connector): Date | undefined {
  const room = spec.rateLimit.requestsPerMinute - MOST_PER_TEST
  const ofAccount = spent.filter(({ endpoint }) => endpoint === undefined)
  let requests = 0
  for (const { secondsAgo, requests: more } of ofAccount.toSorted((one, other) => one.secondsAgo - other.secondsAgo)) {
    requests += more
    if (requests > room) return later(at, WINDOW_MS - secondsAgo * 1000)
  }
  return undefined
}

// When a run is due.

const runDue: Due = (given) => {
  const { connector } = given.observed
  const { status } = given
  if (status.sync?.activeRun !== undefined) return undefined
  const tested = lastOutcome(status.connectionTest)?.kind === 'passed'
  if (!tested || status.connectionTest?.testedGeneration !== connector.metadata.generation) return undefined
  return earliest([someoneAsksForARun, moreToDo, runIntervalIsOver].map((due) => due(given)))
}

const someoneAsksForARun: Due = ({ observed, status }) => {
  const request = requested(observed.connector, SYNC_REQUESTED_AT)
  return request === undefined || request === status.lastHandledSyncRequest ? undefined : NOW
}

const moreToDo: Due = ({ status }) => (status.sync?.lastRun?.result === 'MoreToDo' ? NOW : undefined)

const runIntervalIsOver: Due = ({ observed: { connector }, status: { sync } }) => {
  if (sync?.lastStartTime === undefined) return NOW
  return later(sync.lastStartTime, spread(connector.metadata.uid, milliseconds(connector.spec.sync.interval)))
}

// A run under way.

/** The run that holds the turn: its Job has not ended, or is being deleted and its pods may still run. */
function activeRun({ observed, status }: Case): ObservedRun | undefined {
  const holding = observed.runs.filter((run) => run.state === 'Active' || (run.deleting && run.pods.some(isUnfinished)))
  return holding.find((run) => run.run === status.sync?.activeRun?.id) ?? holding.at(-1)
}

const isUnfinished = ({ phase }: ObservedRun['pods'][number]) => phase !== 'Succeeded' && phase !== 'Failed'

function podMustRunBy({ run, pods, creationTime }: ObservedRun, { observed: { checkpoint } }: Case): Date | undefined {
  const last = pods.at(-1)
  if (last !== undefined && last.phase !== 'Pending') return undefined
  // A run that lost its pod to a drain has begun: the next pod has its own five minutes.
  const begun = checkpoint?.holder?.run === run ? new Date(checkpoint.holder.renewTime) : undefined
  return later(latest([last?.creationTime ?? creationTime, begun]) ?? creationTime, POD_START_MS)
}

/** Its orders are those of a spec that has changed, and the new one is known to be good: the next run goes on from here. */
function isOfAnOlderSpec({ generation }: ObservedRun, { observed: { connector }, status }: Case): boolean {
  return (
    generation < connector.metadata.generation &&
    status.connectionTest?.testedGeneration === connector.metadata.generation &&
    lastOutcome(status.connectionTest)?.kind === 'passed'
  )
}

const nextProgress: Due = ({ observed: { checkpoint }, status }) => {
  if (checkpoint?.progress === status.sync?.activeRun?.progress) return undefined
  const last = status.sync?.activeRun?.progressTime
  return last === undefined ? undefined : later(last, PROGRESS_MS)
}

/** The Job has ended but its report is not seen yet. */
const reportIsLate: Due = ({ observed, status }) => {
  const ended = observed.runs.find((run) => run.run === status.sync?.activeRun?.id)?.endTime
  return ended === undefined ? undefined : later(ended, REPORT_GRACE_MS)
}

const secretGraceEnds: Due = ({ status: { connectionTest }, now }) => {
  const outcome = lastOutcome(connectionTest)
  if (outcome?.kind !== 'failed' || outcome.reason !== 'SecretNotFound') return undefined
  const end = later(connectionTest?.reasonSince ?? now, SECRET_GRACE_MS)
  return end > now ? end : undefined
}
