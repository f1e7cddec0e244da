import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/sync/clock.ts'
import { writeSegment } from '../../src/sync/segment.ts'
import { createStdoutSink } from '../../src/sync/sinks/stdout.ts'
import { manualClock } from './sync-model.ts'

async function segment(stream: string, lines: readonly string[]) {
  const writer = writeSegment()
  for (const line of lines) await writer.add(Buffer.from(`${line}\n`))
  return writer.close({
    v: 1,
    account: 'acme',
    stream,
    number: 0,
    run: 'acme-1',
    pod: 'a',
    end: 'cursor',
    lowerBound: '2026-11-20T00:00:00Z',
    records: lines.length,
    total: lines.length,
    complete: false,
  })
}

function collector() {
  const written: Buffer[] = []
  const output = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk)
      setImmediate(done)
    },
  })
  return { output, text: () => Buffer.concat(written).toString() }
}
const surroundings = { clock: systemClock, signal: new AbortController().signal }

describe('the stdout sink', () => {
  it('writes lines as fast as they are read, and leaves the output open', async () => {
    const { output, text } = collector()
    const sink = createStdoutSink(output, surroundings)
    await sink.publish(await segment('Users', ['{"a":1}', '{"a":2}']))
    await sink.publish(await segment('Users', ['{"a":3}']))
    expect(text()).toBe('{"a":1}\n{"a":2}\n{"a":3}\n')
    expect(output.writable).toBe(true)
    expect(sink.readBack).toBeUndefined()
  })

  it('keeps lines whole when streams are published at the same time', async () => {
    const { output, text } = collector()
    const sink = createStdoutSink(output, surroundings)
    const streams = ['Users', 'Groups', 'AuditLogs']
    const linesOf = (stream: string) => Array.from({ length: 2000 }, (_, index) => `${stream} ${index} `.repeat(10))
    const segments = await Promise.all(streams.map((stream) => segment(stream, linesOf(stream))))
    await Promise.all(segments.map(sink.publish))
    expect(text().split('\n').slice(0, -1)).toEqual(streams.flatMap(linesOf))
  })

  it('is unavailable when nobody reads any more', async () => {
    const closed = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) })
    const sink = createStdoutSink(closed, surroundings)
    const segments = await Promise.all(['Users', 'Groups'].map((stream) => segment(stream, ['1'])))
    for (const outcome of await Promise.allSettled(segments.map(sink.publish)))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { reason: 'SinkUnavailable' } })
  })

  it('waits some seconds, and no longer, for a reader that has stopped when the process shall end', async () => {
    const begun = Promise.withResolvers<void>()
    const stopped = new Writable({ write: () => begun.resolve() })
    const clock = manualClock()
    const ending = new AbortController()
    const sink = createStdoutSink(stopped, { clock, signal: ending.signal })
    const [one, other] = await Promise.all(['Users', 'Groups'].map((stream) => segment(stream, ['1'])))
    if (one === undefined || other === undefined) return
    const end = new Error('SIGTERM')
    const outcomes = Promise.allSettled([sink.publish(one), sink.publish(other)])
    let isOver = false
    void outcomes.then(() => {
      isOver = true
    })
    await begun.promise
    ending.abort(end)
    clock.advance(5)
    await new Promise(setImmediate)
    expect(isOver).toBe(false)
    clock.advance(1)
    for (const outcome of await outcomes) expect(outcome).toEqual({ status: 'rejected', reason: end })
    await sink.close?.()
  })
})
