import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../src/sync/clock.ts'
import { type SegmentHeader, writeSegment } from '../../src/sync/segment.ts'
import { createHttpSink, type HttpSinkOptions } from '../../src/sync/sinks/http.ts'
import { type Sink, SinkError } from '../../src/sync/sinks/sink.ts'
import { createAuthority } from '../support/certificates.ts'
import { type Collector, type CollectorOptions, startCollector } from '../support/collector.ts'

const CANARY = 'canary-5f0c'

const header: SegmentHeader = {
  v: 1,
  account: 'acme',
  stream: 'Users',
  number: 0,
  run: 'acme-1',
  pod: 'a',
  end: 'cursor',
  lowerBound: '2026-11-20T00:00:00Z',
  records: 1,
  total: 1,
  complete: false,
}

const uid = (index: number) => `acme/Users/${index}`
/** An event as the engine writes it, whose text no parser would give back as it is. */
const event = (index: number, text = 'é 👩‍💻 \u2028 \\" ]},{[', extra = '') =>
  `{"time":${1_795_000_000_007 + index},"metadata":{"uid":"${uid(index)}"},"id":12345678901234567890,"n":1.0,"raw_data":${JSON.stringify(text)}${extra}}`
const events = (count: number, text?: string) => Array.from({ length: count }, (_, index) => event(index, text))

async function segment(lines: readonly string[]) {
  const writer = writeSegment()
  for (const line of lines) await writer.add(Buffer.from(`${line}\n`))
  return writer.close(header)
}

/** Time that passes only by being waited for, at once. */
function impatientClock() {
  const waits: number[] = []
  let passed = 0
  const clock: Clock = {
    now: () => new Date(1_795_000_000_000 + passed),
    monotonic: () => passed,
    wait: async (milliseconds) => {
      waits.push(milliseconds)
      passed += milliseconds
    },
  }
  return { clock, waits, passed: () => passed }
}

const toEnd: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end()
})

async function collector(options?: CollectorOptions): Promise<Collector> {
  const started = await startCollector(options)
  toEnd.push(started.stop)
  return started
}

function sinkTo(url: string, over: Partial<HttpSinkOptions> = {}) {
  const time = impatientClock()
  const told: string[] = []
  const sink = createHttpSink({
    url,
    format: 'NDJSON',
    gzip: true,
    acknowledge: false,
    headers: async () => ({ Authorization: `Bearer ${CANARY}\n` }),
    egress: { httpsProxy: undefined, noProxy: undefined },
    account: 'acme',
    connector: 'security/acme',
    clock: time.clock,
    random: () => 1,
    onWait: (what) => void told.push(what),
    signal: new AbortController().signal,
    ...over,
  })
  if (sink.close !== undefined) toEnd.push(sink.close)
  return { sink, told, ...time }
}

