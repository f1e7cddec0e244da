/**
 * What to do next with one connector: the specification of the operator. Every rule is a function of what is observed;
 * time is an argument. A due rule answers *when*: the past means now, undefined means never.
 */
import { milliseconds } from './duration.ts'
import { notStarted, takeUpRuns } from './facts.ts'
import type { Observed, ObservedRun } from './observed.ts'
import { lastOutcome } from './outcome.ts'
import { isLasting } from './reasons.ts'
import {
  earliest,
  later,
  POD_START_MS,
  PROGRESS_MS,
  REPORT_GRACE_MS,
  retryAfterMs,
  SECRET_GRACE_MS,
  spread,
} from './schedule.ts'
import { requested, SYNC_REQUESTED_AT, TEST_REQUESTED_AT } from './schema.ts'
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
type Case = { readonly observed: Observed; readonly status: Status; readonly now: Date }
type Due = (given: Case) => Date | undefined

/** So many ended Jobs are kept, for their logs. */
const KEPT_JOBS = 3
const NOW = new Date(0)

export function decide(observed: Observed, now: Date): Decision {
  const { connector } = observed
  const known = takeUpRuns(observed, connector.status ?? statusSchema.parse({}), now)
  const given: Case = { observed, status: known, now }
  const decision = (step: Step, ...wakes: (Date | undefined)[]): Decision => ({
    step,
    status: summarise(connector, known, now),
    wakeAt: earliest(wakes),
  })

  const active = activeRun(given)
  const testAt = earliest([...(active === undefined ? WHEN_IDLE : []), ...AT_ANY_TIME].map((due) => due(given)))
  const runAt = active === undefined ? runDue(given) : undefined

  if (connector.spec.suspend) return decision(active?.deleting === false ? stop(active) : nothing)
  if (isDue(testAt, now)) return decision({ do: 'test' })
  if (active !== undefined) {
    const giveUpAt = podMustRunBy(active)
    if (isDue(giveUpAt, now)) return decision(active.deleting ? nothing : giveUp(active, now), testAt)
    return decision(nothing, testAt, giveUpAt, nextProgress(given))
  }
  if (isDue(runAt, now)) return decision({ do: 'start run', slot: (known.sync?.lastSlot ?? 0) + 1 })
  const old = observed.runs.filter((run) => run.state !== 'Active' && !run.deleting).at(-KEPT_JOBS - 1)
  if (old !== undefined) return decision({ do: 'prune run', run: old.run })
  return decision(nothing, testAt, runAt, secretGraceEnds(given), reportIsLate(given))
}

const nothing: Step = { do: 'nothing' }
const stop = ({ run }: ObservedRun): Step => ({ do: 'stop run', run })
const giveUp = (active: ObservedRun, now: Date): Step => ({
  do: 'stop run',
  run: active.run,
  failure: notStarted(active, now),
})
const isDue = (time: Date | undefined, now: Date) => time !== undefined && time <= now

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
  const request = requested(observed.connector.metadata.annotations, TEST_REQUESTED_AT)
  return request === undefined || request === status.lastHandledTestRequest ? undefined : NOW
}

/** A run that was refused knows something that the last test did not. */
const runWasRefused: Due = ({ status }) => {
  const { lastRun } = status.sync ?? {}
  if (lastRun?.result !== 'Failed' || lastRun.reason === undefined || !isLasting(lastRun.reason)) return undefined
  if (lastRun.reason === 'SinkUnavailable') return undefined
  return (lastRun.endTime ?? '') > (status.connectionTest?.lastTime ?? '') ? NOW : undefined
}

const noAnswerLastTime: Due = ({ status: { connectionTest } }) => {
  if (connectionTest?.lastTime === undefined || lastOutcome(connectionTest)?.kind !== 'no answer') return undefined
  return later(connectionTest.lastTime, retryAfterMs(connectionTest.consecutiveFailures))
}

/** A run that ended well counts as a test passed. */
const intervalIsOver: Due = ({ observed: { connector }, status: { connectionTest, sync } }) => {
  if (connectionTest?.lastTime === undefined) return undefined
  const ranWell = sync?.lastRun?.result === 'Failed' ? undefined : sync?.lastRun?.endTime
  const last = [connectionTest.lastTime, ranWell ?? ''].sort().at(-1) ?? connectionTest.lastTime
  return later(last, spread(connector.metadata.uid, milliseconds(connector.spec.connectionTest.interval)))
}

/** These do not wait for a run under way. */
const AT_ANY_TIME: readonly Due[] = [notTestedYet, specChanged, secretIsNotTheTestedOne, someoneAsksForATest]
/** These do: the run itself shows whether the connection is good. */
const WHEN_IDLE: readonly Due[] = [runWasRefused, noAnswerLastTime, intervalIsOver]

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
  const request = requested(observed.connector.metadata.annotations, SYNC_REQUESTED_AT)
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

function podMustRunBy({ pods, creationTime }: ObservedRun): Date | undefined {
  const last = pods.at(-1)
  if (last !== undefined && last.phase !== 'Pending') return undefined
  return later(last?.creationTime ?? creationTime, POD_START_MS)
}

const nextProgress: Due = ({ status }) => {
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
