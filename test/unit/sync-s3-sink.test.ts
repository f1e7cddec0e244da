import { execFileSync } from 'node:child_process'
import { hash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createPlain } from 'node:http'
import { createServer } from 'node:https'
import { type AddressInfo, connect, type Server } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Clock, systemClock } from '../../src/sync/clock.ts'
import { type SegmentHeader, writeSegment } from '../../src/sync/segment.ts'
import { createS3Sink, type S3SinkOptions } from '../../src/sync/sinks/s3.ts'
import { lastNumber } from '../../src/sync/sinks/s3-last.ts'
import { connectToS3 } from '../../src/sync/sinks/s3-store.ts'
import type { Sink } from '../../src/sync/sinks/sink.ts'
import { createAuthority } from '../support/certificates.ts'
import { type Play, type Relay, startRelay } from '../support/s3/relay.ts'
import { type S3Server, startS3 } from '../support/s3/server.ts'

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
const linesOf = async (sink: Sink, number: number) => {
  const lines: string[] = []
  for await (const line of sink.readBack?.lines('Users', number) ?? []) lines.push(line)
  return lines
}

/** Time that passes only while something waits for it. */
function hurriedClock(): Clock & { readonly passed: () => number } {
  let passed = 0
  return {
    now: () => new Date(passed),
    monotonic: () => passed,
    passed: () => passed,
    wait: async (milliseconds) => {
      passed += milliseconds
    },
  }
}

const command = (name: string, ...args: string[]) => execFileSync(name, args, { encoding: 'utf8', stdio: 'pipe' })

let s3: S3Server
let relay: Relay
let bucket: string
let folder: string
const sinks: Sink[] = []
const open = (over: Partial<S3SinkOptions> = {}) => {
  const sink = createS3Sink({
    bucket,
    prefix: 'zendesk',
    region: 'us-east-1',
    endpoint: s3.endpoint,
    pathStyle: true,
    namespace: 'security',
    connector: 'acme',
    credentials: async () => s3,
    egress: { httpsProxy: undefined, noProxy: undefined },
    clock: hurriedClock(),
    random: Math.random,
    onWait: () => undefined,
    signal: new AbortController().signal,
    ...over,
  })
  sinks.push(sink)
  return sink
}
const chain = () => join(folder, 'zendesk', 'security', 'acme', 'Users')
const fileName = (number: number) => `${String(number).padStart(12, '0')}.ndjson.gz`
/** Puts an object there as anybody could. */
const put = async (number: number, body: string | Buffer) => {
  const egress = { httpsProxy: undefined, noProxy: undefined }
  const { open, close } = connectToS3({ bucket, region: 'us-east-1', endpoint: s3.endpoint, pathStyle: true, egress })
  const key = `zendesk/security/acme/Users/${fileName(number)}`
  await open(s3).create(key, Buffer.from(body), 'application/gzip', new AbortController().signal)
  await close()
}
const refusal = (code: string, status: number) => ({
  status,
  body: `<Error><Code>${code}</Code><Message>${canary}</Message></Error>`,
})
const listing = (keys: readonly string[], more: boolean) =>
  `<ListBucketResult><Name>b</Name><IsTruncated>${more}</IsTruncated>${keys
    .map((key) => `<Contents><Key>${key}</Key></Contents>`)
    .join('')}</ListBucketResult>`
const canary = 'CANARY-of-a-body'
/** The sentence with which it fails; nothing that a store wrote, and no secret, may stand in the error. */
const failureOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ name: 'SinkError', reason: 'SinkUnavailable' })
  const shown = inspect(error, { depth: 9, showHidden: true })
  for (const secret of [canary, s3.secretAccessKey, 'CANARY-key']) expect(shown).not.toContain(secret)
  const { message } = error as Error
  expect(message).toMatch(/^[^\n]{20,300}\.$/)
  return message
}

beforeAll(async () => {
  s3 = await startS3()
}, 900_000)
afterAll(() => s3?.stop())