const publish = async (sink: Sink, lines: readonly string[]) => sink.publish(await segment(lines))
/** The sentence that a sink refuses with; fails when it does not. */
async function refusal(sink: Sink, lines: readonly string[] = events(3)): Promise<string> {
  const error = await publish(sink, lines).then(
    (outcome) => expect.fail(`published: ${JSON.stringify(outcome)}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SinkError)
  const { message } = error as SinkError
  expect(`${message} ${(error as SinkError).stack}`).not.toContain(CANARY)
  return message
}
const keysOf = ({ requests }: Collector) => requests.map(({ headers }) => headers['idempotency-key'])

describe('the http sink', () => {
  it.each(['NDJSON', 'JSONArray'] as const)('posts %s: each event once, in order, byte for byte', async (format) => {
    const to = await collector()
    const { sink } = sinkTo(to.url, { format })
    const lines = [...events(500), event(500, 'x'.repeat(300_000))]
    expect(await publish(sink, lines)).toBe('published')
    expect(to.events).toEqual(lines)
    expect(to.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${CANARY}`,
      'content-type': format === 'NDJSON' ? 'application/x-ndjson' : 'application/json',
      'content-encoding': 'gzip',
      'idempotency-key': expect.stringMatching(/^"[0-9a-f]{64}"$/),
    })
    expect(sink.readBack).toBeUndefined()
  })

  it('cuts batches of at most a megabyte, a larger record going alone', async () => {
    const to = await collector()
    const { sink } = sinkTo(to.url, { format: 'JSONArray', gzip: false })
    const large = 'y'.repeat(2_500_000)
    const lines = events(32, 'x'.repeat(100_000)).with(0, event(0, large)).with(30, event(30, large))
    await publish(sink, lines)
    expect(to.events).toEqual(lines)
    const sizes = to.requests.map(({ sent }) => sent.length)
    expect(sizes.filter((size) => size > 1_000_000)).toHaveLength(2)
    expect(sizes).toHaveLength(7)
    expect(to.requests.every(({ headers }) => headers['content-encoding'] === undefined)).toBe(true)
  })

  it('compresses only when it is asked to', async () => {
    const to = await collector()
    await publish(sinkTo(to.url).sink, events(100))
    await publish(sinkTo(to.url, { gzip: false }).sink, events(100))
    const [small = { sent: [] }, large = { sent: [] }] = to.requests
    expect(small.sent.length).toBeLessThan(large.sent.length / 4)
    expect(keysOf(to)[0]).toBe(keysOf(to)[1])
  })

  it('wraps events for Splunk, whose own text stays as it is', async () => {
    const to = await collector({ authorization: `Splunk ${CANARY}` })
    const headers = async () => ({ Authorization: `Splunk ${CANARY}` })
    await publish(sinkTo(to.splunkUrl, { format: 'SplunkHEC', headers }).sink, events(2))
    expect(to.events).toEqual(events(2))
    expect(to.envelopes).toEqual(
      [1_795_000_000.007, 1_795_000_000.008].map((time) => ({
        time,
        host: 'acme',
        source: 'zendesk-connector/security/acme',
        sourcetype: 'zendesk:ocsf',
        event: undefined,
      })),
    )
  })

  it.each([
    ['a reset connection', { kind: 'reset' }],
    ['an answer that is lost', { kind: 'loseAnswer' }],
    ['503', { kind: 'answer', status: 503 }],
    ['500', { kind: 'answer', status: 500 }],
    ['408', { kind: 'answer', status: 408 }],
    ['409', { kind: 'answer', status: 409 }],
    ['a stall', { kind: 'stall' }],
  ] as const)('sends the same bytes under the same key again after %s', async (_what, fault) => {
    const to = await collector()
    to.fail(fault, fault)
    const { sink, waits, told } = sinkTo(to.url, { stallMs: 100 })
    expect(await publish(sink, events(5))).toBe('published')
    expect(to.requests).toHaveLength(3)
    expect(new Set(to.requests.map(({ sent }) => sent.toString('hex'))).size).toBe(1)
    expect(new Set(keysOf(to)).size).toBe(1)
    expect(new Set(to.events)).toEqual(new Set(events(5)))
    expect(to.events).toHaveLength(fault.kind === 'loseAnswer' ? 15 : 5)
    expect(waits).toEqual([1000, 2000])
    expect(told).toHaveLength(2)
  })

  it('waits as long as a 429 asks for', async () => {
    const to = await collector()
    to.fail(
      { kind: 'answer', status: 429, headers: { 'retry-after': '7' } },
      { kind: 'answer', status: 503, headers: { 'retry-after': new Date(1_795_000_042_000).toUTCString() } },
    )
    const { sink, waits } = sinkTo(to.url)
    await publish(sink, events(1))
    expect(waits).toEqual([7000, 35_000])
  })

  it('gives up after two minutes, and at once when it is asked to wait longer', async () => {
    const to = await collector()
    to.fail(...Array.from({ length: 50 }, () => ({ kind: 'answer', status: 502, body: CANARY }) as const))
    const patient = sinkTo(to.url)
    expect(await refusal(patient.sink)).toMatch(/is currently unavailable \(502\)/)
    expect(patient.passed()).toBeGreaterThan(90_000)
    expect(patient.passed()).toBeLessThanOrEqual(120_000)
    const other = await collector()
    other.fail({ kind: 'answer', status: 429, headers: { 'retry-after': '600' } })
    const told = sinkTo(other.url)
    expect(await refusal(told.sink)).toMatch(/rate limiting \(429\)/)
    expect(told.waits).toEqual([])
  })

  it('reads the headers again at each request', async () => {
    const to = await collector()
    to.fail({ kind: 'answer', status: 503 })
    let reads = 0
    const headers = async () => ({ authorization: `Bearer ${++reads}` })
    await publish(sinkTo(to.url, { headers }).sink, events(1))
    expect(to.requests.map((request) => request.headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
  })
})

