/**
 * The budget: never more than `limit` requests in any window, wherever it begins. A slot comes back one window after
 * its *response*, so that neither latency nor the server's idea of where a window begins can put two windows' requests
 * into one. It is ours, and not bottleneck, because that waits by the wall clock: stepped back by an hour, it sends
 * nothing for an hour.
 */
import type { Spent } from '../connector/run.ts'

/** Timers may fire a little early by another clock than their own. */
const MARGIN_MS = 10

export type Limiter = {
  /** Runs `work`, which makes exactly one request, as soon as there is a slot: first come, first served. Rejects with the signal's reason. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** Requests of the last window, by age; those under way count as made now. */
  spent(): Spent[]
  /** Forgets all timers; nothing may run any more. */
  stop(): void
}

export type LimiterOptions = {
  readonly limit: number
  readonly windowMs: number
  /** Made by others before: they hold their slots until they are one window old. */
  readonly spent: readonly Spent[]
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
}

/** Slots that are out. `endedAt`: when the response came; undefined while the request is under way. */
type Out = { readonly requests: number; endedAt: number | undefined }

export function createLimiter({ limit, windowMs, spent, monotonic }: LimiterOptions): Limiter {
  const out = new Set<Out>()
  const waiting = new Set<() => void>()
  const timers = new Set<NodeJS.Timeout>()
  let free = limit
  let stopped = false

  const next = () => {
    for (const begin of waiting) {
      if (free <= 0) return
      waiting.delete(begin)
      free -= 1
      begin()
    }
  }

  const comesBack = (slots: Out, afterMs: number) => {
    if (stopped) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      out.delete(slots)
      free += slots.requests
      next()
    }, afterMs)
    timers.add(timer)
  }

  for (const { secondsAgo, requests } of spent) {
    const ageMs = secondsAgo * 1000
    if (ageMs >= windowMs) continue
    const slots = { requests, endedAt: monotonic() - ageMs }
    free -= requests
    out.add(slots)
    comesBack(slots, windowMs - ageMs + MARGIN_MS)
  }

  const slot = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const leave = () => {
        waiting.delete(begin)
        reject(signal.reason)
      }
      const begin = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      signal.addEventListener('abort', leave, { once: true })
      waiting.add(begin)
      next()
    })

  return {
    run: async (work, signal) => {
      await slot(signal)
      const mine: Out = { requests: 1, endedAt: undefined }
      out.add(mine)
      try {
        return await work()
      } finally {
        mine.endedAt = monotonic()
        comesBack(mine, windowMs + MARGIN_MS)
      }
    },
    spent: () => {
      const now = monotonic()
      const byAge = new Map<number, number>()
      for (const { endedAt = now, requests } of out) {
        const age = Math.max(0, Math.floor((now - endedAt) / 1000))
        byAge.set(age, (byAge.get(age) ?? 0) + requests)
      }
      return [...byAge].map(([secondsAgo, requests]) => ({ secondsAgo, requests }))
    },
    stop: () => {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