let count = 0
async function newBucket() {
  count += 1
  bucket = `bucket-${count}`
  folder = await s3.bucket(bucket)
}
beforeAll(newBucket, 900_000)
afterEach(async () => {
  await Promise.all(sinks.splice(0).map((sink) => sink.close?.()))
  await relay?.stop()
  await newBucket()
})
/** The store behind a relay. */
const behindRelay = async (decide?: Parameters<Relay['play']>[0]) => {
  relay = await startRelay(s3.endpoint)
  if (decide !== undefined) relay.play(decide)
  return { endpoint: relay.endpoint }
}

describe('the S3 sink', () => {
  it('publishes a segment as an object that any gzip tool reads', async () => {
    const hostile = ['{"a":"\u2028\u2029\r é 👩‍💻"}', `{"b":"${'x'.repeat(200_000)}"}`]
    const sink = open()
    expect(await sink.publish(await segment({}, ...hostile))).toBe('published')
    const objects = await s3.objects(bucket)
    expect(objects.map(({ key }) => key)).toEqual([
      'zendesk/security/acme/.conditional-writes',
      'zendesk/security/acme/Users/000000000000.ndjson.gz',
    ])
    expect(command('zcat', objects[1]?.file ?? '')).toBe(`${hostile.join('\n')}\n`)
    expect(await sink.readBack?.header('Users', 0)).toEqual(header())
    expect(await linesOf(sink, 0)).toEqual(hostile)
  })

  it('says that it is gzip, not text that was compressed on its way, and gives its checksums', async () => {
    const sink = open(await behindRelay())
    await sink.publish(await segment({}, '1'))
    const { headers } = relay.seen.findLast(({ method }) => method === 'PUT') ?? {}
    expect(headers).toMatchObject({ 'content-type': 'application/gzip', 'if-none-match': '*' })
    expect(headers).not.toHaveProperty('content-encoding')
    expect(headers?.['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/)
    expect(headers?.['content-md5']).toBe(hash('md5', await readFile(join(chain(), fileName(0))), 'base64'))
  })

  it('reads a header that is longer than most, and lines of many parts', async () => {
    const sink = open()
    const end = 'ü \u0000 👩‍💻'.repeat(500)
    const noise = Array.from({ length: 900 }, () => randomBytes(6000).toString('base64'))
    await sink.publish(await segment({ end }, ...noise))
    expect(await sink.readBack?.header('Users', 0)).toEqual(header({ end }))
    expect((await linesOf(sink, 0)).join() === noise.join()).toBe(true)
    expect((await readFile(join(chain(), fileName(0)))).length).toBeGreaterThan(4 * 1024 * 1024)
  })

  it('never replaces what stands there, and tells whose it is, to a sink that starts anew, too', async () => {
    await open().publish(await segment({ run: 'first' }, '1'))
    const second = open()
    expect(await second.publish(await segment({ run: 'second' }, '2'))).toEqual({ taken: header({ run: 'first' }) })
    expect(await linesOf(second, 0)).toEqual(['1'])
  })

  it('lets one of ten writers win, on each of twenty keys', async () => {
    const writers = Array.from({ length: 10 }, (_, index) => ({ run: `run-${index}`, sink: open() }))
    for (let number = 0; number < 20; number++) {
      const outcomes = await Promise.all(
        writers.map(async ({ run, sink }) => sink.publish(await segment({ run, number }, run))),
      )
      const winners = writers.filter((_, index) => outcomes[index] === 'published')
      expect(winners).toHaveLength(1)
      const taken = { taken: header({ run: winners[0]?.run ?? '', number }) }
      expect(outcomes.filter((outcome) => outcome !== 'published')).toEqual(Array(9).fill(taken))
    }
  })

  it('finds its own segment when the answer to publishing it was lost', async () => {
    const waits: string[] = []
    let cuts = 0
    const options = await behindRelay(({ method, url }) => {
      if (method !== 'PUT' || !url.includes('Users') || cuts > 0) return 'pass'
      cuts += 1
      return 'cut'
    })
    const sink = open({ ...options, onWait: (what) => waits.push(what) })
    expect(await sink.publish(await segment({ run: 'ours' }, '1'))).toEqual({ taken: header({ run: 'ours' }) })
    expect(waits).toEqual([expect.stringMatching(/^The connection to 127\.0\.0\.1:\d+ broke/)])
  })

  it('knows nothing of a number that is not there', async () => {
    expect(await open().readBack?.header('Users', 7)).toBeUndefined()
    expect(await open().readBack?.last('Users')).toBeUndefined()
  })

  it('says so when an object is no segment, or is cut off, or is gone', async () => {
    const whole = await segment({}, ...Array.from({ length: 999 }, (_, index) => `${index * Math.PI}`))
    await put(0, whole.gzip.subarray(0, -20))
    await put(1, 'hello')
    await writeFile(join(chain(), fileName(2)), '')
    await put(3, 'x'.repeat(200_000))
    const sink = open()
    expect(await failureOf(linesOf(sink, 0))).toContain('truncated or damaged')
    for (const number of [1, 2, 3]) {
      expect(await failureOf(sink.readBack?.header('Users', number) ?? Promise.resolve())).toContain('not a segment')
    }
    expect(await failureOf(linesOf(sink, 9))).toContain('was deleted')
    expect(await failureOf(sink.publish(await segment({ number: 1 }, '1')))).toContain('not a segment')
  })

  it('is another sink in another bucket, prefix or store, and the same with slashes around the prefix', () => {
    const of = (over: Partial<S3SinkOptions>) => open(over).identity
    expect(of({ prefix: '/zendesk/' })).toBe(of({}))
    const all = [of({}), of({ bucket: 'other' }), of({ prefix: '' }), of({ endpoint: 'https://other:9000' })]
    expect(new Set(all).size).toBe(all.length)
  })
})

describe('the end of a chain in S3', () => {
  it('is found though the beginning is gone, whatever else lies there', async () => {
    const sink = open(await behindRelay())
    const numbers = Array.from({ length: 1_001 }, (_, index) => 54_321 + index)
    const copies = numbers.map((number) => `${fileName(55_321)}.${number}`)
    await mkdir(chain(), { recursive: true })
    for (const name of [...numbers.map(fileName), ...copies, fileName(55_322), 'readme.txt']) {
      writeFileSync(join(chain(), name), '')
    }
    expect(await sink.readBack?.last('Users')).toBe(55_322)
    await rm(chain(), { recursive: true })
    await put(999_999_999, 'x')
    expect(await sink.readBack?.last('Users')).toBe(999_999_999)
  })

  it('is found by as many requests as the chain has digits, not segments', async () => {
    // A store of a million segments that pages as S3 does: no real one has so many here.
    const [first, last] = [250_000, 1_250_000]
    const sink = open(
      await behindRelay(({ url }) => {
        const after = /(\d{12})/.exec(new URL(url, 'http://s3').searchParams.get('start-after') ?? '')?.[1]
        const from = Math.max(first, Number(after ?? -1) + 1)
        const count = Math.max(0, Math.min(1000, last - from + 1))
        const keys = Array.from(
          { length: count },
          (_, index) => `zendesk/security/acme/Users/${fileName(from + index)}`,
        )
        return { status: 200, body: listing(keys, from + count <= last) }
      }),
    )
    expect(await sink.readBack?.last('Users')).toBe(last)
    expect(relay.seen.length).toBeLessThanOrEqual(24)
  })

  it('is looked for from the first numbers on where a store does not know how to start elsewhere', async () => {
    const keys = [3, 4, 5].map((number) => `zendesk/security/acme/Users/${fileName(number)}`)
    const sink = open(await behindRelay(() => ({ status: 200, body: listing(keys, true) })))
    expect(await sink.readBack?.last('Users')).toBe(5)
  })

  it('is the highest number, whatever is gone and however large the pages are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat({ max: 1_000_000 }), { maxLength: 60 }),
        fc.nat({ max: 20_000 }),
        fc.integer({ min: 1, max: 1500 }),
        async (scattered, dense, page) => {
          const first = scattered[0] ?? 0
          const run = Array.from({ length: scattered.length === 0 ? 0 : dense }, (_, index) => first + index)
          const all = [...new Set([...scattered, ...run])].sort((one, other) => one - other)
          let pages = 0
          const last = await lastNumber(async (number) => {
            pages += 1
            const index = all.findIndex((one) => one > number)
            const after = index < 0 ? [] : all.slice(index, index + page)
            return { numbers: after, more: index >= 0 && index + page < all.length }
          })
          expect(last).toBe(all.at(-1))
          if (all.length <= page) expect(pages).toBe(1)
          expect(pages).toBeLessThanOrEqual(2 + 2 * Math.log2(2 + (all.at(-1) ?? 0)) + 1000 / page)
        },
      ),
    )
  })
})

