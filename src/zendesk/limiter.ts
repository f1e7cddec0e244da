/**
 * The budget: never more than `limit` requests in any window, wherever it begins. A slot comes back one window after
 * its *response*, so that neither latency nor the server's idea of where a window begins can put two windows' requests
 * into one. Bottleneck counts the slots; its own refresh is not used (it bursts at window edges; see docs/design.md).
 */
import Bottleneck from 'bottleneck'
import type { Spent } from '../connector/run.ts'

/** Timers may fire a little early by another clock than their own. */
const MARGIN_MS = 10

export type Limiter = {
  /** Runs `work`, which makes exactly one request, as soon as there is a slot. Rejects with the signal's reason. */
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
  readonly maxConcurrent: number
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
}

export function createLimiter({ limit, windowMs, spent, maxConcurrent, monotonic }: LimiterOptions): Limiter {
  const timers = new Set<NodeJS.Timeout>()
  /** Requests whose slots are out: when the response came (undefined: under way) and how many. */
  const out = new Set<{ endedAt: number | undefined; requests: number }>()

  const giveBack = (entry: { endedAt: number | undefined; requests: number }, afterMs: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      out.delete(entry)
      void slots.incrementReservoir(entry.requests)
    }, afterMs)
    timers.add(timer)
  }

  const recent = spent.filter((one) => one.requests > 0 && one.secondsAgo * 1000 < windowMs)
  const slots = new Bottleneck({
    reservoir: limit - recent.reduce((sum, one) => sum + one.requests, 0),
    maxConcurrent,
  })
  for (const { secondsAgo, requests } of recent) {
    const entry = { endedAt: monotonic() - secondsAgo * 1000, requests }
    out.add(entry)
    giveBack(entry, windowMs - secondsAgo * 1000 + MARGIN_MS)
  }

  const inSlot = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    const entry: { endedAt: number | undefined; requests: number } = { endedAt: undefined, requests: 1 }
    if (signal.aborted) {
      await slots.incrementReservoir(1)
      throw signal.reason
    }
    out.add(entry)
    try {
      return await work()
    } finally {
      entry.endedAt = monotonic()
      giveBack(entry, windowMs + MARGIN_MS)
    }
  }

  return {
    run: (work, signal) =>
      orAborted(
        slots.schedule(() => inSlot(work, signal)),
        signal,
      ),
    spent: () => {
      const now = monotonic()
      const secondsAgo = (endedAt: number | undefined) =>
        endedAt === undefined ? 0 : Math.max(0, Math.floor((now - endedAt) / 1000))
      const byAge = new Map<number, number>()
      for (const { endedAt, requests } of out) {
        const age = secondsAgo(endedAt)
        byAge.set(age, (byAge.get(age) ?? 0) + requests)
      }
      return [...byAge].map(([age, requests]) => ({ secondsAgo: age, requests }))
    },
    stop: () => {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

/** The promise, or a rejection with the signal's reason as soon as it is aborted. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined)
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
