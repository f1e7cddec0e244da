/** Keys of what was published lately, so that nothing is published twice. Bounded. */

export type Recent = {
  has(key: string): boolean
  /** Remembers a key; `time` is the record's, in ms. */
  add(key: string, time: number): void
  /** The last `count` keys, oldest first. */
  last(count: number): string[]
}

/** Remembers what is at most `spanMs` older than the newest. */
export function recentBySpan(spanMs: number): Recent {
  const times = new Map<string, number>()
  let newest = Number.NEGATIVE_INFINITY
  let pruneAt = 1000
  const prune = () => {
    for (const [key, time] of times) if (time < newest - spanMs) times.delete(key)
    pruneAt = Math.max(1000, times.size * 2)
  }
  return {
    has: (key) => times.has(key),
    add: (key, time) => {
      times.set(key, time)
      newest = Math.max(newest, time)
      if (times.size > pruneAt) prune()
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
    last: (count) => [...older, ...younger].slice(-count),
  }
}