describe('a store that would overwrite', () => {
  it('is refused before anything is published', async () => {
    const sink = open(
      await behindRelay(({ method }) => (method === 'PUT' ? { status: 200, headers: { etag: '"x"' } } : 'pass')),
    )
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain('ignores If-None-Match')
    expect(relay.seen.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual(
      Array(2).fill(`PUT /${bucket}/zendesk/security/acme/.conditional-writes`),
    )
    expect(await s3.objects(bucket)).toEqual([])
  })

  it('is refused when it does not know the condition', async () => {
    const sink = open(await behindRelay(() => refusal('NotImplemented', 501)))
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain('If-None-Match')
  })

  it('is looked for once in a run, with one request when its answer is known', async () => {
    const first = open(await behindRelay())
    await first.publish(await segment({}, '1'))
    expect(relay.seen).toHaveLength(3)
    const second = open({ endpoint: relay.endpoint })
    for (const number of [1, 2, 3]) await second.publish(await segment({ number }, '1'))
    expect(relay.seen).toHaveLength(3 + 1 + 3)
  })
})

describe('a refusal of the store', () => {
  it.each<[string, Partial<S3SinkOptions>, string]>([
    ['a bucket that is not there', { bucket: 'missing' }, 'The bucket missing does not exist'],
    [
      'a wrong key',
      { credentials: async () => ({ accessKeyId: 'CANARY-key', secretAccessKey: canary }) },
      "accessKeyId and secretAccessKey in the sink's Secret",
    ],
    [
      'a wrong region',
      { region: 'eu-west-1' },
      "not in the region eu-west-1 but in us-east-1: correct the sink's region",
    ],
    [
      'a Secret without a key',
      { credentials: async () => ({ ...s3, secretAccessKey: ' ' }) },
      'The key secretAccessKey of',
    ],
    [
      'a Secret that is not there',
      { credentials: () => Promise.reject(new Error(canary)) },
      "The sink's Secret cannot be read",
    ],
    ['a region that is none', { region: 'no such region', endpoint: undefined as never }, 'does not respond like S3'],
  ])('%s is named as such', async (_, over, sentence) => {
    expect(await failureOf(open(over).publish(await segment({}, '1')))).toContain(sentence)
    expect(await s3.objects(bucket)).toEqual([])
  })

  it('a secret that does not fit its key is named as such', async () => {
    const sink = open({ credentials: async () => ({ accessKeyId: s3.accessKeyId, secretAccessKey: canary }) })
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain('rejects the access key')
  })

  it.each<[Play, string]>([
    [refusal('AccessDenied', 403), 'denies access (AccessDenied): allow s3:PutObject'],
    [{ status: 403, body: `<html>${canary}</html>` }, 'denies access (403)'],
    [refusal('ExpiredToken', 400), 'temporary credentials'],
    [refusal('PermanentRedirect', 301), 'not in the region us-east-1:'],
    [
      { ...refusal('PermanentRedirect', 301), headers: { 'x-amz-bucket-region': 'eu-west-1' } },
      'not in the region us-east-1 but in eu-west-1',
    ],
    [
      { ...refusal('PermanentRedirect', 301), headers: { 'x-amz-bucket-region': `${canary}!` } },
      'not in the region us-east-1:',
    ],
    [refusal('QuotaExceeded', 403), 'quota is exhausted'],
    [{ status: 507 }, 'full or its quota is exhausted (507)'],
    [{ status: 413, body: canary }, 'too large'],
    [refusal('InvalidObjectState', 403), 'archive class'],
    [refusal('SomethingNew', 400), 'refused the request (SomethingNew 400)'],
    [refusal(`${canary}, in a code`, 400), 'refused the request (Unknown 400)'],
    [{ status: 404, body: canary }, 'refused'],
    [{ status: 200, body: `<html>${canary}</html>` }, 'does not respond like S3'],
    [{ status: 200, body: canary }, 'does not respond like S3'],
  ])('%j is a sentence', async (play, sentence) => {
    const options = await behindRelay(() => play)
    const { publish, readBack } = open(options)
    const works = [publish(await segment({}, '1')), readBack?.last('Users'), readBack?.header('Users', 0)]
    const sentences = await Promise.all(works.map((work) => failureOf(Promise.resolve(work))))
    expect(sentences).toEqual(Array(3).fill(expect.stringContaining(sentence)))
    expect(relay.seen.length).toBeLessThanOrEqual(6)
  })

  it('is answered with credentials read anew: a Secret is rotated in the middle of a run', async () => {
    let key = await s3.addKey('everything')
    let reads = 0
    const credentials = async () => {
      reads += 1
      return { accessKeyId: `${key.accessKeyId}\n`, secretAccessKey: `${key.secretAccessKey}\n` }
    }
    const sink = open({ credentials })
    await sink.publish(await segment({}, '1'))
    expect(reads).toBe(1)
    const old = key
    key = await s3.addKey('everything')
    await s3.revokeKey(old)
    const readers = Array.from({ length: 4 }, () => sink.readBack?.header('Users', 0))
    expect(await Promise.all(readers)).toEqual(Array(4).fill(header()))
    expect(reads).toBe(2)
    await s3.revokeKey(key)
    expect(await failureOf(sink.publish(await segment({ number: 1 }, '1')))).toContain('rejects the access key')
    expect(reads).toBe(3)
  })

  it('a key without rights is told what it needs', async () => {
    const key = await s3.addKey('nothing')
    const sink = open({ credentials: async () => key })
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain('denies access (AccessDenied)')
  })
})

describe('trouble that passes', () => {
  it.each<[string, Play]>([
    ['SlowDown', refusal('SlowDown', 503)],
    ['a conflict of two writers', refusal('ConditionalRequestConflict', 409)],
    ['a gateway without its store', { status: 502, body: `<html>${canary}</html>` }],
    ['a clock that is wrong', refusal('RequestTimeTooSkewed', 403)],
    ['a cut connection', 'cut'],
  ])('is waited out, and said: %s', async (_, play) => {
    let left = 3
    const waits: string[] = []
    const options = await behindRelay(({ method }) => (method === 'GET' && left-- > 0 ? play : 'pass'))
    const sink = open({ ...options, onWait: (what) => waits.push(what) })
    await sink.publish(await segment({}, '1'))
    expect(await linesOf(sink, 0)).toEqual(['1'])
    expect(waits).toHaveLength(3)
    for (const wait of waits) expect(wait).toMatch(/^[^\n]*: (check|set) [^\n]*\.$/)
    expect(waits.join()).not.toContain(canary)
  })

  it.each<[string, () => Promise<Partial<S3SinkOptions>>, string]>([
    ['a store that is down', async () => ({ endpoint: 'http://127.0.0.1:1' }), 'ECONNREFUSED'],
    ['a name without an address', async () => ({ endpoint: 'http://s3.invalid', pathStyle: true }), 'DNS'],
    ['a bucket below a name', async () => ({ endpoint: 'http://s3.invalid', pathStyle: false }), 'pathStyle: true'],
    ['a store that cannot', () => behindRelay(() => refusal('InternalError', 500)), 'is currently unavailable'],
  ])('ends the run after two minutes: %s', async (_, options, sentence) => {
    const clock = hurriedClock()
    const waits: number[] = []
    const sink = open({ ...(await options()), clock, random: () => 1, onWait: (_what, ms) => waits.push(ms) })
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain(sentence)
    expect(clock.passed()).toBeGreaterThan(90_000)
    expect(clock.passed()).toBeLessThanOrEqual(120_000)
    expect(waits.slice(0, 3)).toEqual([500, 1000, 2000])
  })

  it.each(['before', 'while'])('is not waited out by a run that was stopped %s it hangs', async (when) => {
    const stopping = new AbortController()
    const grace = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const graces: number[] = []
    const options = await behindRelay(() => {
      reached.resolve()
      return new Promise<Play>(() => {})
    })
    const clock = {
      ...hurriedClock(),
      wait: async (milliseconds: number) => {
        graces.push(milliseconds)
        await grace.promise
      },
    }
    if (when === 'before') stopping.abort(new Error('SIGTERM'))
    const sink = open({ ...options, clock, signal: stopping.signal })
    const publishing = sink.publish(await segment({}, '1'))
    publishing.catch(() => undefined)
    await reached.promise
    stopping.abort(new Error('SIGTERM'))
    await vi.waitFor(() => expect(graces).toEqual([6_000]))
    grace.resolve()
    await expect(publishing).rejects.toThrow('SIGTERM')
    await expect(linesOf(sink, 0)).rejects.toThrow('SIGTERM')
  })

  it('is not waited for either: a run that was stopped tries no more', async () => {
    const stopping = new AbortController()
    const options = await behindRelay(() => refusal('SlowDown', 503))
    const clock = {
      ...hurriedClock(),
      wait: async (milliseconds: number, signal: AbortSignal) => {
        if (milliseconds === 6_000) return
        stopping.abort(new Error('SIGTERM'))
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    }
    const sink = open({ ...options, clock, signal: stopping.signal })
    await expect(sink.publish(await segment({}, '1'))).rejects.toThrow('SIGTERM')
    expect(relay.seen).toHaveLength(1)
  })

  it('does not keep a run that was stopped from publishing what it has read', async () => {
    const sink = open({ clock: systemClock, signal: AbortSignal.abort() })
    expect(await sink.publish(await segment({}, '1'))).toBe('published')
  })
})

describe('the way to S3', () => {
  let proxy: Server
  let tls: Server
  let tunnels: string[]
  const portOf = (server: Server) => (server.address() as AddressInfo).port
  const listening = async (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const forward = (port: number) => {
    // A proxy that brings whatever is asked for to the one server there is.
    const server = createPlain((_, answer) => answer.writeHead(403).end())
    server.on('connect', (request, client) => {
      tunnels.push(request.url ?? '')
      const onward = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        client.pipe(onward).pipe(client)
      })
      for (const socket of [client, onward]) socket.on('error', () => onward.destroy())
    })
    return server
  }

  beforeAll(async () => {
    const authority = await createAuthority('a company')
    const { certPem, keyPem } = await authority.issue({ commonName: 's3', dnsNames: ['s3.test', 'localhost'] })
    const before = getCACertificates('default')
    setDefaultCACertificates([...before, authority.certPem])
    tls = createServer({ cert: certPem, key: keyPem }, (incoming, outgoing) => {
      incoming.resume().on('end', () => outgoing.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>'))
    })
    await listening(tls)
    proxy = forward(portOf(tls))
    await listening(proxy)
    return () => {
      setDefaultCACertificates(before)
      proxy.close()
      tls.close()
    }
  })
  const ask = async (endpoint: string, noProxy?: string) => {
    tunnels = []
    const sink = open({ endpoint, egress: { httpsProxy: `http://127.0.0.1:${portOf(proxy)}`, noProxy } })
    expect(await sink.readBack?.header('Users', 0)).toBeUndefined()
    await sink.close?.()
    return tunnels
  }

  it('leads through the proxy', async () => {
    expect(await ask('https://s3.test')).toEqual(['s3.test:443'])
  })

  it('leads past it where NO_PROXY names the store, and for plain http', async () => {
    expect(await ask(`https://localhost:${portOf(tls)}`, '.svc,localhost')).toEqual([])
    expect(await ask(s3.endpoint)).toEqual([])
  })

  it('needs a certificate that is trusted, for the name that was asked for', async () => {
    const egress = { httpsProxy: `http://127.0.0.1:${portOf(proxy)}`, noProxy: undefined }
    const sink = open({ endpoint: 'https://other.test', egress })
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain('is not trusted (ERR_TLS_CERT')
  })

  it('says so when the proxy refuses', async () => {
    const refusing = createPlain().on('connect', (_, client) => client.end('HTTP/1.1 403 No\r\n\r\n'))
    await listening(refusing)
    const egress = { httpsProxy: `http://127.0.0.1:${portOf(refusing)}`, noProxy: undefined }
    const sink = open({ endpoint: 'https://s3.test', egress })
    expect(await failureOf(sink.publish(await segment({}, '1')))).toContain('The proxy refused to connect to s3.test')
    refusing.close()
  })
})

describe('without a Secret', () => {
  afterEach(() => vi.unstubAllEnvs())
  const bare = () => {
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent')
  }
  const ambient = (over: Partial<S3SinkOptions> = {}) => {
    const { credentials: _, ...options } = { ...over }
    return open({ ...options, credentials: undefined as never })
  }

  it('the credentials are those that a pod identity hands out', async () => {
    bare()
    const agent = createPlain((request, answer) => {
      const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = s3
      const Expiration = new Date(Date.now() + 3_600_000).toISOString()
      const isKnown = request.headers.authorization === 'a-token'
      answer
        .writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
        .end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token: '', Expiration }))
    })
    await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve))
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${(agent.address() as AddressInfo).port}/`)
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'a-token')
    expect(await ambient().publish(await segment({}, '1'))).toBe('published')
    agent.close()
  })

  it('and without any other credentials, a sentence says how to get some', async () => {
    bare()
    expect(await failureOf(ambient().publish(await segment({}, '1')))).toContain('The pod has no AWS credentials')
  })

  const withRole = async (decide: Parameters<Relay['play']>[0]) => {
    bare()
    relay = await startRelay()
    relay.play(decide)
    const token = join(folder, 'token')
    await writeFile(token, canary)
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/sync')
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', token)
    vi.stubEnv('AWS_ENDPOINT_URL_STS', relay.endpoint)
  }

  it('a role is taken up by the web identity, also when its service has a bad moment', async () => {
    const credentials = `<AccessKeyId>${s3.accessKeyId}</AccessKeyId><SecretAccessKey>${s3.secretAccessKey}</SecretAccessKey>`
    const result = `<AssumeRoleWithWebIdentityResult><Credentials>${credentials}</Credentials></AssumeRoleWithWebIdentityResult>`
    const good = {
      status: 200,
      body: `<AssumeRoleWithWebIdentityResponse>${result}</AssumeRoleWithWebIdentityResponse>`,
    }
    // Of itself the SDK tries three times where it is told 503.
    const unavailable = refusal('ServiceUnavailable', 503)
    const plays: Play[] = [unavailable, unavailable, unavailable, 'cut']
    await withRole(() => plays.shift() ?? good)
    const waits: string[] = []
    expect(await ambient({ onWait: (what) => waits.push(what) }).publish(await segment({}, '1'))).toBe('published')
    expect(waits).toEqual([
      expect.stringContaining("AWS's token service is currently unavailable (503)"),
      expect.stringContaining("The connection to AWS's token service broke"),
    ])
  })

  it('a token that is not there is no trouble of the network', async () => {
    await withRole(() => 'cut')
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', '/nonexistent')
    expect(await failureOf(ambient().publish(await segment({}, '1')))).toContain('The pod has no AWS credentials')
  })

  it('a role that is never answered does not keep a run that was stopped', async () => {
    const stopping = new AbortController()
    await withRole(() => {
      stopping.abort(new Error('SIGTERM'))
      return new Promise<Play>(() => {})
    })
    const sink = ambient({ signal: stopping.signal })
    await expect(sink.publish(await segment({}, '1'))).rejects.toThrow('SIGTERM')
  })

  it('a role that is refused is named as such', async () => {
    const error = `<Error><Code>AccessDenied</Code><Message>${canary}</Message></Error>`
    await withRole(() => ({ status: 403, body: `<ErrorResponse>${error}</ErrorResponse>` }))
    expect(await failureOf(ambient().publish(await segment({}, '1')))).toContain("the role's trust policy")
    expect(relay.seen).toHaveLength(1)
  })
})
