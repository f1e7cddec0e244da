/**
 * A consumer as security teams have them: it tails a sink all the time, reads each segment once, as soon as it shows, and
 * trusts that it never changes. At the end it looks again at what it trusted.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { readSegmentHeader, type SegmentHeader } from '../../src/sync/segment.ts'

/** A sink from a consumer's side: segments by name (`<stream>/<number>…`). */
export type Shelf = {
  list(): Promise<string[]>
  read(name: string): Promise<Buffer>
}

/** A record as it arrived. `raw` is the hash of its source text. */
export type Arrival = { readonly uid: string; readonly raw: string; readonly where: string }

export type Consumer = {
  /** In the order in which they showed. */
  arrivals(): readonly Arrival[]
  headers(): readonly SegmentHeader[]
  /** Reads what is new, now. */
  look(): Promise<void>
  /** What broke the trust, a sentence each: changed or vanished segments, segments that cannot be read. */
  verify(): Promise<string[]>
  stop(): Promise<void>
}

const LOOK_MS = 500
const event = z.object({ raw_data: z.string(), metadata: z.object({ uid: z.string(), log_name: z.string() }) })

export const hashOf = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('base64')

export function startConsumer(shelf: Shelf): Consumer {
  const hashes = new Map<string, string>()
  const headers: SegmentHeader[] = []
  const arrivals: Arrival[] = []
  const broken: string[] = []
  const over = new AbortController()

  const take = async (name: string) => {
    const bytes = await shelf.read(name)
    hashes.set(name, hashOf(bytes))
    try {
      const header = readSegmentHeader(bytes)
      if (header === undefined) throw new Error('it has no header')
      arrivals.push(...arrivalsIn(gunzipSync(bytes), name))
      headers.push(header)
    } catch (error) {
      broken.push(`${name} could not be read when it appeared: ${error instanceof Error ? error.message : error}`)
    }
  }
  const lookNow = async () => {
    for (const name of (await shelf.list()).sort()) if (!hashes.has(name)) await take(name)
  }
  let looking = Promise.resolve()
  const look = () => {
    looking = looking.then(lookNow)
    return looking
  }
  const tail = async () => {
    while (!over.signal.aborted) {
      await look().catch((error: unknown) => broken.push(`the sink could not be listed: ${error}`))
      await delay(LOOK_MS, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const tailing = tail()

  return {
    arrivals: () => arrivals,
    headers: () => headers,
    look,
    verify: async () => {
      const now = new Set(await shelf.list())
      const changed: string[] = []
      for (const [name, hash] of hashes) {
        if (!now.has(name)) changed.push(`${name} has vanished`)
        else if (hashOf(await shelf.read(name)) !== hash) changed.push(`${name} has changed`)
      }
      return [...broken, ...changed]
    },
    stop: async () => {
      over.abort()
      await tailing
    },
  }
}

/** Events of NDJSON bytes. */
export function arrivalsIn(ndjson: Buffer, where: string): Arrival[] {
  const lines = ndjson.toString('utf8').split('\n')
  if (lines.pop() !== '') throw new Error('it does not end with a line feed')
  return lines.map((line) => {
    const { raw_data, metadata } = event.parse(JSON.parse(line))
    return { uid: metadata.uid, raw: hashOf(raw_data), where }
  })
}

/** The folder of one connector: of a file sink, or of a bucket whose server keeps its objects as files. */
export function folderShelf(folder: string): Shelf {
  const namesIn = async (stream: string) => {
    const names = await readdir(join(folder, stream)).catch(() => [])
    return names.filter((name) => /^\d+\.ndjson\.gz$/.test(name)).map((name) => `${stream}/${name}`)
  }
  return {
    list: async () => (await Promise.all((await readdir(folder).catch(() => [])).map(namesIn))).flat(),
    read: (name) => readFile(join(folder, name)),
  }
}
