/**
 * Courtesy to the other clients of an account: what they use is estimated from what Zendesk's answers say is left, and
 * we take what they leave. Every estimate is a lower bound of what others have sent, whether Zendesk's window is fixed
 * or slides and however many requests of ours are under way: alone we take all. Pure: time and observations come in.
 */

/** What an answer says of a limit: requests allowed in a window, and how many of them are left. */
export type Stated = { readonly total: number; readonly remaining: number }

/** Our own books at the moment a request is sent, itself included. `out`: as the limiter counts it. */
export type Mark = {
  readonly at: number
  readonly sent: number
  readonly answered: number
  readonly refused: number
  readonly out: number
}

export type Courtesy = {
  /** A request is being sent. */
  sends(out: number, now: number): Mark
  /**
   * It has ended: with an answer that states the limit or without one. `refusedMs`: this limit refused it, which Zendesk
   * does not count (I), and asked to wait for so long.
   */
  ended(mark: Mark, stated: Stated | undefined, refusedMs: number | undefined, now: number): void
  /** The limit as last stated; undefined before. */
  total(): number | undefined
  /** Requests of others in a window, as far as they are known; 0: we are alone. */
  others(): number
}

/** A stretch is projected to a whole window once it is so long, in windows: shorter ones are all chance. */
const SHORTEST = 1 / 10

type Seen = Mark & { readonly used: number; readonly wasRefused: boolean; readonly answeredAt: number }

export function createCourtesy(windowMs: number): Courtesy {
  let sent = 0
  let answered = 0
  let refused = 0
  let total: number | undefined
  let refusedAt: number[] = []
  /** The last answer in an order that is certain: its request was sent after the one before was answered. */
  let last: Seen | undefined
  /** The first answer since Zendesk's count last went down. */
  let anchor: Seen | undefined
  /** Others in a window, by what came since the anchor. */
  let current = 0
  const known = createGreatest(windowMs)

  /** All that Zendesk has counted and that cannot be ours. In a fixed window that has just begun it is far too few. */
  const foreign = (seen: Seen): number => {
    const refusedOut = refusedAt.filter((at) => at > seen.at - windowMs).length
    return seen.used - (seen.out + (sent - seen.sent) - refusedOut)
  }

  /** What was counted between two answers and cannot be ours. */
  const foreignSince = (from: Seen, seen: Seen): number => {
    const ours = sent - from.answered - (refused - from.refused) - (from.wasRefused ? 0 : 1)
    return seen.used - from.used - ours
  }

  const follow = (seen: Seen) => {
    if (last !== undefined && seen.at < last.answeredAt) return
    if (anchor === undefined || last === undefined || seen.used < last.used) {
      if (last !== undefined) known.add(last.answeredAt, current)
      anchor = seen
      current = 0
    }
    const elapsed = seen.answeredAt - anchor.at
    if (elapsed >= windowMs * SHORTEST) current = (foreignSince(anchor, seen) * windowMs) / elapsed
    last = seen
  }

  const others = () => Math.max(0, current, known.value())

  return {
    sends: (out, now) => {
      sent += 1
      return { at: now, sent, answered, refused, out }
    },
    ended: (mark, stated, refusedMs, now) => {
      const wasRefused = refusedMs !== undefined
      answered += 1
      refusedAt = refusedAt.filter((at) => at > now - 2 * windowMs)
      if (wasRefused) {
        refused += 1
        refusedAt.push(now)
      }
      if (stated === undefined) return
      total = stated.total
      const seen = { ...mark, used: stated.total - stated.remaining, wasRefused, answeredAt: now }
      known.add(now, foreign(seen))
      follow(seen)
      // What others were refused shows nowhere: they have all of it until a window has passed in which there was room.
      if (stated.remaining === 0 && others() > 0) known.add(now + (refusedMs ?? 0), stated.total)
    },
    total: () => total,
    others,
  }
}

/** The greatest of the values of the last window, by when the last of them came; 0: none was positive. */
function createGreatest(windowMs: number) {
  let held: { readonly at: number; readonly value: number }[] = []
  return {
    add: (now: number, value: number) => {
      held = held.filter((one) => one.at > now - windowMs && one.value > value)
      if (value > 0) held.push({ at: now, value })
    },
    value: () => held[0]?.value ?? 0,
  }
}
