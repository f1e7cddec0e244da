/** Keys of what was published lately, so that nothing is published twice. */

export type Recent = {
  has(key: string): boolean
  /** Remembers a key; `time` is the record's, in ms. */
  add(key: string, time: number): void
  /** What is older than this, in ms, need not be remembered any more. */
  forget(before: number): void
  /** The last `count` keys, oldest first. */
  last(count: number): string[]
}

/** Remembers everything until told to forget it. */
export function recentByTime(): Recent {
  const times = new Map<string, number>()
  let pruneAt = 1000
  return {
    has: (key) => times.has(key),
    add: (key, time) => void times.set(key, time),
    forget: (before) => {
      if (times.size <= pruneAt || before === Number.NEGATIVE_INFINITY) return
      for (const [key, time] of times) if (time < before) times.delete(key)
      pruneAt = Math.max(1000, times.size * 2)
    },
    last: (count) => [...times.keys()].slice(-count),
  }
}

/** Remembers the last `most` keys, and up to as many before them. */
export function recentByCount(most: number): Recent {
  // Two generations: taking single keys out at the front of a Set gets slower with each that is gone.
  let older = new Set<string>()
  let younger = new Set<string>()
  return {
    has: (key) => younger.has(key) || older.has(key),
    add: (key) => {
      if (younger.size >= most) {
        older = younger
        younger = new Set()
      }
      younger.add(key)
    },
    forget: () => {},
    last: (count) => [...older, ...younger].slice(-count),
  }
}
