/**
 * All objects of a collection as they stand now. Streamed where the server can (1.32, and from 1.34 on): it sends them one
 * by one out of its own memory, and here never more than one is in hand, where a page of a hundred Jobs is a megabyte to
 * be collected again. Else page by page.
 */
import { z } from 'zod'
import type { Cluster } from './cluster.ts'
import { isKubeError, KubeError } from './errors.ts'
import { parseAnswer, readFrame } from './frame.ts'
import type { Message } from './protobuf.ts'

/** The JSON of a page and all that is parsed of it is held at once, by five collections: a Job takes 8 KiB. */
const PAGE = 100
/** A stream that is silent for so long no longer comes. */
const STALL_MS = 15_000
/** No collection takes so long: a server that does not say by then that all were sent never will. */
const STREAM_SECONDS = 300
/** What its end may be late by. */
const LATE_SECONDS = 5

export type SnapshotOptions = {
  readonly path: string
  readonly selectors: Readonly<Record<string, string | undefined>>
  /** Media types of an object and of a list of them. */
  readonly accept: { readonly object: string; readonly list: string }
  readonly without: readonly string[]
  /** See WatchCall; pages come as JSON. */
  readonly message: Message | undefined
  readonly signal: AbortSignal
  /** Another object, or another page of them, has come. */
  readonly onProgress: () => void
  /** A stream that failed where streaming is understood; the pages follow. */
  readonly onProblem: (problem: unknown) => void
}

/** What takes the objects as the server sends them, anew for each attempt. */
export type Taker = {
  /** It is there. */
  take(object: unknown): void
  /** It is gone, and may have been sent before. */
  end(object: unknown): void
  /** That was all, as of this version. */
  done(version: string): void
}

/** Resolves with the version of the snapshot when all of it was taken. @throws KubeError. */
export async function takeSnapshot(cluster: Cluster, begin: () => Taker, options: SnapshotOptions): Promise<string> {
  try {
    return await streamed(cluster, begin(), options)
  } catch (error) {
    if (isKubeError(error, 'Aborted', 'Network', 'Unauthorized', 'TooManyRequests')) throw error
    // Whatever else it is, silence included, it may be the way in which this server shows that it does not stream.
    if (!isKubeError(error, 'Invalid', 'BadRequest')) options.onProblem(error)
  }
  return await paged(cluster, begin(), options)
}

async function streamed(cluster: Cluster, taker: Taker, options: SnapshotOptions): Promise<string> {
  const enough = new AbortController()
  const late = setTimeout(() => enough.abort(), (STREAM_SECONDS + LATE_SECONDS) * 1000)
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
    message: options.message,
    accept: options.accept.object,
    stallMilliseconds: STALL_MS,
    signal: AbortSignal.any([options.signal, enough.signal]),
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
      enough.abort()
    },
  })
  try {
    await watching
  } catch (error) {
    if (version === undefined || !isKubeError(error, 'Aborted')) throw error
  } finally {
    clearTimeout(late)
  }
  if (version !== undefined) return version
  throw new KubeError('Malformed', 'the API server did not mark the end of a stream of objects')
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
