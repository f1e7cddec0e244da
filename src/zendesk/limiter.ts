/**
 * The budget: never more than the limit in any window, wherever it begins. A slot comes back one window after its
 * *response*, so that neither latency nor the server's idea of where a window begins can put two windows' requests into
 * one. It is ours, and not bottleneck, because that waits by the wall clock: stepped back by an hour, it sends nothing
 * for an hour.
 */
import type { Spent } from '../connector/run.ts'
import { createPacer, type Pace } from './pace.ts'

/** Clocks may drift a little apart within a window. */
const MARGIN_MS = 10

export type Allowance = {
  /** Never more than so many in any window. */
  readonly limit: number
  /** How they are spaced; undefined: slots go at once. */
  readonly pace: Pace | undefined
}

/** What the next in line waits for: a slot, its turn by the pace, or the end of a hold. */
export type Obstacle = {
  readonly why: 'slot' | 'pace' | 'hold'
  /** Until the next one goes. */
  readonly milliseconds: number
  /** The moment since which the one that waits longest does. */
  readonly since: number
}

export type Limiter = {
  /**
   * Runs `work`, which makes exactly one request, as soon as it may: first come, first served, after those that are
   * `urgent`. Rejects with the signal's reason.
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal, urgent?: boolean): Promise<T>
  /** Nothing goes for so long. */
  hold(milliseconds: number): void
  /** The allowance has changed. */
  look(): void
  /** Slots that are out: requests under way, and those answered within the last window. */
  out(): number
  /** Requests of the last window, by age; those under way count as made now. */
  spent(): Spent[]
  /** Forgets its timer; nothing may run any more. */
  stop(): void
}

export type LimiterOptions = {
  readonly windowMs: number
  /** Made by others before: they hold their slots until they are one window old. */
  readonly spent: readonly Spent[]
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
  /** What is allowed just now, asked for at each request. `out`: see Limiter. */
  readonly allowance: (out: number) => Allowance
  /** Told each time when it may have changed what the next in line waits for; undefined: nobody waits. */
  readonly onObstacle?: (obstacle: Obstacle | undefined) => void
}

type Waiter = { readonly begin: () => void; readonly since: number }

export function createLimiter(options: LimiterOptions): Limiter {
  const { windowMs, spent, monotonic, allowance, onObstacle } = options
  const start = monotonic()
  const ended = spent
    .map(({ secondsAgo, requests }) => ({ at: start - secondsAgo * 1000, requests }))
    .sort((a, b) => a.at - b.at)
  let underWay = 0
  let slots = ended.reduce((sum, { requests }) => sum + requests, 0)
  const urgents = new Set<Waiter>()
  const others = new Set<Waiter>()
  let heldUntil = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const backAt = (answeredAt: number) => answeredAt + windowMs + MARGIN_MS

  const out = (): number => {
    const now = monotonic()
    for (let [first] = ended; first !== undefined && backAt(first.at) <= now; [first] = ended) {
      ended.shift()
      slots -= first.requests
    }
    return slots
  }

  const atStart = allowance(out()).pace
  const pacer = createPacer(Math.max(0, (atStart?.burst ?? 0) - out()), windowMs, start)
  const isWaiting = () => urgents.size + others.size > 0
  const longest = () =>
    Math.min(...[urgents, others].flatMap((line) => [...line.values().take(1)].map(({ since }) => since)))

  const pass = () => {
    const { pace } = allowance(out())
    if (pace !== undefined) pacer.pass(pace, monotonic(), isWaiting())
  }

  const obstacle = (): Omit<Obstacle, 'since'> | undefined => {
    const now = monotonic()
    if (heldUntil > now) return { why: 'hold', milliseconds: heldUntil - now }
    const { limit, pace } = allowance(out())
    if (slots >= limit) {
      const [first] = ended
      return { why: 'slot', milliseconds: first === undefined ? windowMs : backAt(first.at) - now }
    }
    const milliseconds = pace === undefined ? 0 : pacer.untilNext(pace)
    return milliseconds > 0 ? { why: 'pace', milliseconds } : undefined
  }

  const look = () => {
    clearTimeout(timer)
    if (stopped) return
    pass()
    for (const line of [urgents, others]) {
      for (const waiter of line) {
        const found = obstacle()
        if (found !== undefined) {
          timer = setTimeout(look, Math.ceil(found.milliseconds))
          onObstacle?.({ ...found, since: longest() })
          return
        }
        line.delete(waiter)
        if (allowance(slots).pace !== undefined) pacer.take()
        underWay += 1
        slots += 1
        waiter.begin()
      }
    }
    onObstacle?.(undefined)
  }

  const slot = (signal: AbortSignal, urgent: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const line = urgent ? urgents : others
      const leave = () => {
        line.delete(waiter)
        reject(signal.reason)
        look()
      }
      const begin = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const waiter = { begin, since: monotonic() }
      signal.addEventListener('abort', leave, { once: true })
      pass()
      line.add(waiter)
      look()
    })

  return {
    run: async (work, signal, urgent = false) => {
      await slot(signal, urgent)
      try {
        return await work()
      } finally {
        underWay -= 1
        ended.push({ at: monotonic(), requests: 1 })
        look()
      }
    },
    hold: (milliseconds) => {
      heldUntil = Math.max(heldUntil, monotonic() + milliseconds)
      look()
    },
    look,
    out,
    spent: () => {
      out()
      const now = monotonic()
      const byAge = new Map<number, number>()
      if (underWay > 0) byAge.set(0, underWay)
      for (const { at, requests } of ended) {
        const age = Math.max(0, Math.floor((now - at) / 1000))
        byAge.set(age, (byAge.get(age) ?? 0) + requests)
      }
      return [...byAge].map(([secondsAgo, requests]) => ({ secondsAgo, requests }))
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
