/** What the run before may have spent of the last minute's budget. */
import type { Checkpoint, Spent } from '../connector/run.ts'
import { HOLD_MS, WINDOW_MS } from '../connector/schedule.ts'
import { fullySpent } from '../zendesk/limits.ts'

/** How long, in ms, the holder before may still send requests: it died without a word, or only seems to have died. */
export function stillSending(found: Checkpoint | undefined, now: Date): number {
  const holder = found?.holder
  if (holder === undefined || holder.released) return 0
  return Math.min(HOLD_MS, Math.max(0, Date.parse(holder.renewTime) + HOLD_MS - now.getTime()))
}

/**
 * Requests of the last minute: to the request when the run before ended cleanly, else its last minute counts as fully
 * spent at the latest moment at which it may have sent something.
 */
export function spentBefore(found: Checkpoint | undefined, now: Date, requestsPerMinute: number): Spent[] {
  const holder = found?.holder
  if (found === undefined || holder === undefined) return []
  const secondsSince = (time: number) => Math.max(0, (now.getTime() - time) / 1000)
  const spent = holder.released
    ? (found.budget?.spent ?? []).map((one) => ({
        ...one,
        secondsAgo: one.secondsAgo + secondsSince(Date.parse(found.budget?.at ?? '')),
      }))
    : fullySpent(secondsSince(Date.parse(holder.renewTime) + HOLD_MS), requestsPerMinute)
  return spent.filter(({ secondsAgo }) => secondsAgo * 1000 < WINDOW_MS)
}
