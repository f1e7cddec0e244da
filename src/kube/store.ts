/**
 * The objects of one collection as they were last seen. Versions of one object come from two sides, from the watch and
 * from the answers to our own writes, in any order: the newer one stays. An answer may also come after the watch has told
 * of the object's end: what the watch is past is never taken from an answer. They are kept as text: whoever looks at one
 * gets a value of its own.
 */
import { type Packed, pack, unpack } from './packed.ts'

/** What every kept object has. */
export type Kept = {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
  }
}

/** An object came (no `before`), changed, or went (no `after`). Deleted and created again is two changes. */
export type Change<T> = (key: string, before: T | undefined, after: T | undefined) => void

export type Store<T extends Kept> = {
  get(key: string): T | undefined
  values(): Iterable<T>
  /** Takes a version from the watch; an older one than is known is passed over. */
  put(object: T): void
  /** Takes a version from the answer to a write of our own, unless the watch is past it. */
  putOwn(object: T): void
  /** The object has ended in that version. */
  delete(last: Kept): void
  /** The watch of a namespace, or of all, has told everything up to that version. */
  passed(version: string, namespace: string | undefined): void
  /** Begins to take the whole collection, in one namespace or in all. `since`: performance.now(). */
  relist(namespace: string | undefined, since: number): Relisting<T>
}

/** A list on its way. One that is given up changes nothing that had not come yet. */
export type Relisting<T> = {
  /** An object of it; of several versions of one the last counts. */
  take(object: T): void
  /** One that may have been taken is not, or no longer, among them. */
  end(last: Kept): void
  /** There are no more: whatever was not among them is gone. `version`: of the whole. */
  done(version: string): void
}

type Entry<T> = { readonly text: Packed<T>; readonly version: string; readonly writtenAt: number }

/** An empty store. `change` is called after each change and must not throw. */
export function createStore<T extends Kept>(change: Change<T>): Store<T> {
  const entries = new Map<string, Entry<T>>()
  const past = new Map<string | undefined, string>()

  function get(key: string): T | undefined {
    const entry = entries.get(key)
    return entry && unpack(entry.text)
  }

  function set(object: T, writtenAt: number): void {
    const key = storeKey(object)
    const before = get(key)
    entries.set(key, { text: pack(object), version: object.metadata.resourceVersion, writtenAt })
    const recreated = before !== undefined && before.metadata.uid !== object.metadata.uid
    if (recreated) change(key, before, undefined)
    change(key, recreated ? undefined : before, object)
  }

  function setNewer(object: T, writtenAt: number): void {
    const known = entries.get(storeKey(object))
    if (known === undefined || isLater(object.metadata.resourceVersion, known.version)) set(object, writtenAt)
  }

  function removeUpTo(last: Kept): void {
    const key = storeKey(last)
    const known = entries.get(key)
    if (known && !isLater(known.version, last.metadata.resourceVersion)) remove(key)
  }

  function remove(key: string): void {
    const before = get(key)
    entries.delete(key)
    change(key, before, undefined)
  }

  return {
    get,
    *values() {
      for (const { text } of entries.values()) yield unpack(text)
    },
    put: (object) => setNewer(object, 0),
    putOwn(object) {
      const { namespace, resourceVersion } = object.metadata
      const seen = past.get(namespace) ?? past.get(undefined)
      if (seen === undefined || isLater(resourceVersion, seen)) setNewer(object, performance.now())
    },
    passed: (version, namespace) => void past.set(namespace, version),
    delete: removeUpTo,
    relist(namespace, since) {
      const listed = new Set<string>()
      // A write of our own that was answered meanwhile, and that the list does not know of yet: the watch brings it.
      const isOwn = (entry: Entry<T>, version: string) => entry.writtenAt >= since && isLater(entry.version, version)
      return {
        // A list is the truth even where its versions are lower: the cluster may have been restored from a backup.
        take(object) {
          const key = storeKey(object)
          listed.add(key)
          const known = entries.get(key)
          if (known === undefined) return set(object, 0)
          const { resourceVersion } = object.metadata
          if (known.version !== resourceVersion && !isOwn(known, resourceVersion)) set(object, 0)
        },
        end(last) {
          listed.delete(storeKey(last))
          removeUpTo(last)
        },
        done(version) {
          for (const [key, entry] of entries) {
            const concerned = namespace === undefined || key.startsWith(`${namespace}/`)
            if (concerned && !listed.has(key) && !isOwn(entry, version)) remove(key)
          }
          past.set(namespace, version)
        },
      }
    },
  }
}

/** `namespace/name`. */
export function storeKey({ metadata }: Kept): string {
  return `${metadata.namespace}/${metadata.name}`
}

// Versions of one kind can be compared as numbers; where one is none, the one at hand counts as later.
function isLater(version: string, other: string): boolean {
  const difference = Number(version) - Number(other)
  return Number.isNaN(difference) ? version !== other : difference > 0
}
