import type { Clock } from './clock.ts'

/** What a window allows. */
export type Limit = { readonly kind: 'fixed' | 'sliding'; readonly requests: number; readonly windowMs: number }

/** The answer for one request. */
export type Verdict = {
  readonly allowed: boolean
  readonly total: number
  readonly remaining: number
  /** Whole seconds, rounded up, until there is room again (fixed: all of it; sliding: one request). */
  readonly resets: number
}

/** Counts requests in a window by the simulator's clock. A refused request takes nothing. */
export type Limiter = { take(requests?: number): Verdict }

/** A fixed window begins at each multiple of its length, as "per minute" does; a sliding one looks back from now. */
export function createLimiter(limit: Limit, clock: Clock): Limiter {
  let window = -1
  let used = 0
  // Times of the accepted requests of a sliding window; `oldest` walks forward so that nothing is shifted each time.
  let times: number[] = []
  let oldest = 0

  function forget(now: number): void {
    if (limit.kind === 'fixed') {
      const current = Math.floor(now / limit.windowMs)
      if (current !== window) used = 0
      window = current
      return
    }
    for (;;) {
      const first = times[oldest]
      if (first === undefined || now - first < limit.windowMs) break
      oldest++
    }
    if (oldest > 10_000) {
      times = times.slice(oldest)
      oldest = 0
    }
    used = times.length - oldest
  }

  function untilRoom(now: number): number {
    const freeAt = limit.kind === 'fixed' ? (window + 1) * limit.windowMs : (times[oldest] ?? now) + limit.windowMs
    return Math.max(1, Math.ceil((freeAt - now) / 1000))
  }

  return {
    take(requests = 1) {
      const now = clock.now()
      forget(now)
      const allowed = used + requests <= limit.requests
      if (allowed) {
        used += requests
        if (limit.kind === 'sliding') for (let count = 0; count < requests; count++) times.push(now)
      }
      return { allowed, total: limit.requests, remaining: Math.max(0, limit.requests - used), resets: untilRoom(now) }
    },
  }
}
