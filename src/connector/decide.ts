/**
 * What to do next with one connector: the specification of the operator, a function of what is observed and of the time.
 * When each thing falls due stands in due.ts, what the status says in summary.ts.
 */
import { type Case, nextProgress, reportIsLate, runDue, secretGraceEnds, testDue } from './due.ts'
import { notStarted, takeUpRuns } from './facts.ts'
import type { Observed, ObservedRun } from './observed.ts'
import { lastOutcome } from './outcome.ts'
import type { Spent } from './run.ts'
import { earliest, later, latest, POD_START_MS } from './schedule.ts'
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

/** So many ended Jobs are kept, for their logs. */
const KEPT_JOBS = 3

/** `spentByTests`: what tests have spent of the account's budget in the last minute. */
export function decide(observed: Observed, now: Date, spentByTests: readonly Spent[] = []): Decision {
  const { connector } = observed
  const known = takeUpRuns(observed, connector.status ?? statusSchema.parse({}), now)
  const given: Case = { observed, status: known, now, spentByTests }
  const active = activeRun(given)
  const testAt = testDue(given, active === undefined)
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
