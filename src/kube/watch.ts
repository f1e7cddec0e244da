/**
 * Keeps a local copy of one collection: take all of it, then watch from there, for ever. Whatever goes wrong is
 * tried again after a pause that grows; nothing that an object, a handler or the network does ends the loop. Between
 * events there is no request but the one that opens the watch again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { createDoor, type DoorOptions } from './door.ts'
import { isKubeError, KubeError, retryAfterMs } from './errors.ts'
import { readFrame } from './frame.ts'
import { createLists, type Lists } from './lists.ts'
import { type Message, PROTOBUF } from './protobuf.ts'
import { createPulse, type Pulse } from './pulse.ts'
import { takeSnapshot } from './snapshot.ts'
import type { Kept } from './store.ts'

const JSON_TYPE = 'application/json'
const SECOND = 1000
/** The longest pause before the next try: what an API server that is back waits for at most. */
const LONGEST_PAUSE = 10 * SECOND
/** The age from which a watch that ends counts as healthy: the next one follows at once. */
const HEALTHY = 5 * SECOND
/**
 * Seconds after which the server ends a watch, with a bookmark right before it. So short, because a connection that is
 * silent for good looks like one on which nothing happens: only what should have come and did not tells them apart.
 */
const WATCH_SECONDS = { least: 30, most: 45 }
/** What the end may be late by before the watch counts as lost. */
const LATE_SECONDS = 5
const STALL = (WATCH_SECONDS.most + LATE_SECONDS) * SECOND
/** What a step may take beyond the stall of a watch, which is the longest: see pulse.ts. */
const SLACK = 60 * SECOND

/** A collection and what to keep of it. */
export type WatchOptions<T extends Kept> = DoorOptions<T> & {
  /** `/api/v1`, `/apis/batch/v1`. */
  readonly api: string
  readonly plural: string
  /** One list and watch each; all namespaces by default. */
  readonly namespaces?: readonly string[] | undefined
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** What `keep` reads of an object of a built-in kind: those come as protobuf where the server streams. */
  readonly message?: Message
  /** Members that `keep` does not read, at any depth: of JSON they are not even parsed. */
  readonly without?: readonly string[]
  /** Fetches no more than metadata: the server leaves spec, data and status out. */
  readonly metadataOnly?: boolean
  /** A handler that threw, or a list or watch that failed and is tried again. */
  readonly onProblem: (problem: unknown) => void
  readonly signal: AbortSignal
  /** A watch without a sign of life for this long is opened again; default: 50,000, as none lasts longer. */
  readonly stallMilliseconds?: number
}

/** A local copy of a collection. */
export type Collection<T extends Kept> = {
  get(key: string): T | undefined
  values(): Iterable<T>
  /**
   * Resolves when all was listed once; rejects when the signal ends it before. A namespace that is refused to us, since it
   * or its Role is gone, keeps nobody waiting who may see another.
   */
  readonly synced: Promise<void>
  /** Objects that are there and cannot be read: they are left out. */
  malformed(): number
  /** What stands still for good, in a sentence; undefined: the loops turn, be it from failure to failure. */
  alive(): string | undefined
  /** What has not been listed once, in a sentence; undefined: all has been. */
  unsynced(): string | undefined
  /** Takes the answer to a write of our own, so that it is seen before the watch brings it. */
  learn(raw: unknown): void
  /** Takes the answer that an object is not there, so that it is seen before the watch brings it. */
  forget(key: string): void
  /** Lists anew: resolves as `synced` does, when the copy is no older than this call. */
  refresh(): Promise<void>
  /** Resolves when the signal has ended all loops. */
  readonly ended: Promise<void>
}

