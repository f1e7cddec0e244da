/**
 * From what is observed to what is known: takes up runs into the status. It reads Jobs and the checkpoint only, so that
 * after any restart the same facts come out again.
 */
import { silentFrom } from './holder.ts'
import { isLost } from './lost.ts'
import type { Observed, ObservedRun, Wait } from './observed.ts'
import type { Progress, Report } from './run.ts'
import { believed, later, PROGRESS_MS, reportGraceMs, waitIsLong } from './schedule.ts'
import { isNewResync } from './schema.ts'
import type { LastRun, Status, StreamProgress, SyncStatus } from './status.ts'
import { plainText } from './text.ts'

/** The status with everything taken up that Jobs and checkpoint tell; `conditions` stay as they were. */
export function takeUpRuns(observed: Observed, status: Status, now: Date): Status {
  const begun = withStart(observed, status)
  if (begun.sync === undefined) return begun
  const sync = withProgress(observed, withEnd(observed, begun.sync, now), now)
  return sync === begun.sync ? begun : { ...begun, sync }
}

/** A Job of a slot that is not written down yet was started by us before we could write it. */
function withStart({ runs }: Observed, status: Status): Status {
  const newest = runs.at(-1)
  if (newest === undefined || newest.slot <= (status.sync?.lastSlot ?? 0)) return status
  return withStartedRun(status, newest)
}

/** The status with a run that was started. */
export function withStartedRun(
  status: Status,
  { run, slot, creationTime, requests, sinkSecret }: Omit<ObservedRun, 'generation' | 'state' | 'deleting' | 'pods'>,
): Status {
  const startTime = creationTime.toISOString()
  const { sinkSecret: _, ...sync } = status.sync ?? {}
  return {
    ...status,
    ...(requests.sync !== undefined && { lastHandledSyncRequest: requests.sync }),
    ...(requests.resync !== undefined && { lastHandledResyncRequest: requests.resync }),
    sync: {
      ...sync,
      ...(sinkSecret !== undefined && { sinkSecret }),
      lastSlot: slot,
      lastStartTime: startTime,
      ...(isNewResync(requests, status) && { resyncTime: startTime }),
      activeRun: { id: run, job: run, startTime },
    },
  }
}

/** The status with a run that waits for its turn, once that is long; a wait that is over is not told any more. */
export function withWait(status: Status, wait: Wait | undefined, now: Date): Status {
  const { waiting, ...sync } = status.sync ?? {}
  if (wait === undefined) return waiting === undefined ? status : { ...status, sync }
  if (waiting === undefined && waitIsLong(wait) > now) return status
  // A new leader's line begins anew, the wait does not.
  const since = waiting?.since ?? wait.since.toISOString()
  return { ...status, sync: { ...sync, waiting: { since, for: wait.for } } }
}

/** The active run's Job has ended, or is gone. */
function withEnd(observed: Observed, sync: SyncStatus, now: Date): SyncStatus {
  const { activeRun } = sync
  if (activeRun === undefined) return sync
  const run = observed.runs.find((one) => one.run === activeRun.id)
  const lost = run?.deleting === true && isLost(run, observed.checkpoint?.holder, now)
  if (run?.state === 'Active' && !lost) return sync
  const report = observed.checkpoint?.report
  const ownReport = report?.run === activeRun.id ? report : undefined
  const judgedAt = judgedWithoutReport(observed, activeRun.id, now)
  if (ownReport === undefined && judgedAt !== undefined && now < judgedAt) return sync
  const lastRun =
    lost && ownReport === undefined ? lostRun(run, now) : ended(activeRun.id, activeRun.startTime, run, ownReport, now)
  const { activeRun: _, ...rest } = sync
  return {
    ...rest,
    // That a run was stopped cures nothing: what the one before it failed for stays told.
    ...((lastRun.result !== 'Stopped' || sync.lastRun?.result !== 'Failed') && { lastRun }),
    ...(lastRun.result === 'Succeeded' ? { lastSuccessTime: lastRun.endTime } : {}),
    ...(ownReport === undefined ? {} : { streams: ownReport.streams.map(progressOf) }),
  }
}

/** When a run that has ended, or whose Job is gone, is judged though there is no report of it; undefined: now. */
export function judgedWithoutReport({ runs, checkpoint }: Observed, id: string, now: Date): Date | undefined {
  const run = runs.find((one) => one.run === id)
  if (run !== undefined) {
    const ended = run.endTime && believed(run.endTime, now)
    return ended && later(ended, reportGraceMs(run.state))
  }
  // Its pod may be stopping, and still write one.
  const { holder } = checkpoint ?? {}
  return holder?.run === id ? silentFrom(holder, now) : undefined
}

