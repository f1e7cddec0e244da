/** Finds keys by something else than themselves: the Jobs of a uid, the connectors that use a Secret. */

export type Index = {
  /** `key` no longer stands under `before`, and stands under `after`; undefined is nowhere. */
  move(key: string, before: string | undefined, after: string | undefined): void
  /** The keys that stand under it. */
  under(value: string): Iterable<string>
}

/** An empty index. */
export function createIndex(): Index {
  const keys = new Map<string, Set<string>>()
  return {
    move(key, before, after) {
      if (before === after) return
      if (before !== undefined) {
        const left = keys.get(before)
        left?.delete(key)
        if (left?.size === 0) keys.delete(before)
      }
      if (after === undefined) return
      const there = keys.get(after) ?? new Set()
      keys.set(after, there.add(key))
    },
    under: (value) => keys.get(value) ?? [],
  }
}
