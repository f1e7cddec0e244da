/**
 * A body in one piece. Each chunk is copied when it comes: chunks that are kept until the last one has come outlive a
 * collection or two, and then they, and not the pages, are most of a run's memory.
 */
import type { Readable } from 'node:stream'

/** Bytes to begin with when no length is told, and most that is believed of one that is. */
const FIRST = 64 * 1024
const MOST = 4 * 1024 * 1024

/** `length`: what the header says, in bytes; NaN when it says nothing. Rejects as the stream does. */
export function wholeOf(body: Readable, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.allocUnsafeSlow(Math.min(length || FIRST, MOST))
    let end = 0
    body.on('data', (chunk: Buffer) => {
      if (end + chunk.length > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(end + chunk.length, bytes.length * 2))
        bytes.copy(larger, 0, 0, end)
        bytes.buffer.transfer(0)
        bytes = larger
      }
      end += chunk.copy(bytes, end)
    })
    body.once('end', () => resolve(bytes.subarray(0, end)))
    body.once('error', reject)
  })
}
