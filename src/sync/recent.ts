/** Keys of what was published lately, so that nothing is published twice. */
import { hashSet } from './hash-set.ts'

export type Recent = {
  has(key: string): boolean
  /** Remembers a key; `time` is the record's, in ms. */
  add(key: string, time: number): void
  /** What is older than this, in ms, need not be remembered any more. */
  forget(before: number): void
  /** The last `count` keys, oldest first. */
  last(count: number): string[]
  /** Whether a record of this id is among them; only a snapshot must tell. */
  readonly hasId?: (id: string) => boolean
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

/** As texts a snapshot remembers no more than a checkpoint keeps of them. */
const TEXTS = 1000

/** Remembers every key, and the id in it: a million of them take 34 MB, where texts would take 200. */
export function recentOfSnapshot(): Recent {
  const keys = hashSet()
  const ids = hashSet()
  const texts = recentByCount(TEXTS)
  return {
    has: keys.has,
    add: (key) => {
      keys.add(key)
      ids.add(idIn(key))
      texts.add(key, 0)
    },
    forget: () => {},
    last: (count) => texts.last(Math.min(count, TEXTS)),
    hasId: ids.has,
  }
}

/** The id in a key of a snapshot, such as `12/360000000001/9f86d081884c7d65`. */
export function idIn(key: string): string {
  return key.slice(key.indexOf('/') + 1, key.lastIndexOf('/'))
}
