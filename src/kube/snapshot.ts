/**
 * All objects of a collection as they stand now. Streamed where the server can (from 1.34 on it does): it sends them one
 * by one out of its own memory, and here never more than one is in hand, where a page of a hundred Jobs is a megabyte to
 * be collected again. Else page by page.
 */
import { z } from 'zod'
import type { Cluster } from './cluster.ts'
import { isKubeError, KubeError } from './errors.ts'
import { parseAnswer, readFrame } from './frame.ts'
import type { Relisting } from './store.ts'

/** The JSON of a page and all that is parsed of it is held at once, by five collections: a Job takes 8 KiB. */
const PAGE = 100
/** A stream that is silent for so long no longer comes. */
const STALL_MS = 30_000
/** No collection takes so long: a server that does not say by then that all were sent never will. */
const STREAM_SECONDS = 300

export type SnapshotOptions = {
  readonly path: string
  readonly selectors: Readonly<Record<string, string | undefined>>
  /** Media types of an object and of a list of them. */
  readonly accept: { readonly object: string; readonly list: string }
  readonly without: readonly string[]
  readonly signal: AbortSignal
  /** Another object, or another page of them, has come. */
  readonly onProgress: () => void
}

/** What takes the objects, anew for each attempt; `end`: one that had been sent already is gone. */
export type Taker = Relisting<unknown> & { end(object: unknown): void }

/** Resolves with the version of the snapshot when all of it was taken. @throws KubeError. */
export async function takeSnapshot(cluster: Cluster, begin: () => Taker, options: SnapshotOptions): Promise<string> {
  try {
    return await streamed(cluster, begin(), options)
  } catch (error) {
    // Whatever else it is, it may be the way in which this server says that it does not stream.
    if (isKubeError(error, 'Aborted', 'Network', 'Timeout', 'Unauthorized', 'TooManyRequests')) throw error
  }
  return await paged(cluster, begin(), options)
}

async function streamed(cluster: Cluster, taker: Taker, options: SnapshotOptions): Promise<string> {
  const whole = new AbortController()
  let version: string | undefined
  const watching = cluster.watch(options.path, {
    query: {
      ...options.selectors,
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
      timeoutSeconds: STREAM_SECONDS,
    },
    without: options.without,
    accept: options.accept.object,
    stallMilliseconds: STALL_MS,
    signal: AbortSignal.any([options.signal, whole.signal]),
    onEvent: (event) => {
      // What comes after the snapshot is for the watch that goes on from it.
      if (version !== undefined) return
      const frame = readFrame(event)
      options.onProgress()
      if (frame.what === 'is') taker.take(frame.object)
      if (frame.what === 'was') taker.end(frame.object)
      if (frame.what !== 'bookmark' || !frame.allSent) return
      version = frame.version
      taker.done(version)
      whole.abort()
    },
  })
  await watching.catch((error: unknown) => {
    if (version === undefined) throw error
  })
  if (version === undefined) throw new KubeError('Malformed', 'the API server ended a stream of objects before its end')
  return version
}

const listPage = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
})

async function paged(cluster: Cluster, taker: Taker, options: SnapshotOptions): Promise<string> {
  const { path, selectors, accept, without, signal } = options
  let next: string | undefined
  for (;;) {
    const query = { ...selectors, limit: PAGE, continue: next }
    const answer = await cluster.request('GET', path, { query, signal, without, accept: accept.list })
    options.onProgress()
    const { metadata, items } = parseAnswer(listPage, answer)
    for (const item of items ?? []) taker.take(item)
    next = metadata.continue || undefined
    if (next !== undefined) continue
    taker.done(metadata.resourceVersion)
    return metadata.resourceVersion
  }
}