describe('a record that the collector refuses', () => {
  const isPoison = (text: string) => text.includes('poison')

  it.each([400, 422, 413])('is found by halving after %i, and the others arrive', async (refusesWith) => {
    const to = await collector({ refuses: isPoison, refusesWith })
    const lines = events(100).with(37, event(37, 'poison')).with(99, event(99, 'poison'))
    expect(await publish(sinkTo(to.url).sink, lines)).toEqual({ rejected: [uid(37), uid(99)] })
    expect(to.events).toEqual(lines.filter((line) => !isPoison(line)))
  })

  it('is one that is too large by itself, where batches are smaller than usual', async () => {
    const to = await collector({ mostBytes: 50_000 })
    const lines = events(40, 'x'.repeat(10_000)).with(11, event(11, 'y'.repeat(60_000)))
    expect(await publish(sinkTo(to.url).sink, lines)).toEqual({ rejected: [uid(11)] })
    expect(to.events).toEqual(lines.toSpliced(11, 1))
  })

  it('is found also when the answer comes before the body was read', async () => {
    const to = await collector()
    to.fail({ kind: 'early', status: 413 })
    const lines = events(9, 'x'.repeat(100_000))
    expect(await publish(sinkTo(to.url, { gzip: false }).sink, lines)).toBe('published')
    expect(to.events).toEqual(lines)
    expect(to.requests).toHaveLength(2)
  })

  it('is given up when it comes alone', async () => {
    const to = await collector({ refuses: isPoison })
    expect(await publish(sinkTo(to.url).sink, [event(0, 'poison')])).toEqual({ rejected: [uid(0)] })
  })

  it('is not given up where everything is refused: the sink is the wrong one', async () => {
    const to = await collector({ refuses: () => true })
    expect(await refusal(sinkTo(to.url).sink, events(2))).toMatch(/rejects every record/)
    const before = to.requests.length
    expect(await refusal(sinkTo(to.url).sink, events(5000))).toMatch(/rejects every record/)
    expect(to.requests.length - before).toBeLessThan(250)
  })

  it('is given up beside others when the collector has taken something before', async () => {
    const to = await collector({ refuses: isPoison })
    const { sink } = sinkTo(to.url)
    await publish(sink, events(1))
    const poison = [event(1, 'poison'), event(2, 'poison')]
    expect(await publish(sink, poison)).toEqual({ rejected: [uid(1), uid(2)] })
  })

  it('is one of many where every other record is refused', async () => {
    const to = await collector({ refuses: isPoison })
    const lines = Array.from({ length: 300 }, (_, index) => event(index, index % 2 === 0 ? 'poison' : 'x'))
    const rejected = lines.flatMap((_, index) => (index % 2 === 0 ? [uid(index)] : []))
    expect(await publish(sinkTo(to.url).sink, lines)).toEqual({ rejected })
  })

  it('never takes another with it, nor brings one twice (law)', async () => {
    const sizes = fc.array(
      // Far from the collector's limit, around which each format's own words decide.
      fc.record({
        size: fc.oneof(fc.nat(200), fc.nat(390_000), fc.integer({ min: 401_000, max: 600_000 })),
        poison: fc.boolean(),
      }),
      { minLength: 1, maxLength: 24 },
    )
    const to = await collector({ refuses: isPoison, mostBytes: 400_000 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom('NDJSON', 'JSONArray', 'SplunkHEC'), async (given, format) => {
        const url = format === 'SplunkHEC' ? to.splunkUrl : to.url
        const { sink } = sinkTo(url, { format, gzip: given.length % 2 === 0 })
        const lines = given.map(({ size, poison }, index) => event(index, (poison ? 'poison' : 'x').padEnd(size, 'x')))
        const isBad = given.map(({ size, poison }) => poison || size > 400_000)
        const good = lines.filter((_, index) => !isBad[index])
        const bad = lines.flatMap((_, index) => (isBad[index] ? [uid(index)] : []))
        const before = to.events.length
        const outcome = await publish(sink, lines).catch((error: unknown) => error)
        expect(to.events.slice(before)).toEqual(good)
        if (good.length === 0 && bad.length > 1) expect(outcome).toBeInstanceOf(SinkError)
        else expect(outcome).toEqual(bad.length === 0 ? 'published' : { rejected: bad })
        await sink.close?.()
      }),
      { numRuns: 40 },
    )
  })
})

