/**
 * Time as the API server has it, heard from the dates of its answers and carried on by a clock that never jumps. What
 * falls due is reckoned from times that the API server wrote (when a Job was created, when it ended), so a machine whose
 * own clock is wrong, or is put right under us, must not take a run of a second ago for one of an hour ago.
 */

export type ServerClock = {
  /** The local time until an answer was heard. */
  now(): Date
  /** Takes the `Date` of an answer to what was sent at `sentMs` by the monotonic clock; of no use: it is passed over. */
  heard(date: unknown, sentMs: number): void
}

/** Dates of HTTP are cut to the second. */
const PRECISION_MS = 1000

export function createServerClock(monotonicMs: () => number, local: Date): ServerClock {
  let offset = local.getTime() - monotonicMs()
  return {
    now: () => new Date(offset + monotonicMs()),
    heard: (date, sentMs) => {
      const told = typeof date === 'string' ? Date.parse(date) : Number.NaN
      if (Number.isNaN(told)) return
      const here = monotonicMs()
      // It was that time at some moment since then: what fits is left alone, so that small errors do not make it jitter.
      const earliest = told - here
      const latest = told + PRECISION_MS - sentMs
      offset = Math.min(Math.max(offset, earliest), latest)
    },
  }
}
