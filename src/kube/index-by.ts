/** Finds keys by something else than themselves: the Jobs of a uid, the connectors that use a Secret. */

export type Index = {
  /** `key` no longer stands under `before`, and stands under `after`; undefined is nowhere. */
  move(key: string, before: string | undefined, after: string | undefined): void
  /** The keys that stand under it. */
  under(value: string): Iterable<string>
}

/** An empty index. */
export function createIndex(): Index {
  // A set takes 300 bytes, and most of them would have one key in them.
  const keys = new Map<string, string | Set<string>>()

  function remove(key: string, value: string): void {
    const there = keys.get(value)
    if (there instanceof Set) there.delete(key)
    if (there === key || (there instanceof Set && there.size === 0)) keys.delete(value)
  }

  function add(key: string, value: string): void {
    const there = keys.get(value)
    if (there === undefined) keys.set(value, key)
    else if (there instanceof Set) there.add(key)
    else if (there !== key) keys.set(value, new Set([there, key]))
  }

  return {
    move(key, before, after) {
      if (before === after) return
      if (before !== undefined) remove(key, before)
      if (after !== undefined) add(key, after)
    },
    under(value) {
      const there = keys.get(value) ?? []
      return typeof there === 'string' ? [there] : there
    },
  }
}
