/** Events as lines on standard output, for a log collector. Nothing can be read back, so nothing is promised. */
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { type Sink, SinkError } from './sink.ts'

/** Waits for whoever reads `output`, which stays open. */
export function createStdoutSink(output: Writable): Sink {
  return {
    identity: 'stdout',
    publish: async ({ gzip }) => {
      try {
        await pipeline([gzip], createGunzip(), output, { end: false })
      } catch {
        throw new SinkError('Standard output is closed: check the log collector.')
      }
      return 'published'
    },
  }
}
