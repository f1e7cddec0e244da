/**
 * The run that holds a checkpoint, seen by those who come after it: when it is silent, and what of the account's budget it
 * may have spent. What the operator decides by and what a run begins with are the same rules.
 */
import type { Books } from './observed.ts'
import type { Spending, Spent } from './run.ts'
import { believed, HOLD_MS, later, WINDOW_MS } from './schedule.ts'

type Holder = Books['holder']

/** From when on a holder that died, or was cut off, sends no request any more; undefined: it sends none now. */
export function silentFrom(holder: Holder, now: Date): Date | undefined {
  const renewed = holder?.released === false ? believed(holder.renewTime, now) : undefined
  return renewed && later(renewed, HOLD_MS)
}

/**
 * Requests of the last minute, by age: to the request when the holder ended cleanly; else `all`, what can be spent in a
 * minute, at the latest moment at which it may have sent something.
 */
export function spentBy({ holder, budget }: Books, all: readonly Spending[], now: Date): Spent[] {
  // A clock that is behind makes nothing younger than it was.
  const secondsSince = (time: Date) => Math.max(0, (now.getTime() - time.getTime()) / 1000)
  const spent =
    holder?.released === false
      ? all.map((one) => ({ ...one, secondsAgo: secondsSince(later(holder.renewTime, HOLD_MS)) }))
      : (budget?.spent ?? []).map((one) => ({
          ...one,
          secondsAgo: one.secondsAgo + secondsSince(new Date(budget?.at ?? now)),
        }))
  return spent.filter(({ secondsAgo }) => secondsAgo * 1000 < WINDOW_MS)
}
