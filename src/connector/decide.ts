/**
 * What to do next with one connector: the specification of the operator, a function of what is observed and of the time.
 * When each thing falls due stands in due.ts, what the status says in summary.ts.
 */
import { type Case, nextProgress, reportIsLate, runDue, secretGraceEnds, testDue } from './due.ts'
import { lostRun, notStarted, takeUpRuns, withWait } from './facts.ts'
import { isLost, isUnfinished, lostAt } from './lost.ts'
import type { Observed, ObservedRun, Standing } from './observed.ts'
import { lastOutcome } from './outcome.ts'
import { withPastTimes } from './past.ts'
import { believed, earliest, later, latest, POD_START_MS, waitIsLong } from './schedule.ts'
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
  /** What has fallen due and needs a turn, and since when it is due. */
  readonly wants: { readonly test?: Date; readonly run?: Date }
  /** The status to show, before the step is taken. */
  readonly status: Status
  /** When to look again if nothing changes before; undefined: never. */
  readonly wakeAt: Date | undefined
}

/** Judges what is observed. `standing`: whose turn it is, and what tests have spent. */
export function decide(observed: Observed, now: Date, standing: Standing): Decision {
  const { connector } = observed
  const recorded = withPastTimes(connector.status ?? statusSchema.parse({}), now)
  const known = takeUpRuns(observed, recorded, now)
  const given: Case = { observed, status: known, now, standing }
  const active = activeRun(given)
  const isIdle = active === undefined
  const { suspend } = connector.spec
  const testAt = suspend ? undefined : testDue(given, !isIdle)
  const runAt = suspend || !isIdle ? undefined : runDue(given)
  const giveUpAt = suspend || isIdle ? undefined : podMustRunBy(active, given)
  const lostTime = active && lostAt(active, observed.checkpoint?.holder, now)
  const mustTest = isDue(testAt, now)
  const mustRun = !mustTest && isDue(runAt, now)
  const mayRun = standing.mayRun && !observed.account.busy
  const isOver = { didNotStart: isDue(giveUpAt, now), isLost: isDue(lostTime, now) }
  const situation = { ...given, active, mustTest, mustRun, mayRun, ...isOver }

  const waits = mustRun && !mayRun ? (standing.runWaits ?? { since: now, for: 'Account' }) : undefined
  const toTell = [secretGraceEnds, reportIsLate, nextProgress].map((due) => due(given))
  const times = [testAt, runAt, giveUpAt, lostTime, waits && waitIsLong(waits), ...toTell]
  return {
    step: firstOf(STEPS, situation),
    wants: { ...(mustTest && { test: testAt }), ...(mustRun && { run: runAt }) },
    status: summarise(connector, withWait(known, waits, now), now),
    wakeAt: earliest(times.filter(isAfter(now))),
  }
}

/** What the rules look at. */
type Situation = Case & {
  /** The run under way. */
  readonly active: ObservedRun | undefined
  readonly mustTest: boolean
  readonly mustRun: boolean
  readonly mayRun: boolean
  /** The run under way has no pod that runs, and had its time. */
  readonly didNotStart: boolean
  /** The run under way is on a node that does not answer. */
  readonly isLost: boolean
}

type Rule = (situation: Situation) => Step | undefined

const suspendedRunStops: Rule = ({ observed, active }) =>
  observed.connector.spec.suspend && active !== undefined ? stop(active) : undefined

const dueTestGoes: Rule = ({ mustTest, standing }) => (mustTest && standing.mayTest ? { do: 'test' } : undefined)

const runThatDoesNotStartIsGivenUp: Rule = ({ active, didNotStart, now }) =>
  active !== undefined && didNotStart ? stop(active, notStarted(active, now)) : undefined

const lostRunIsGivenUp: Rule = ({ active, isLost, observed: { checkpoint }, now }) => {
  if (active === undefined || !isLost) return undefined
  // It may have ended well before its node could say so.
  return checkpoint?.report?.run === active.run ? stop(active) : stop(active, lostRun(active, now))
}

