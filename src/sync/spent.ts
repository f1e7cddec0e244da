/** What the run before may have spent of the last minute's budget. */
import { spentBy } from '../connector/holder.ts'
import type { Checkpoint, Spent } from '../connector/run.ts'
import { HOLD_MS } from '../connector/schedule.ts'
import { fullySpent } from '../zendesk/limits.ts'

/** How long, in ms, the holder before may still send requests: it died without a word, or only seems to have died. */
export function stillSending(found: Checkpoint | undefined, now: Date): number {
  const holder = found?.holder
  if (holder === undefined || holder.released) return 0
  // Asked once only: also of a wrong clock's renewal, far ahead, the full wait is taken.
  return Math.min(HOLD_MS, Math.max(0, Date.parse(holder.renewTime) + HOLD_MS - now.getTime()))
}

/** Requests of the last minute that the run before has made, or may have made. */
export function spentBefore(found: Checkpoint | undefined, now: Date, requestsPerMinute: number): Spent[] {
  return spentBy(found ?? {}, fullySpent(requestsPerMinute), now)
}
