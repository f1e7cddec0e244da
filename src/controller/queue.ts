/**
 * A queue of keys: each key is worked on by one worker at a time, a key added while it is worked on is worked on once
 * more, a key that fails comes back after a growing wait. It holds keys, never objects: whoever works looks afresh.
 */

export type Queue = {
  /** Work on `key` as soon as a worker is free. */
  add(key: string): void
  /** Ends when all work under way has ended; nothing new is begun. */
  drain(): Promise<void>
}

export type QueueOptions = {
  readonly workers: number
  /** Works on a key; resolves with when to come back (the past: at once; undefined: when it is added again). */
  readonly work: (key: string) => Promise<Date | undefined>
  readonly onError: (key: string, error: unknown, retryMs: number) => void
  readonly now: () => Date
  /** From [0, 1). */
  readonly random: () => number
}

const FIRST_RETRY_MS = 500
const MOST_RETRY_MS = 5 * 60_000
/** setTimeout takes no longer wait; who wakes too early finds nothing due and sleeps again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export function createQueue({ workers, work, onError, now, random }: QueueOptions): Queue {
  const waiting = new Set<string>()
  const busy = new Set<string>()
  const timers = new Map<string, NodeJS.Timeout>()
  const failures = new Map<string, number>()
  const running = new Set<Promise<void>>()
  let draining = false

  const add = (key: string) => {
    if (draining) return
    clearTimeout(timers.get(key))
    timers.delete(key)
    waiting.add(key)
    next()
  }

  const addAt = (key: string, waitMs: number) => {
    if (draining || waiting.has(key)) return
    clearTimeout(timers.get(key))
    timers.set(
      key,
      setTimeout(() => add(key), Math.min(Math.max(waitMs, 0), LONGEST_TIMER_MS)),
    )
  }

  const next = () => {
    for (const key of waiting) {
      if (busy.size >= workers) return
      if (busy.has(key)) continue
      waiting.delete(key)
      busy.add(key)
      const one = workOn(key).finally(() => {
        running.delete(one)
        busy.delete(key)
        if (!draining) next()
      })
      running.add(one)
    }
  }

  const workOn = async (key: string) => {
    try {
      const wakeAt = await work(key)
      failures.delete(key)
      if (wakeAt !== undefined) addAt(key, wakeAt.getTime() - now().getTime())
    } catch (error) {
      const failed = failures.get(key) ?? 0
      failures.set(key, failed + 1)
      const mostMs = Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** failed)
      const retryMs = Math.round(mostMs / 2 + (random() * mostMs) / 2)
      onError(key, error, retryMs)
      addAt(key, retryMs)
    }
  }

  return {
    add,
    drain: async () => {
      draining = true
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
      await Promise.allSettled(running)
    },
  }
}
