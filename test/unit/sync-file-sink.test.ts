import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SegmentHeader, writeSegment } from '../../src/sync/segment.ts'
import { createFileSink } from '../../src/sync/sinks/file.ts'
import type { ReadBack, Sink } from '../../src/sync/sinks/sink.ts'

const header = (over: Partial<SegmentHeader> = {}): SegmentHeader => ({
  v: 1,
  account: 'acme',
  stream: 'Users',
  number: 0,
  run: 'acme-1',
  pod: 'a',
  end: 'cursor',
  lowerBound: '2026-11-20T00:00:00Z',
  records: 2,
  total: 2,
  complete: false,
  ...over,
})
async function segment(over: Partial<SegmentHeader> = {}, ...lines: string[]) {
  const writer = writeSegment()
  for (const line of lines) await writer.add(Buffer.from(`${line}\n`))
  return writer.close(header(over))
}
const linesOf = async (readBack: ReadBack | undefined, number: number) => {
  const lines: string[] = []
  for await (const line of readBack?.lines('Users', number) ?? []) lines.push(line)
  return lines
}

let root: string
let sink: Sink
const open = () => createFileSink({ root, claimName: 'data', namespace: 'security', connector: 'acme' })
const command = (name: string, ...args: string[]) => execFileSync(name, args, { encoding: 'utf8', stdio: 'pipe' })
const folder = () => join(root, 'security', 'acme', 'Users')

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sink-'))
  sink = open()
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('the file sink', () => {
  it('publishes a segment that any gzip tool reads, and its header from the first bytes', async () => {
    const hostile = ['{"a":"\u2028\u2029\r é 👩‍💻"}', `{"b":"${'x'.repeat(200_000)}"}`]
    const cursor = 'ü \u0000 👩‍💻'
    expect(await sink.publish(await segment({ end: cursor }, ...hostile))).toBe('published')
    const path = join(folder(), '000000000000.ndjson.gz')
    expect(command('zcat', path)).toBe(`${hostile.join('\n')}\n`)
    expect(await sink.readBack?.header('Users', 0)).toEqual(header({ end: cursor }))
    expect(await linesOf(sink.readBack, 0)).toEqual(hostile)
    expect(await readdir(folder())).toEqual(['000000000000.ndjson.gz'])
    expect((await stat(path)).mode & 0o007).toBe(0)
  })

  it('never replaces what stands there, and tells whose it is', async () => {
    await sink.publish(await segment({ run: 'first' }, '1'))
    expect(await open().publish(await segment({ run: 'second' }, '2'))).toEqual({ taken: header({ run: 'first' }) })
    expect(await linesOf(sink.readBack, 0)).toEqual(['1'])
    expect(await readdir(folder())).toEqual(['000000000000.ndjson.gz'])
  })

  it('lets one of many win', async () => {
    const attempts = Array.from({ length: 20 }, async (_, index) =>
      open().publish(await segment({ run: `${index}` }, `${index}`)),
    )
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value === 'published')).toHaveLength(
      1,
    )
  })

  it('knows the highest number, and none before the first', async () => {
    expect(await sink.readBack?.last('Users')).toBeUndefined()
    for (const number of [0, 1, 12]) await sink.publish(await segment({ number }, '1'))
    expect(await sink.readBack?.last('Users')).toBe(12)
    expect(await sink.readBack?.header('Users', 2)).toBeUndefined()
  })

  it('clears away what runs that died left half-written', async () => {
    await mkdir(folder(), { recursive: true })
    await writeFile(join(folder(), '.000000000000.ndjson.gz.0b5d3c1e-0000-4000-8000-000000000000'), 'half')
    await writeFile(join(folder(), '.keep'), '')
    await sink.publish(await segment({}, '1'))
    expect(await readdir(folder())).toEqual(['.keep', '000000000000.ndjson.gz'])
  })

  it('says so when nothing is mounted, instead of writing elsewhere', async () => {
    await rm(root, { recursive: true })
    await expect(sink.publish(await segment({}, '1'))).rejects.toMatchObject({
      reason: 'SinkUnavailable',
      message: expect.stringContaining('is missing'),
    })
    await expect(stat(root)).rejects.toThrow()
    await mkdir(root)
  })

  it('says so when a file is no segment, or is cut off', async () => {
    const whole = await segment({}, ...Array.from({ length: 999 }, (_, index) => `${index * Math.PI}`))
    await mkdir(folder(), { recursive: true })
    await writeFile(join(folder(), '000000000000.ndjson.gz'), whole.gzip.subarray(0, -20))
    await writeFile(join(folder(), '000000000001.ndjson.gz'), 'hello')
    await expect(linesOf(sink.readBack, 0)).rejects.toMatchObject({ reason: 'SinkUnavailable' })
    await expect(sink.readBack?.header('Users', 1)).rejects.toMatchObject({ reason: 'SinkUnavailable' })
  })

  it('says that a segment is gone, and not the volume, when consumers have removed it too early', async () => {
    await sink.publish(await segment({}, '1'))
    await rm(join(folder(), '000000000000.ndjson.gz'))
    await expect(linesOf(sink.readBack, 0)).rejects.toMatchObject({
      reason: 'SinkUnavailable',
      message: expect.stringMatching(/000000000000.ndjson.gz was deleted .* last two days/),
    })
  })

  it.skipIf(process.getuid?.() === 0)('says so when it may not write', async () => {
    await chmod(root, 0o555)
    await expect(sink.publish(await segment({}, '1'))).rejects.toMatchObject({
      message: expect.stringContaining('fsGroup'),
    })
  })

  it.skipIf(process.getuid?.() !== 0)('says so when the volume is full, and leaves nothing behind', async (context) => {
    try {
      command('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', root)
    } catch {
      context.skip()
    }
    try {
      const noise = Array.from({ length: 20_000 }, () => String(Math.random()))
      await expect(sink.publish(await segment({}, ...noise))).rejects.toMatchObject({
        reason: 'SinkUnavailable',
        message: expect.stringContaining('full'),
      })
      expect(await readdir(folder())).toEqual([])
    } finally {
      command('umount', root)
    }
  })

  it('is another sink for another claim', () => {
    expect(open().identity).toBe(sink.identity)
    expect(createFileSink({ root, claimName: 'other', namespace: 'security', connector: 'acme' }).identity).not.toBe(
      sink.identity,
    )
  })
})

describe('a segment', () => {
  it('has the same bytes for the same records', async () => {
    const [one, other] = await Promise.all([segment({}, '1', '2'), segment({}, '1', '2')])
    expect(one.gzip.equals(other.gzip)).toBe(true)
    expect(gunzipSync(one.gzip).toString()).toBe('1\n2\n')
  })
})