const outdatedRunStops: Rule = (situation) =>
  situation.active !== undefined && isOfAnOlderSpec(situation.active, situation) ? stop(situation.active) : undefined

const runUnderWayGoesOn: Rule = ({ active }) => (active === undefined ? undefined : nothing)

const dueRunStarts: Rule = (situation) =>
  situation.mustRun && situation.mayRun ? { do: 'start run', slot: nextSlot(situation) } : undefined

const oldJobIsPruned: Rule = ({ observed: { runs } }) => {
  const old = runs.filter((run) => run.state !== 'Active' && !run.deleting).at(-KEPT_JOBS - 1)
  return old && { do: 'prune run', run: old.run }
}

/** The rules, in the order in which they apply: the first that speaks is the step. */
const STEPS: readonly Rule[] = [
  suspendedRunStops,
  dueTestGoes,
  runThatDoesNotStartIsGivenUp,
  lostRunIsGivenUp,
  outdatedRunStops,
  runUnderWayGoesOn,
  dueRunStarts,
  oldJobIsPruned,
]

/** So many ended Jobs are kept, for their logs. */
const KEPT_JOBS = 3

function firstOf(rules: readonly Rule[], situation: Situation): Step {
  for (const rule of rules) {
    const step = rule(situation)
    if (step !== undefined) return step
  }
  return nothing
}

const nothing: Step = { do: 'nothing' }
const isDue = (time: Date | undefined, now: Date): time is Date => time !== undefined && time <= now
const isAfter = (now: Date) => (time: Date | undefined) => time !== undefined && time > now

/** Ends a run, once; `failure` is what becomes known of it. */
function stop({ run, deleting }: ObservedRun, failure?: LastRun): Step {
  if (deleting) return nothing
  return failure === undefined ? { do: 'stop run', run } : { do: 'stop run', run, failure }
}

/** Greater than any that was ever used, also where a status was lost: the checkpoint remembers its last holder. */
function nextSlot({ observed, status }: Case): number {
  return Math.max(status.sync?.lastSlot ?? 0, observed.checkpoint?.holder?.slot ?? 0) + 1
}

// A run under way.

/** The run that holds the turn: its Job has not ended, or is being deleted and its pods may still run. */
function activeRun({ observed: { runs, checkpoint }, status, now }: Case): ObservedRun | undefined {
  const holding = runs.filter((run) =>
    run.deleting
      ? !isLost(run, checkpoint?.holder, now) && (run.state === 'Active' || run.pods.some(isUnfinished))
      : run.state === 'Active',
  )
  return holding.find((run) => run.run === status.sync?.activeRun?.id) ?? holding.at(-1)
}

function podMustRunBy({ run, pods, creationTime }: ObservedRun, given: Case): Date | undefined {
  const {
    observed: { checkpoint },
    status,
    now,
  } = given
  const last = pods.at(-1)
  if (last !== undefined && last.phase !== 'Pending') return undefined
  // A run that lost its pod to a drain has begun: the next pod has its own five minutes.
  const { holder } = checkpoint ?? {}
  const begun = holder?.run === run ? believed(holder.renewTime, now) : undefined
  const made = believed(last?.creationTime ?? creationTime, now) ?? status.sync?.activeRun?.startTime
  const since = latest([made === undefined ? undefined : new Date(made), begun])
  return since && later(since, POD_START_MS)
}

/** Its orders are those of a spec that has changed, and the new one is known to be good: the next run goes on from here. */
function isOfAnOlderSpec({ generation }: ObservedRun, { observed: { connector }, status }: Case): boolean {
  return (
    generation < connector.metadata.generation &&
    status.connectionTest?.testedGeneration === connector.metadata.generation &&
    lastOutcome(status.connectionTest)?.kind === 'passed'
  )
}
