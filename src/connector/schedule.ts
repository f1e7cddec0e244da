/** When things fall due. All pure: times come in, times go out. */

const SECOND = 1000
const MINUTE = 60 * SECOND

/** When something is due that somebody has just asked for, by a change or in so many words: before all else. */
export const AT_ONCE = new Date(0)

/** Waits after the first, second, … test without an answer; the last one repeats. */
const RETRY_MS = [10 * SECOND, 30 * SECOND, 1 * MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 15 * MINUTE]

/** A Secret may be on its way (External Secrets): so long it is waited for, not called missing for good. */
export const SECRET_GRACE_MS = 5 * MINUTE
/** A pod that is not running by then loses its turn. */
export const POD_START_MS = 5 * MINUTE
/**
 * Job and checkpoint are watched apart: a report may be seen this much later than the end of its Job. One that ended well
 * has left a report for certain, which may take as long as a watch that must be opened again.
 */
export const reportGraceMs = (ended: 'Active' | 'Succeeded' | 'Failed') =>
  ended === 'Succeeded' ? 2 * MINUTE : 5 * SECOND
/** Progress of a run is written to the status at most this often. */
export const PROGRESS_MS = 30 * SECOND
/** A run that has waited for its turn for so long says so. */
const TELL_WAIT_MS = 30 * SECOND
/** Rates are per minute, wherever it begins. */
export const WINDOW_MS = MINUTE
/** The most requests that one connection test makes: for a token, two for who we are, and one for each of nine streams. */
export const MOST_PER_TEST = 12
/** A run gives way after this long. */
export const SLICE_SECONDS = 3600
/** What a run's Job allows beyond that: for a pod that is drained late, and starts anew. */
export const SLICE_GRACE_SECONDS = 900
/** No run lasts longer: the deadline of its Job, and what those may take who enforce it. */
export const LONGEST_RUN_MS = (SLICE_SECONDS + SLICE_GRACE_SECONDS) * SECOND + 10 * MINUTE
/** A pod whose last renewal of the checkpoint is older than this sends no request. */
export const HOLD_MS = 15 * SECOND
/**
 * A pod that is still there so long after it should have been gone is on a node that does not answer, and sends nothing any
 * more even if that comes back: the API server takes no token of a pod 60 s after its deletionTimestamp (k8s.io/kubernetes,
 * pkg/serviceaccount/claims.go), which it may have cached for 10 s, and what was renewed last ends HOLD_MS later.
 */
export const LOST_MS = MINUTE + 10 * SECOND + HOLD_MS + 5 * SECOND

/** When it is worth telling that a run waits for its turn. */
export function waitIsLong({ since }: { readonly since: Date }): Date {
  return later(since, TELL_WAIT_MS)
}

/**
 * A time that somebody recorded; undefined: it lies further ahead than clocks are apart, so that a wrong clock wrote it, or no
 * honest hand. Nothing may wait until it has come.
 */
export function believed(time: string | Date, now: Date): Date | undefined {
  const recorded = new Date(time)
  return recorded > later(now, HOLD_MS) ? undefined : recorded
}

export function later(time: string | Date, milliseconds: number): Date {
  return new Date(new Date(time).getTime() + milliseconds)
}

/** The earliest of some times; undefined when there is none. */
export function earliest(times: readonly (Date | undefined)[]): Date | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : new Date(Math.min(...known.map(Number)))
}

/** The latest of some times; undefined when there is none. */
export function latest(times: readonly (Date | undefined)[]): Date | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : new Date(Math.max(...known.map(Number)))
}

/** Milliseconds after the `failures`-th test in a row without an answer (1, 2, …). */
export function retryAfterMs(failures: number): number {
  return RETRY_MS[Math.min(Math.max(failures, 1), RETRY_MS.length) - 1] ?? 15 * MINUTE
}

/**
 * An interval drawn out by up to a tenth, always the same for one uid: so connectors made together do not stay
 * together, and a restarted operator finds the same due times.
 */
export function spread(uid: string, intervalMs: number): number {
  let hash = 2166136261
  for (let index = 0; index < uid.length; index += 1) hash = Math.imul(hash ^ uid.charCodeAt(index), 16777619)
  return intervalMs * (1 + (hash >>> 0) / 2 ** 32 / 10)
}
