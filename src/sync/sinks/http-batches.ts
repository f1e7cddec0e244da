/**
 * Batches of the http sink: as many records as fit into a megabyte, cut while the lines come in, so that never more than
 * one batch is in memory. The same lines always give the same batches, byte for byte, and so the same ids.
 */
import { hash } from 'node:crypto'
import type { Format } from './http-formats.ts'

/** Largest body, uncompressed: what Splunk and many a gateway take unless they are told otherwise. */
export const MOST_BYTES = 1_000_000

export type Item = {
  /** The line of the segment: an OCSF event. */
  readonly line: string
  /** What stands for it in the body. */
  readonly framed: string
}

export type Batch = {
  /** SHA-256 of the body: whatever is sent again is known by it. */
  readonly id: string
  readonly body: Buffer
}

/** Groups of at least one item, none beyond MOST_BYTES as a body unless a single record is. */
export async function* cutBatches(lines: AsyncIterable<string>, format: Format): AsyncGenerator<readonly Item[]> {
  const around = Buffer.byteLength(format.open + format.close)
  let items: Item[] = []
  let size = around
  for await (const line of lines) {
    const framed = format.frame(line)
    const more = Buffer.byteLength(framed) + Buffer.byteLength(format.between)
    if (items.length > 0 && size + more > MOST_BYTES) {
      yield items
      items = []
      size = around
    }
    items.push({ line, framed })
    size += more
  }
  if (items.length > 0) yield items
}

export function assemble(items: readonly Item[], { open, between, close }: Format): Batch {
  const body = Buffer.from(open + items.map(({ framed }) => framed).join(between) + close)
  return { id: hash('sha256', body), body }
}

/** The event's `metadata.uid`. */
export function uidOf({ line }: Item): string {
  const { metadata } = JSON.parse(line) as { metadata: { uid: string } }
  return metadata.uid
}
