/**
 * A segment: a part of a stream's chain, as a gzip file of NDJSON that any tool reads. What the chain needs to know of it
 * stands in the gzip header's comment (RFC 1952, FCOMMENT), so that reading the first bytes is enough.
 */

import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'
import { crc32, createDeflateRaw, createGunzip, type DeflateRaw } from 'node:zlib'
import { z } from 'zod'

export const segmentHeader = z.object({
  v: z.literal(1),
  /** Subdomain of the account. */
  account: z.string(),
  stream: z.string(),
  number: z.int().min(0),
  /** The run and the pod that published it. */
  run: z.string(),
  pod: z.string(),
  /** Position before the first record; none in a chain's first segment. */
  start: z.string().optional(),
  /** Position after the last record. */
  end: z.string(),
  /** Fixed by the chain's first segment: nothing older was ever read. */
  lowerBound: z.string(),
  records: z.int().min(0),
  /** Records of the chain up to here. */
  total: z.int().min(0),
  /** Time of the newest record of the chain up to here. */
  newest: z.string().optional(),
  /** The stream has once been read to its end. */
  complete: z.boolean(),
})
export type SegmentHeader = z.output<typeof segmentHeader>

export type Segment = { readonly header: SegmentHeader; readonly gzip: Buffer }

/** As many bytes of a segment as hold its header, whatever cursor stands in it. */
export const HEADER_BYTES = 64 * 1024

// ID1 ID2 CM=deflate FLG=FCOMMENT, no MTIME (the same records give the same bytes), XFL=fastest, OS=unknown.
const MAGIC = Buffer.from([0x1f, 0x8b, 8, 0x10, 0, 0, 0, 0, 4, 255])

/** A segment that is being written: compressed as it grows, outside the main thread, only the result is held. */
export type SegmentWriter = {
  /**
   * Adds whole lines, each with its line feed; waits only while what was added before is being compressed. The bytes
   * must stay as they are until the next call has resolved.
   */
  add(lines: Uint8Array): Promise<void>
  /** Ends the file. The writer is of no further use. */
  close(header: SegmentHeader): Promise<Segment>
  /** Frees what it holds when it is not closed. */
  abandon(): void
}

export function writeSegment(): SegmentWriter {
  const deflate: DeflateRaw = createDeflateRaw({ level: 1, chunkSize: 64 * 1024 })
  const chunks: Buffer[] = []
  deflate.on('data', (chunk: Buffer) => chunks.push(chunk))
  let written: Promise<void> = Promise.resolve()
  let checksum = 0
  let size = 0

  return {
    add: async (bytes) => {
      checksum = crc32(bytes, checksum)
      size += bytes.length
      await written
      written = new Promise((resolve, reject) => {
        deflate.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
    },
    close: async (header) => {
      await written
      const ended = new Promise<void>((resolve, reject) => {
        deflate.once('end', resolve)
        deflate.once('error', reject)
      })
      deflate.end()
      await ended
      const trailer = Buffer.alloc(8)
      trailer.writeUInt32LE(checksum, 0)
      trailer.writeUInt32LE(size % 2 ** 32, 4)
      return { header, gzip: Buffer.concat([MAGIC, comment(header), ...chunks, trailer]) }
    },
    abandon: () => {
      written.catch(() => undefined)
      deflate.destroy()
    },
  }
}

/** Zero-terminated ISO 8859-1, so everything beyond ASCII is escaped. */
function comment(header: SegmentHeader): Buffer {
  const text = JSON.stringify(header).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return Buffer.from(`${text}\0`, 'latin1')
}

/** The header from a segment's first HEADER_BYTES; undefined when these are not the beginning of a segment. */
export function readSegmentHeader(beginning: Uint8Array): SegmentHeader | undefined {
  const bytes = Buffer.from(beginning.buffer, beginning.byteOffset, beginning.byteLength)
  if (bytes.length < MAGIC.length || bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1] || bytes[3] !== MAGIC[3]) return
  const end = bytes.indexOf(0, MAGIC.length)
  if (end < 0) return
  try {
    return segmentHeader.safeParse(JSON.parse(bytes.toString('latin1', MAGIC.length, end))).data
  } catch {
    return
  }
}

/** The lines of a segment's bytes, whatever characters they hold but line feeds. Fails when they are cut off or damaged. */
export async function* segmentLines(gzip: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const unzip = createGunzip()
  // The loop below fails with the same error.
  pipeline(gzip, unzip).catch(() => undefined)
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of unzip as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