/** Begins to copy at once; only the signal ends it. */
export function watchCollection<T extends Kept>(cluster: Cluster, options: WatchOptions<T>): Collection<T> {
  const { signal, onProblem, stallMilliseconds = STALL } = options
  const without = ['managedFields', ...(options.without ?? [])]
  const selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector }
  const { message } = options
  const as = (name: string) => (options.metadataOnly ? `;as=${name};g=meta.k8s.io;v=v1` : '')
  const types = message === undefined ? [JSON_TYPE] : [PROTOBUF, JSON_TYPE]
  const accept = {
    object: types.map((type) => type + as('PartialObjectMetadata')).join(', '),
    list: JSON_TYPE + as('PartialObjectMetadataList'),
  }
  const door = createDoor(options)

  function list(path: string, namespace: string | undefined, { beat }: Pulse): Promise<string> {
    // As old as the first attempt: what was written since then may be on no page of the second.
    const since = performance.now()
    return takeSnapshot(cluster, () => door.relist(namespace, since), {
      ...{ path, selectors, accept, without, message, signal, onProblem },
      onProgress: beat,
    })
  }

  // Returns when the server ends it; `moved` tells from which version to go on.
  async function watch(path: string, from: string, stop: AbortSignal, moved: (version: string) => void): Promise<void> {
    const { least, most } = WATCH_SECONDS
    const timeoutSeconds = Math.round(least + Math.random() * (most - least))
    const query = {
      ...selectors,
      resourceVersion: from,
      allowWatchBookmarks: true,
      timeoutSeconds,
    }
    // The server ends it after timeoutSeconds; one that does not is no longer watching.
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), (timeoutSeconds + LATE_SECONDS) * SECOND)
    try {
      await cluster.watch(path, {
        query,
        without,
        message,
        accept: accept.object,
        stallMilliseconds,
        signal: AbortSignal.any([signal, stop, late.signal]),
        onEvent: (event) => {
          const frame = readFrame(event)
          if (frame.what === 'was') door.end(frame.object)
          else if (frame.what === 'is') door.put(frame.object)
          moved(frame.version)
        },
      })
    } finally {
      clearTimeout(timer)
    }
  }

  async function loop(namespace: string | undefined, lists: Lists, pulse: Pulse): Promise<void> {
    const path = `${options.api}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${options.plural}`
    let version: string | undefined
    let failures = 0
    while (!signal.aborted) {
      let askedMs = 0
      let began = Number.POSITIVE_INFINITY
      try {
        if (version === undefined || lists.isAsked()) version = await lists.fulfil(() => list(path, namespace, pulse))
        began = performance.now()
        await watch(path, version, lists.asked(), (seen) => {
          pulse.beat()
          version = seen
          door.passed(seen, namespace)
        })
      } catch (error) {
        if (signal.aborted) return
        if (lists.isAsked() && isKubeError(error, 'Aborted')) continue
        if (isKubeError(error, 'Gone')) version = undefined
        else onProblem(error)
        askedMs = retryAfterMs(error)
      }
      pulse.beat()
      // Also a watch that the server ends well: one that is closed right after its first event must not spin. A list has no
      // age: one that takes long and fails is tried again by a server that can do no more as it is.
      if (askedMs === 0 && performance.now() - began >= HEALTHY) failures = 0
      else await pause(failures++, askedMs)
      pulse.beat()
    }
  }

  async function pause(failures: number, askedMs: number): Promise<void> {
    const longest = Math.min(LONGEST_PAUSE, 0.25 * SECOND * 2 ** Math.min(failures, 10))
    await delay(askedMs + Math.random() * longest, undefined, { signal }).catch(() => {})
  }

  const loops = (options.namespaces ?? [undefined]).map((namespace) => {
    const lists = createLists()
    const first = lists.ask()
    const pulse = createPulse(stallMilliseconds + SLACK)
    const end = loop(namespace, lists, pulse).finally(() =>
      lists.end(new KubeError('Aborted', `${options.plural} were not listed before the stop`)),
    )
    return { first, lists, pulse, end }
  })
  const listed = async (asked = loops.map(({ lists }) => lists.ask())): Promise<void> => {
    const answers = await Promise.all(asked)
    // There is nothing at all to see: that is told, and waited for.
    if (!answers.includes('Listed')) await listed()
  }
  let isSynced = false
  const synced = listed(loops.map(({ first }) => first)).then(() => {
    isSynced = true
  })
  // Nobody may be waiting for it when the signal ends it early.
  synced.catch(() => {})
  return {
    get: door.get,
    values: door.values,
    malformed: door.malformed,
    synced,
    alive: () => {
      const silence = loops.map(({ pulse }) => pulse.silence()).find((seconds) => seconds !== undefined)
      if (silence === undefined) return undefined
      return `${options.plural} have been neither listed nor watched for ${silence} s without an error: the loop hangs`
    },
    unsynced: () => (isSynced ? undefined : `${options.plural} have not been listed yet`),
    learn: door.putOwn,
    forget: door.forget,
    refresh: () => listed(),
    ended: Promise.all(loops.map(({ end }) => end)).then(() => undefined),
  }
}
