/**
 * Segments as objects: `<prefix>/<namespace>/<connector>/<stream>/<number>.ndjson.gz`. Each is one PUT on condition that
 * nothing stands there (`If-None-Match: *`): of many writers one wins. A store that ignores the condition is found out
 * and refused before the first segment.
 */
import { HEADER_BYTES, readSegmentHeader, type SegmentHeader, segmentLines } from '../segment.ts'
import { lastNumber } from './s3-last.ts'
import { ignoresConditions } from './s3-refusals.ts'
import { openSession, type SessionOptions } from './s3-session.ts'
import { type Sink, SinkError } from './sink.ts'

export type S3SinkOptions = SessionOptions & {
  /** Before all names; slashes around it do not matter, and empty is none. */
  readonly prefix: string
  readonly namespace: string
  readonly connector: string
}

const segmentName = /^(\d{12})\.ndjson\.gz$/
/** Most headers end within this; the others are asked for again. */
const FIRST_BYTES = 4 * 1024
/** A segment is read in parts of this size. */
const PART_BYTES = 4 * 1024 * 1024

/** `publish` rejects with the signal's reason when the process has to end before the store has answered. */
export function createS3Sink(options: S3SinkOptions): Sink {
  const { bucket, region, endpoint, namespace, connector } = options
  const prefix = options.prefix.replace(/^\/+|\/+$/g, '')
  const root = [prefix, namespace, connector].filter((part) => part !== '').join('/')
  const folderOf = (stream: string) => `${root}/${stream}/`
  const keyOf = (stream: string, number: number) => `${folderOf(stream)}${String(number).padStart(12, '0')}.ndjson.gz`
  const session = openSession(options)

  const create = (key: string, body: Uint8Array, contentType: string) =>
    session.run((store, signal) => store.create(key, body, contentType, signal))

  /** Undefined: not there. @throws SinkError when it is something else than a segment. */
  const headerAt = async (key: string): Promise<SegmentHeader | undefined> => {
    for (const size of [FIRST_BYTES, HEADER_BYTES]) {
      const beginning = await session.run((store, signal) => store.read(key, 0, size, signal))
      if (beginning === undefined) return undefined
      const header = readSegmentHeader(beginning)
      if (header !== undefined) return header
    }
    throw new SinkError(`The object ${key} is not a segment of a connector: move it out of the sink's prefix.`)
  }

  /** Whether this store refuses to create twice is tried on an object of its own, which then stays. */
  const probe = async () => {
    const key = `${root}/.conditional-writes`
    const text = Buffer.from('Used by zendesk-connector to check that this store honours conditional writes.\n')
    for (let time = 0; time < 2; time += 1) if (!(await create(key, text, 'text/plain'))) return
    throw new SinkError(ignoresConditions(options))
  }
  let probed: Promise<void> | undefined

  const numbersAfter = async (stream: string, number: number) => {
    const folder = folderOf(stream)
    let after = number < 0 ? undefined : keyOf(stream, number)
    for (;;) {
      const { keys, more } = await session.run((store, signal) => store.list(folder, after, signal))
      const numbers = keys.flatMap((key) => numberIn(key.slice(folder.length))).filter((one) => one > number)
      const end = keys.at(-1)
      // Not every store knows where to start: then the first numbers are all that is learned.
      if (numbers.length > 0 || !more || end === undefined || end === after) return { numbers, more }
      after = end
    }
  }

  async function* bytesOf(key: string): AsyncGenerator<Buffer> {
    for (let from = 0; ; from += PART_BYTES) {
      const part = await session.run((store, signal) => store.read(key, from, PART_BYTES, signal))
      if (part === undefined) throw vanished(key)
      yield part
      if (part.length < PART_BYTES) return
    }
  }

  return {
    identity: `s3/${endpoint === undefined ? region : new URL(endpoint).host}/${bucket}/${prefix}`,
    publish: async ({ header: { stream, number }, gzip }) => {
      probed ??= probe()
      await probed
      const key = keyOf(stream, number)
      if (await create(key, gzip, 'application/gzip')) return 'published'
      const taken = await headerAt(key)
      if (taken === undefined) throw vanished(key)
      return { taken }
    },
    readBack: {
      last: (stream) => lastNumber((number) => numbersAfter(stream, number)),
      header: (stream, number) => headerAt(keyOf(stream, number)),
      lines: async function* (stream, number) {
        const key = keyOf(stream, number)
        try {
          yield* segmentLines(bytesOf(key))
        } catch (error) {
          if (!isOfGzip(error)) throw error
          throw new SinkError(`The object ${key} is truncated or damaged: restore it from a backup.`)
        }
      },
    },
    close: () => session.close(),
  }
}

function numberIn(name: string): number[] {
  const digits = segmentName.exec(name)?.[1]
  return digits === undefined ? [] : [Number(digits)]
}

function vanished(key: string): SinkError {
  return new SinkError(
    `The object ${key} was deleted while it was read: configure consumers to keep the last two days.`,
  )
}

function isOfGzip(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
}
