/**
 * Records in the order (second, id) without a list of them all: a base whose keys are computed from an index and rise
 * with it, plus a sorted list of the few that were added or changed, minus the base records these replace. A million
 * records cost nothing until somebody changes them.
 */

/** Where a record stands: its second since 1970, then its id. */
export type Key = { readonly at: number; readonly id: bigint }

/** The part that is computed; `keyAt` must rise with the index. */
export type Base = { readonly count: number; keyAt(index: number): Key }

/** An index of the base, or an entry of the overlay. */
export type Found<T extends Key> =
  | { readonly key: Key; readonly index: number }
  | { readonly key: T; readonly entry: T }

/** Base plus overlay, walked in either direction. */
export type Timeline<T extends Key> = {
  insert(entry: T): void
  remove(entry: T): void
  /** Takes a base record out: from now on an entry stands for it. */
  hide(index: number): void
  /** Everything after this key (exclusive), oldest first. */
  ascending(after: Key): Generator<Found<T>>
  /** Everything before this key (exclusive), newest first. */
  descending(before: Key): Generator<Found<T>>
}

/** Negative when `left` comes first. */
export function compareKeys(left: Key, right: Key): number {
  return left.at - right.at || (left.id < right.id ? -1 : left.id > right.id ? 1 : 0)
}

/** The place before every record of that second, whatever their ids. */
export function beginningOf(second: number): Key {
  return { at: second, id: -1n }
}

/** How many of the first `count` positions stand before `key`, or at it when `inclusive`. */
function position(count: number, keyAt: (index: number) => Key, key: Key, inclusive: boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareKeys(keyAt(middle), key)
    if (order < 0 || (inclusive && order === 0)) low = middle + 1
    else high = middle
  }
  return low
}

/** An empty overlay over the base. */
export function createTimeline<T extends Key>(base: Base): Timeline<T> {
  const entries: T[] = []
  const hidden = new Set<number>()
  const entryAt = (index: number): T => {
    const entry = entries[index]
    if (!entry) throw new Error(`no entry ${index}`)
    return entry
  }
  const inBase = (index: number): Found<T> => ({ key: base.keyAt(index), index })
  const inOverlay = (index: number): Found<T> => ({ key: entryAt(index), entry: entryAt(index) })

  return {
    insert(entry) {
      entries.splice(position(entries.length, entryAt, entry, true), 0, entry)
    },
    remove(entry) {
      const index = entries.indexOf(entry, position(entries.length, entryAt, entry, false))
      if (index >= 0) entries.splice(index, 1)
    },
    hide(index) {
      hidden.add(index)
    },
    *ascending(after) {
      let next = position(base.count, base.keyAt, after, true)
      let change = position(entries.length, entryAt, after, true)
      for (;;) {
        while (hidden.has(next)) next++
        const left = next < base.count ? inBase(next) : undefined
        const right = change < entries.length ? inOverlay(change) : undefined
        if (!left && !right) return
        if (left && (!right || compareKeys(left.key, right.key) < 0)) {
          next++
          yield left
        } else if (right) {
          change++
          yield right
        }
      }
    },
    *descending(before) {
      let next = position(base.count, base.keyAt, before, false) - 1
      let change = position(entries.length, entryAt, before, false) - 1
      for (;;) {
        while (hidden.has(next)) next--
        const left = next >= 0 ? inBase(next) : undefined
        const right = change >= 0 ? inOverlay(change) : undefined
        if (!left && !right) return
        if (left && (!right || compareKeys(left.key, right.key) > 0)) {
          next--
          yield left
        } else if (right) {
          change--
          yield right
        }
      }
    },
  }
}

/** Seconds that rise with the index from `first` to before `end`; `share` neighbours stand in the same second. */
export function spread(index: number, count: number, first: number, end: number, share: number): number {
  const groups = Math.ceil(count / share)
  return first + Math.floor((Math.floor(index / share) * (end - first)) / groups)
}
