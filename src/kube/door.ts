/**
 * Where objects come in from a list, a watch or an answer. One that cannot be read never stops the others, and what was
 * known of it is no longer true; it is told of once, until it can be read again.
 */
import { z } from 'zod'
import type { Taker } from './snapshot.ts'
import { type Change, createStore, type Kept, storeKey } from './store.ts'

export type DoorOptions<T extends Kept> = {
  /** What is kept of an object: undefined for one that nobody reads; throws for one that cannot be read. */
  readonly keep: (raw: unknown) => T | undefined
  readonly onChange: Change<T>
  /** An object that `keep` could not read; it is left out, and told once until it can be read again. */
  readonly onMalformed: (key: string, error: unknown) => void
  /** A handler that threw. */
  readonly onProblem: (problem: unknown) => void
}

const identity = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string(), uid: z.string(), resourceVersion: z.string() }),
})

/** A store that takes what the API server sends, whatever it is. No handler's error comes through. */
export function createDoor<T extends Kept>(options: DoorOptions<T>) {
  const store = createStore<T>((key, before, after) => guarded(() => options.onChange(key, before, after)))
  const malformed = new Map<string, string>()

  function guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      options.onProblem(error)
    }
  }

  function keep(raw: unknown): T | undefined {
    try {
      const kept = options.keep(raw)
      if (malformed.size > 0) malformed.delete(keyOf(raw))
      return kept
    } catch (error) {
      const [key, text] = [keyOf(raw), String(error)]
      if (malformed.get(key) !== text) guarded(() => options.onMalformed(key, error))
      malformed.set(key, text)
      return undefined
    }
  }

  function take(raw: unknown, put: (object: T) => void, end: (last: Kept) => void): void {
    const kept = keep(raw)
    if (kept) {
      put(kept)
      return
    }
    const who = identity.safeParse(raw)
    if (who.success) end(who.data)
  }

  /** Of an object that is told of for the last time. */
  function took(raw: unknown, end: (last: Kept) => void): void {
    const last = identity.safeParse(raw)
    if (!last.success) return
    malformed.delete(storeKey(last.data))
    end(last.data)
  }

  return {
    get: store.get,
    values: store.values,
    /** Objects that are there and could not be read. */
    malformed: () => malformed.size,
    passed: store.passed,
    /** An object of a watch. */
    put: (raw: unknown) => take(raw, store.put, store.delete),
    /** The answer to a write of our own. A deletion may be answered with a Status: that is no object, and the watch tells. */
    putOwn(raw: unknown): void {
      if (identity.safeParse(raw).success) take(raw, store.putOwn, store.delete)
    },
    /** The object that a watch tells the end of. */
    end: (raw: unknown) => took(raw, store.delete),
    /** The answer that an object is not there. */
    forget(key: string): void {
      const known = store.get(key)
      if (known !== undefined) store.delete(known)
    },
    /** See Store. */
    relist(namespace: string | undefined, since: number): Taker {
      const listing = store.relist(namespace, since)
      const unseen = new Set(
        [...malformed.keys()].filter((key) => namespace === undefined || key.startsWith(`${namespace}/`)),
      )
      return {
        take: (raw) => {
          if (unseen.size > 0) unseen.delete(keyOf(raw))
          take(raw, listing.take, listing.end)
        },
        end: (raw) => took(raw, listing.end),
        done: (version) => {
          for (const key of unseen) malformed.delete(key)
          listing.done(version)
        },
      }
    },
  }
}

/** What it is told by where it cannot be read. */
function keyOf(raw: unknown): string {
  const who = identity.safeParse(raw)
  return who.success ? storeKey(who.data) : 'unknown'
}
