/**
 * What to do next with one connector: the specification of the operator, a function of what is observed and of the time.
 * When each thing falls due stands in due.ts, what the status says in summary.ts.
 */
import { type Case, nextProgress, reportIsLate, runDue, secretGraceEnds, testDue } from './due.ts'
import { notStarted, takeUpRuns, withWait } from './facts.ts'
import type { Observed, ObservedRun, Standing } from './observed.ts'
import { lastOutcome } from './outcome.ts'
import { earliest, later, latest, POD_START_MS, waitIsLong } from './schedule.ts'
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

/** So many ended Jobs are kept, for their logs. */
const KEPT_JOBS = 3

/** Judges what is observed. `standing`: whose turn it is, and what tests have spent. */
export function decide(observed: Observed, now: Date, standing: Standing): Decision {
  const { connector } = observed
  const { suspend } = connector.spec
  const known = takeUpRuns(observed, connector.status ?? statusSchema.parse({}), now)
  const given: Case = { observed, status: known, now, standing }
  const active = activeRun(given)
  const testAt = suspend ? undefined : testDue(given, active !== undefined)
  const runAt = suspend || active !== undefined ? undefined : runDue(given)
  const giveUpAt = suspend || active === undefined ? undefined : podMustRunBy(active, given)
  const mustTest = isDue(testAt, now)
  const mustRun = !mustTest && isDue(runAt, now)
  const mayRun = standing.mayRun && !observed.account.busy

  const step = (): Step => {
    if (active !== undefined && suspend) return stop(active)
    if (mustTest && standing.mayTest) return { do: 'test' }
    if (active !== undefined) {
      if (isDue(giveUpAt, now)) return stop(active, notStarted(active, now))
      return isOfAnOlderSpec(active, given) ? stop(active) : nothing
    }
    if (mustRun && mayRun) return { do: 'start run', slot: nextSlot(given) }
    return prune(observed.runs)
  }
  const waits = mustRun && !mayRun ? (standing.runWaits ?? { since: now, for: 'Account' }) : undefined
  const status = withWait(known, waits, now)
  const others = [secretGraceEnds, reportIsLate, nextProgress].map((due) => due(given))
  return {
    step: step(),
    wants: { ...(mustTest && { test: testAt }), ...(mustRun && { run: runAt }) },
    status: summarise(connector, status, now),
    wakeAt: earliest([testAt, runAt, giveUpAt, waits && waitIsLong(waits), ...others].filter(isAfter(now))),
  }
}

const nothing: Step = { do: 'nothing' }
const isDue = (time: Date | undefined, now: Date): time is Date => time !== undefined && time <= now
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