function ended(
  id: string,
  startTime: string,
  run: ObservedRun | undefined,
  report: Report | undefined,
  now: Date,
): LastRun {
  const common = {
    id,
    startTime,
    // Jobs and reports carry other machines' clocks; what is due next is counted by ours.
    endTime: notAfter(now, run?.endTime ?? new Date(report?.endTime ?? now)).toISOString(),
    records: report?.records ?? 0,
    requests: report?.requests ?? 0,
    throttled: report?.throttled ?? 0,
    ...(report !== undefined && {
      throttledSeconds: Math.round(report.throttledSeconds),
      late: sumOf(report, 'late'),
      rejected: sumOf(report, 'rejected'),
    }),
  }
  // Its own report counts more than its Job: one that was cut off at its deadline has published and says what is left.
  if (report !== undefined) {
    return { ...common, result: report.result, reason: report.reason, message: report.message }
  }
  if (run === undefined) return { ...common, result: 'Stopped' }
  const why = run.pods.at(-1)?.termination ?? run.failure ?? 'no reason given'
  const cure =
    why === 'OOMKilled' ? "raise its pod's memory limit (sync.resources of the chart)" : 'see the log of its pod'
  return {
    ...common,
    result: 'Failed',
    reason: 'RunFailed',
    message: `The run ended without a report (${short(why)}): ${cure}; the next run starts at the next interval.`,
  }
}

/** A run whose pod did not start in time, with the scheduler's or the kubelet's own reason. */
export function notStarted({ run, creationTime, pods }: ObservedRun, now: Date): LastRun {
  const why = pods.at(-1)?.waiting ?? 'no pod was created or scheduled: see the events of its Job'
  return { ...withoutReport(run, creationTime, now), message: `The run's pod did not start (${short(why)}): ${remedy}` }
}

/** A run whose node does not answer any more. */
export function lostRun({ run, creationTime }: Pick<ObservedRun, 'run' | 'creationTime'>, now: Date): LastRun {
  const message =
    "The node of the run's pod does not answer, or cannot end the pod: if that lasts, delete the node, or taint it node.kubernetes.io/out-of-service; the next run continues without the pod at the next interval."
  return { ...withoutReport(run, creationTime, now), reason: 'RunFailed', message }
}

/** A run whose Job, or what it needs, the API server refuses to create. */
export function refusedRun(run: string, why: string, now: Date): LastRun {
  // The name is another each time, the trouble is the same.
  const lasting = short(why.replaceAll(run, 'JOB'))
  return { ...withoutReport(run, now, now), message: `The API server rejected the run's Job (${lasting}): ${remedy}` }
}

const remedy = 'fix the cause; the next run starts at the next interval.'

function withoutReport(run: string, startTime: Date, now: Date): LastRun {
  return {
    id: run,
    startTime: startTime.toISOString(),
    endTime: now.toISOString(),
    result: 'Failed',
    reason: 'RunNotStarted',
    records: 0,
    requests: 0,
    throttled: 0,
  }
}

/** The status with a run that was given up as the last one. */
export function withFailedRun(status: Status, lastRun: LastRun): Status {
  const { activeRun: _, ...sync } = status.sync ?? {}
  return { ...status, sync: { ...sync, lastRun } }
}

/** A running run's progress, at most every 30 s: each is a write of the status. */
function withProgress({ connector, checkpoint }: Observed, sync: SyncStatus, now: Date): SyncStatus {
  const { activeRun } = sync
  if (activeRun === undefined || checkpoint?.holder?.run !== activeRun.id) return sync
  const { progress } = checkpoint
  if (progress === undefined || isTold(progress, activeRun)) return sync
  const last = activeRun.progressTime
  if (last !== undefined && now.getTime() - Date.parse(last) < PROGRESS_MS) return sync
  const streams = connector.spec.sync.streams.flatMap((name) => {
    const chain = checkpoint.streams[name]
    return chain === undefined ? [] : [progressOf({ ...chain, name })]
  })
  const { id, job, startTime } = activeRun
  const { sentence, percent, estimatedCompletionTime, waitingFor } = progress
  const told = { progress: sentence, percent, estimatedCompletionTime, waitingFor, progressTime: now.toISOString() }
  return { ...sync, activeRun: { id, job, startTime, ...told }, streams }
}

/** Whether a status tells of this progress already. An estimate that has moved alone is not worth a write. */
export function isTold({ sentence, waitingFor }: Progress, activeRun: SyncStatus['activeRun']): boolean {
  return sentence === activeRun?.progress && waitingFor === activeRun.waitingFor
}

function sumOf({ streams }: Report, count: 'late' | 'rejected'): number {
  return streams.reduce((sum, stream) => sum + stream[count], 0)
}

function progressOf({ name, records, newestRecordTime, complete }: StreamProgress): StreamProgress {
  return newestRecordTime === undefined ? { name, records, complete } : { name, records, newestRecordTime, complete }
}

const notAfter = (now: Date, time: Date) => (time > now ? now : time)

/** The cluster's own words, fit for one sentence. */
const short = (text: string) => plainText(text, 200)