describe('a collector that must be mended', () => {
  it.each([
    [401, /rejects the credentials \(401\)/],
    [403, /rejects the credentials \(403\)/],
    [404, /nothing at that path \(404\)/],
    [405, /does not accept POST/],
    [415, /set gzip to false/],
    [302, /redirects \(302\)/],
    [451, /returns 451/],
  ] as const)('is told of in one sentence: %i', async (status, sentence) => {
    const to = await collector()
    to.fail({ kind: 'answer', status, headers: { location: `/?${CANARY}` }, body: CANARY })
    const { sink } = sinkTo(`${to.url}?key=${CANARY}`)
    expect(await refusal(sink)).toMatch(sentence)
    expect(to.requests).toHaveLength(1)
    expect(to.events).toEqual([])
  })

  it('is told of by the kind of failure, and never with a secret', async () => {
    const closed = createServer()
    await once(closed.listen(0, '127.0.0.1'), 'listening')
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    expect(await refusal(sinkTo(`http://127.0.0.1:${port}/?key=${CANARY}`).sink)).toMatch(/refuses connections/)
    expect(await refusal(sinkTo(`http://${'x'.repeat(64)}.invalid/?key=${CANARY}`).sink)).toMatch(/DNS cannot resolve/)
    const breaking = await collector()
    breaking.fail(...Array.from({ length: 50 }, () => ({ kind: 'reset' }) as const))
    expect(await refusal(sinkTo(`${breaking.url}?key=${CANARY}`).sink)).toMatch(/connection to .* broke/)
  })

  it('is told of when its certificate is not trusted; with its CA it is', async () => {
    const authority = await createAuthority('a company')
    const tls = await authority.issue({ commonName: 'localhost', dnsNames: ['localhost'] })
    const to = await collector({ tls })
    const { sink, waits } = sinkTo(to.url)
    expect(await refusal(sink)).toMatch(/certificate of localhost:\d+ is not trusted/)
    expect(waits).toEqual([])
    const before = getCACertificates('default')
    toEnd.push(async () => setDefaultCACertificates(before))
    setDefaultCACertificates([...before, authority.certPem])
    expect(await publish(sinkTo(to.url).sink, events(3))).toBe('published')

    const proxy = await connectProxy()
    const egress = { httpsProxy: proxy.url, noProxy: undefined }
    expect(await publish(sinkTo(to.url, { egress }).sink, events(3))).toBe('published')
    expect(proxy.targets).toEqual([to.host])
    expect(await publish(sinkTo(to.url, { egress: { ...egress, noProxy: 'localhost' } }).sink, events(3))).toBe(
      'published',
    )
    expect(proxy.targets).toHaveLength(1)
    proxy.refuse()
    expect(await refusal(sinkTo(to.url, { egress }).sink)).toMatch(/proxy refused to connect/)
  })

  it('is told of when a key of the Secret cannot be a header, or the Secret cannot be read', async () => {
    const to = await collector()
    for (const name of ['Content-Length', 'Transfer-Encoding', 'no header']) {
      const headers = async () => ({ [name]: CANARY })
      expect(await refusal(sinkTo(to.url, { headers }).sink)).toContain(`The key ${name} in the Secret`)
    }
    const split = async () => ({ Authorization: `Bearer\r\nX-Other: ${CANARY}` })
    expect(await refusal(sinkTo(to.url, { headers: split }).sink)).toContain('The key Authorization')
    const headers = () => Promise.reject(new Error(`ENOENT ${CANARY}`))
    expect(await refusal(sinkTo(to.url, { headers }).sink)).toMatch(/Secret of the sink cannot be read/)
    expect(to.requests).toEqual([])
  })

  it('may talk without end', async () => {
    const to = await collector()
    to.fail({ kind: 'endless' })
    const { sink, waits } = sinkTo(to.url)
    expect(await publish(sink, events(1))).toBe('published')
    expect(await publish(sink, events(2))).toBe('published')
    expect(waits).toEqual([])
  })

  it('is another sink at another url, and its url stays out of the identity', () => {
    const { identity } = sinkTo(`https://c.example/?key=${CANARY}`).sink
    expect(identity).toMatch(/^http\/[0-9a-f]{64}$/)
    expect(sinkTo('https://c.example/').sink.identity).not.toBe(identity)
    expect(sinkTo(`https://c.example/?key=${CANARY}`, { gzip: false }).sink.identity).toBe(identity)
  })
})

