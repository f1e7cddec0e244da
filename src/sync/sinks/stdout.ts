/** Events as lines on standard output, for a log collector. Nothing can be read back, so nothing is promised. */
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Clock } from '../clock.ts'
import type { Segment } from '../segment.ts'
import { graceAfter } from './grace.ts'
import { type Sink, SinkError } from './sink.ts'

export type StdoutSinkOptions = {
  readonly clock: Clock
  /** The process shall end: what is under way has a few seconds left. */
  readonly signal: AbortSignal
}

/** Waits for whoever reads `output`, which stays open. */
export function createStdoutSink(output: Writable, { clock, signal }: StdoutSinkOptions): Sink {
  const { timeIsUp, close } = graceAfter(signal, clock)
  // Of two segments written at once, each would cut the other's lines.
  let before: Promise<unknown> = Promise.resolve()

  const write = async ({ gzip }: Segment) => {
    timeIsUp.throwIfAborted()
    try {
      await pipeline([gzip], createGunzip(), output, { end: false, signal: timeIsUp })
    } catch {
      timeIsUp.throwIfAborted()
      throw new SinkError('Standard output is closed: check the log collector.')
    }
    return 'published' as const
  }

  return {
    identity: 'stdout',
    publish: (segment) => {
      const written = before.then(() => write(segment))
      before = written.catch(() => undefined)
      return written
    },
    close: async () => close(),
  }
}
