/**
 * The objects of one collection as they were last seen. Versions of one object come from two sides, from the watch and
 * from the answers to our own writes, in any order: the newer one stays. An answer may also come after the watch has told
 * of the object's end: what the watch is past is never taken from an answer.
 */

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
  /** The whole collection, in one namespace or in all, as it was in that version. */
  replace(objects: readonly T[], list: List): void
}

/** `since`: when the list was asked for (performance.now()). */
export type List = { readonly version: string; readonly namespace: string | undefined; readonly since: number }

type Entry<T> = { readonly object: T; readonly writtenAt: number }

/** An empty store. `change` is called after each change and must not throw. */
export function createStore<T extends Kept>(change: Change<T>): Store<T> {
  const entries = new Map<string, Entry<T>>()
  const past = new Map<string | undefined, string>()

  function set(object: T, writtenAt: number): void {
    const key = storeKey(object)
    const before = entries.get(key)?.object
    entries.set(key, { object, writtenAt })
    const recreated = before !== undefined && before.metadata.uid !== object.metadata.uid
    if (recreated) change(key, before, undefined)
    change(key, recreated ? undefined : before, object)
  }

  function setNewer(object: T, writtenAt: number): void {
    const before = entries.get(storeKey(object))?.object
    if (before === undefined || isNewer(object, before)) set(object, writtenAt)
  }

  function remove(key: string, before: T): void {
    entries.delete(key)
    change(key, before, undefined)
  }

  return {
    get: (key) => entries.get(key)?.object,
    *values() {
      for (const { object } of entries.values()) yield object
    },
    put: (object) => setNewer(object, 0),
    putOwn(object) {
      const { namespace, resourceVersion } = object.metadata
      const seen = past.get(namespace) ?? past.get(undefined)
      if (seen === undefined || isLater(resourceVersion, seen)) setNewer(object, performance.now())
    },
    passed: (version, namespace) => void past.set(namespace, version),
    delete(last) {
      const key = storeKey(last)
      const before = entries.get(key)?.object
      if (before && !isNewer(before, last)) remove(key, before)
    },
    replace(objects, { version, namespace, since }) {
      // A write of our own that was answered meanwhile, and that the list does not know of yet: the watch brings it.
      const isOwn = ({ object, writtenAt }: Entry<T>) =>
        writtenAt >= since && isLater(object.metadata.resourceVersion, version)
      const listed = new Set(objects.map(storeKey))
      for (const [key, entry] of entries) {
        const concerned = namespace === undefined || entry.object.metadata.namespace === namespace
        if (concerned && !listed.has(key) && !isOwn(entry)) remove(key, entry.object)
      }
      // A list is the truth even where its versions are lower: the cluster may have been restored from a backup.
      for (const object of objects) {
        const before = entries.get(storeKey(object))
        const isSame = before?.object.metadata.resourceVersion === object.metadata.resourceVersion
        if (!isSame && !(before && isOwn(before))) set(object, 0)
      }
      past.set(namespace, version)
    },
  }
}

/** `namespace/name`. */
export function storeKey({ metadata }: Kept): string {
  return `${metadata.namespace}/${metadata.name}`
}

function isNewer(one: Kept, other: Kept): boolean {
  return isLater(one.metadata.resourceVersion, other.metadata.resourceVersion)
}

// Versions of one kind can be compared as numbers; where one is none, the one at hand counts as later.
function isLater(version: string, other: string): boolean {
  const difference = Number(version) - Number(other)
  return Number.isNaN(difference) ? version !== other : difference > 0
}