describe('Splunk', () => {
  const splunk = (to: Collector, over: Partial<HttpSinkOptions> = {}) =>
    sinkTo(to.splunkUrl, { format: 'SplunkHEC', acknowledge: true, ...over })
  /** Of three batches. */
  const lines = events(25, 'x'.repeat(100_000))

  it('counts what its indexers have acknowledged, asking about all batches at once', async () => {
    const to = await collector({ acknowledgesAfter: 3 })
    const { sink, waits } = splunk(to)
    expect(await publish(sink, lines)).toBe('published')
    expect(to.events).toEqual(lines)
    expect(to.requests).toHaveLength(3)
    expect(waits).toEqual([1000, 2000, 4000, 8000])
    const channels = to.requests.map(({ headers }) => headers['x-splunk-request-channel'])
    expect(new Set(channels).size).toBe(1)
    expect(channels[0]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  it('is sent again what was lost, under the same keys, and only that', async () => {
    const to = await collector({ acknowledgesAfter: 0 })
    to.fail({ kind: 'answer', status: 200, body: '{"text":"Success","code":0,"ackId":7}' })
    expect(await publish(splunk(to).sink, lines)).toBe('published')
    expect(to.events.toSorted()).toEqual(lines.toSorted())
    expect(keysOf(to)).toHaveLength(4)
    expect(keysOf(to)[3]).toBe(keysOf(to)[0])
  })

  it('that begins again in the middle does not acknowledge one batch by the number of another', async () => {
    const to = await collector({ acknowledgesAfter: 0 })
    to.fail({ kind: 'restart' })
    expect(await publish(splunk(to).sink, lines)).toBe('published')
    expect(to.events.toSorted()).toEqual(lines.toSorted())
    expect(keysOf(to)).toHaveLength(4)
  })

  it('that never acknowledges makes the sink unavailable, after two rounds of five minutes', async () => {
    const to = await collector({ acknowledgesAfter: 1e9 })
    const { sink, passed, told } = splunk(to)
    expect(await refusal(sink, lines)).toMatch(/has not acknowledged/)
    expect(keysOf(to).slice(0, 3)).toEqual(keysOf(to).slice(3))
    expect(passed()).toBeGreaterThan(540_000)
    expect(passed()).toBeLessThanOrEqual(600_000)
    expect(told[0]).toMatch(/not yet acknowledged/)
  })

  it('gives up poison in acknowledged batches, too', async () => {
    const to = await collector({ acknowledgesAfter: 0, refuses: (text) => text.includes('poison') })
    to.fail({ kind: 'answer', status: 200, body: '{"text":"Success","code":0,"ackId":7}' })
    const given = lines.with(3, event(3, 'poison')).with(20, event(20, 'poison'))
    const { rejected } = (await publish(splunk(to).sink, given)) as { rejected: string[] }
    expect(rejected.toSorted()).toEqual([uid(20), uid(3)])
    expect(to.events.toSorted()).toEqual(given.toSpliced(20, 1).toSpliced(3, 1).toSorted())
  })

  it('behind a load balancer is asked with its cookies', async () => {
    const to = await collector({ acknowledgesAfter: 0, cookie: 'AWSALB=abc' })
    expect(await publish(splunk(to).sink, lines)).toBe('published')
    expect(to.looks[0]?.cookie).toBe('AWSALB=abc; other=1')
  })

  it.each([
    ['the token does not acknowledge', {}, true, /does not acknowledge/],
    [
      'the token acknowledges, and the spec does not say so',
      { acknowledgesAfter: 0 },
      false,
      /set acknowledge to true/,
    ],
    ['the token is wrong', { authorization: 'Splunk other' }, true, /rejects the token \(403\)/],
  ] as const)('says what is wrong when %s', async (_what, options, acknowledge, sentence) => {
    const to = await collector(options)
    expect(await refusal(splunk(to, { acknowledge }).sink)).toMatch(sentence)
    expect(to.requests).toHaveLength(1)
  })

  it.each([
    [400, '{"text":"Incorrect index","code":7}', /default index/],
    [400, '{"text":"ACK is disabled","code":14}', /does not acknowledge/],
    [401, `{"text":"Token is required ${CANARY}","code":2}`, /rejects the token \(401\)/],
    [404, '<html>', /end with \/services\/collector\/event/],
    [200, '<html>welcome</html>', /not a Splunk event collector/],
  ] as const)('is understood by its codes: %i %s', async (status, body, sentence) => {
    const to = await collector({ acknowledgesAfter: 0 })
    to.fail({ kind: 'answer', status, body })
    expect(await refusal(splunk(to).sink)).toMatch(sentence)
  })

  it.each([
    [503, '{"text":"Server is busy","code":9}'],
    [429, '{"text":"HEC ACK channel is at capacity","code":27}'],
  ])('that is busy is waited for: %i', async (status, body) => {
    const to = await collector({ acknowledgesAfter: 0 })
    to.fail({ kind: 'answer', status, body })
    expect(await publish(splunk(to).sink, lines)).toBe('published')
    expect(to.events).toEqual(lines)
  })
})

describe('a process that is told to end', () => {
  it('has a few seconds for what is under way, and then gives up with the reason', async () => {
    const to = await collector()
    to.fail({ kind: 'stall' })
    const stopping = new AbortController()
    const grace = Promise.withResolvers<void>()
    const waits: number[] = []
    const { clock } = impatientClock()
    const wait = (milliseconds: number) => {
      waits.push(milliseconds)
      return grace.promise
    }
    const { sink } = sinkTo(to.url, { signal: stopping.signal, clock: { ...clock, wait } })
    const publishing = publish(sink, events(1)).catch((error: unknown) => error)
    await expect.poll(() => to.requests.length).toBe(1)
    const reason = new Error('stopped by SIGTERM')
    stopping.abort(reason)
    expect(waits).toEqual([6000])
    grace.resolve()
    expect(await publishing).toBe(reason)
    await expect(publish(sink, events(1))).rejects.toBe(reason)
  })

  it('still publishes what was read', async () => {
    const to = await collector()
    const never = new Promise<void>(() => undefined)
    const { sink } = sinkTo(to.url, {
      signal: AbortSignal.abort(new Error('stopped')),
      clock: { ...impatientClock().clock, wait: () => never },
    })
    expect(await publish(sink, events(10))).toBe('published')
  })
})

/** A proxy as companies have it: CONNECT and nothing else. */
async function connectProxy() {
  const targets: string[] = []
  const sockets = new Set<Socket>()
  let refuses = false
  const server = createServer()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('connect', (request, client: Socket) => {
    client.on('error', () => client.destroy())
    if (refuses) return void client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    targets.push(request.url ?? '')
    const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      client.pipe(onward).pipe(client)
    })
    onward.on('error', () => client.destroy())
    sockets.add(onward)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  toEnd.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    refuse: () => {
      refuses = true
    },
  }
}
