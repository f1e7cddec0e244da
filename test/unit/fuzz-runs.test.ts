/**
 * What Zendesk answers a sync run, spoilt field by field and header by header: each run ends, soon and with a reason;
 * nothing that it says holds a secret or what a terminal obeys; what it publishes are whole lines, each once; and the
 * next run, which is answered well, goes on from there.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { REASONS } from '../../src/connector/reasons.ts'
import {
  checkpoint as checkpointSchema,
  checkpointSeen,
  EXIT,
  report as reportSchema,
} from '../../src/connector/run.ts'
import { STREAMS, type StreamName } from '../../src/connector/schema.ts'
import { asTable } from '../../src/local-summary.ts'
import { HEADER_BYTES, readSegmentHeader } from '../../src/sync/segment.ts'
import { STREAM } from '../../src/sync/streams.ts'
import { connectTo, type HttpAnswer } from '../../src/zendesk/http.ts'
import { splitPage } from '../../src/zendesk/pages.ts'
import type { Account } from '../simulator/account.ts'
import { largestWindow } from '../simulator/ledger.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'
import {
  type Answers,
  type Ground,
  newGround,
  PER_MINUTE,
  play,
  publishedLines,
  type Question,
  type Ran,
  type RunOptions,
  rawOf,
  recordAnswers,
  run,
  type Spoilt,
  tokenIn,
  uidOf,
} from './fixtures/played-run.ts'
import { HEADER_VALUES, LEAK, pathsIn, STATUSES, spoiltBodies, withInstead } from './fixtures/spoilt.ts'
import {
  FEW,
  fieldsAround,
  fieldsOfRecord,
  hostileValues,
  type Page,
  type Path,
  SOME,
  withRecords,
} from './fixtures/spoilt-pages.ts'

// Its waits take no time.
vi.mock('node:timers/promises', async (original) => ({
  ...(await original<object>()),
  setTimeout: (await import('./fixtures/faked-delay.ts')).delay,
}))

const SECRET = 'the-client-secret-41ab'
const CLIENT = { clientId: 'zendesk-connector', clientSecret: SECRET }

let simulator: Simulator
let real: ReturnType<typeof connectTo>
let answers: Answers
let token: string
let start: Date

beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
  real = connectTo('acme.zendesk.com', { httpsProxy: simulator.proxyUrl, noProxy: undefined })
  newAccount()
  answers = await recordAnswers(real.send, CLIENT)
  token = tokenIn(answers.get('token'))
  start = new Date()
  vi.useFakeTimers({ now: start, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})
afterAll(async () => {
  vi.useRealTimers()
  await real?.close()
  await simulator?.stop()
})

/** A little of everything, within what a first run looks back. */
function newAccount(): Account {
  const account = simulator.account('acme', {
    users: { count: 4 },
    activities: { lastSevenDays: 0, perEarlierDay: 0 },
    accessLogs: { count: 4, days: 1 / 48 },
    clients: [CLIENT, { clientId: 'other', clientSecret: 'other' }],
  })
  for (const minutes of [40, 38, 36, 34, 32]) account.appendActivity({ createdAt: Date.now() - minutes * 60_000 })
  return account
}

/** A stream that is tried again for twenty minutes sends so many. */
const MOST_OF_STREAM = 60
/** Of a ConfigMap, less what else stands in it. */
const CHECKPOINT_MOST = 1_000_000
const LINE_MOST = 10_000
/** In a text of JSON. */
const obeyed = /\\u00[0189]|\\[bfnrt]|[\p{Cc}\p{Bidi_C}\u2028\u2029]/u

/** What is wrong with what a run came to, asked and said; nothing when all is well. */
function problemWith({ report, exitCode, requests, logged, checkpoints }: Ran, most: number): string | undefined {
  const { result, reason, message } = report
  if (exitCode === EXIT.software) return 'it ended through a defect'
  if ((exitCode === EXIT.ok) !== (result !== 'Failed')) return `${result} with ${exitCode}`
  if (result === 'Failed' && !(reason !== undefined && reason in REASONS && message?.endsWith('.'))) return 'no reason'
  if (!reportSchema.safeParse(JSON.parse(JSON.stringify(report))).success) return 'the report cannot be read'

  if (requests.length > most) return `${requests.length} requests`
  const times = requests.map(({ at }) => at)
  const inAMinute = largestWindow(times, 60_000)
  if (inAMinute > PER_MINUTE) return `${inAMinute} requests in a minute`
  const astray = requests.find(({ path }) => !isOurs(path))
  if (astray !== undefined) return `it asks for ${astray.path}`
  if (requests.some(({ headers = {} }) => /[^\t -~]/.test(Object.values(headers).join(''))))
    return 'it sends a header that HTTP refuses'

  const texts = new Set(checkpoints.map((one) => JSON.stringify({ ...one, holder: undefined })))
  const read = [...texts].map((text) => checkpointSchema.safeParse(JSON.parse(text)))
  if (!read.every(({ success }) => success)) return 'a checkpoint cannot be read'
  if ([...texts].some((text) => text.length > CHECKPOINT_MOST)) return 'a checkpoint is too large'

  if (logged.some((line) => line.length > LINE_MOST)) return 'a line of its log is too long'
  const local = { name: 'acme', namespace: 'security', endpoint: 'acme.zendesk.com', files: 'out', report, exitCode }
  const shown = [report, asTable(local).split('\n'), read.map(({ data }) => checkpointSeen.parse(data))]
  return problemWithText(logged.map((line) => line.trimEnd()).join('') + JSON.stringify(shown))
}

function problemWithText(said: string): string | undefined {
  const leak = [SECRET, token, 'canary-7be1'].find((one) => said.includes(one))
  if (leak !== undefined) return `it repeats ${leak}`
  const found = obeyed.exec(said)
  return found === null
    ? undefined
    : `a terminal obeys ${JSON.stringify(said.slice(found.index - 50, found.index + 50))}`
}

/** Whether it leads to the account's API, however it is read, and leaves no parameter empty. */
function isOurs(path: string): boolean {
  const { origin, pathname, searchParams } = new URL(path, 'https://acme.zendesk.com')
  const isPlain = /^\/(api\/v2|oauth)\/[!-~]+$/.test(path) && path.startsWith(pathname)
  return isPlain && origin === 'https://acme.zendesk.com' && ![...searchParams.values()].includes('')
}

/** What is wrong with what was published. */
async function problemWithPublished(ground: Ground): Promise<string | undefined> {
  for (const [stream, segments] of ground.chains) {
    const headers = segments.map((gzip) => readSegmentHeader(gzip.subarray(0, HEADER_BYTES)))
    if (headers.includes(undefined)) return `${stream} holds a segment that is none`
    const uids = (await publishedLines(ground, stream)).map(uidOf)
    if (new Set(uids).size < uids.length) return `${stream} holds a record twice`
    if (!uids.every((uid) => uid.startsWith(`acme/${stream}/`))) return `${stream} holds a record of nobody`
  }
  return undefined
}

/** Whether a record of these streams was not published. */
async function problemWithLost(ground: Ground, streams: readonly StreamName[]): Promise<string | undefined> {
  for (const stream of streams) {
    const published = new Set((await publishedLines(ground, stream)).map(rawOf))
    const due = [...answers].flatMap(([question, { body }]) =>
      question.startsWith(`${stream} `) ? [...splitPage(body, STREAM[stream].records).records] : [],
    )
    if (!due.every((raw) => published.has(raw))) return `${stream} lacks a record`
  }
  return undefined
}

type Case = Partial<RunOptions> & {
  readonly name: string
  readonly spoilt: Spoilt
  /** No run follows, for what can leave nothing behind. */
  readonly isAlone?: boolean
  /** Nothing may be lost by it. */
  readonly isHarmless?: boolean
}

/** What is wrong with a run over these answers, or with the one after it; nothing when all is well. */
async function problemOf({ spoilt, isAlone, isHarmless, ...options }: Case): Promise<string | undefined> {
  const { streams = STREAMS } = options
  const most = MOST_OF_STREAM * (streams.length + 1)
  const ground = newGround()
  vi.setSystemTime(start)
  const problem = problemWith(await play(answers, spoilt, ground, { credentials: CLIENT, ...options }), most)
  if (problem !== undefined || isAlone) return problem ?? problemWithPublished(ground)
  const next = await play(answers, new Map(), ground, { credentials: CLIENT, ...options, slot: 2 })
  if (next.report.result !== 'Succeeded') return `then ${next.report.message}`
  return (
    problemWith(next, most) ??
    (await problemWithPublished(ground)) ??
    (isHarmless ? await problemWithLost(ground, streams) : undefined)
  )
}

async function problemsOf(cases: readonly Case[]): Promise<string[]> {
  const problems: string[] = []
  for (const one of cases) {
    const problem = await problemOf(one).catch(String)
    if (problem !== undefined) problems.push(`${one.name}: ${problem}`)
  }
  return problems
}

const pageOf = (question: Question): Page => JSON.parse(answers.get(question)?.body.toString() ?? '')
const bodyOf = (value: unknown) => ({ body: Buffer.from(JSON.stringify(value) ?? '') })

/** Fields of which a run takes what stands there, and those of which it takes the shape. */
const TAKEN = new Set([
  ...['meta.after_cursor', 'after_cursor', 'access_token', 'expires_in', 'count.value', 'user.id', 'user.role'],
])
const LOOKED_AT = new Set([
  ...['records', 'meta', 'meta.has_more', 'end_of_stream', 'next_page', 'count'],
  ...['user', 'user.active', 'user.suspended', 'token', 'token.scopes', 'token.scopes.0'],
])

/** All that there is for a field of which much depends. */
function valuesFor(field: string): [string, unknown][] {
  const values = [...hostileValues([SECRET, token])]
  const names = LOOKED_AT.has(field) ? SOME : FEW
  return TAKEN.has(field) ? values : values.filter(([name]) => names.includes(name))
}

test('each field around the records, in all streams at once', async () => {
  const cases = (['first', 'last'] as const).flatMap((which) => {
    const places = STREAMS.map((stream): [StreamName, Question] => [stream, `${stream} ${which}`])
      .filter(([, question]) => answers.has(question))
      .flatMap(([stream, question]) => {
        const { records } = STREAM[stream]
        const page = pageOf(question)
        const nameOf = (path: Path) => (path[0] === records ? 'records' : path.join('.'))
        return fieldsAround(page, records).map((path) => ({ stream, question, page, path, field: nameOf(path) }))
      })
    return [...Map.groupBy(places, ({ field }) => field)].flatMap(([field, there]) =>
      valuesFor(field).map(
        ([name, value]): Case => ({
          name: `${field} of the ${which} page: ${name}`,
          streams: there.map(({ stream }) => stream),
          isAlone: !TAKEN.has(field) && !LOOKED_AT.has(field),
          spoilt: new Map(there.map(({ question, page, path }) => [question, bodyOf(withInstead(page, path, value))])),
        }),
      ),
    )
  })
  expect(cases.length).toBeGreaterThan(300)
  expect(await problemsOf(cases)).toEqual([])
}, 120_000)

test('each field of a record, in all streams at once', async () => {
  const values = [...hostileValues([SECRET, token]).values()]
  const fields = STREAMS.flatMap((stream) => {
    const question: Question = `${stream} first`
    const page = pageOf(question)
    const { records } = STREAM[stream]
    return fieldsOfRecord(page, records).map((path, place) => ({ stream, question, page, records, path, place }))
  })
  const cases = [...Map.groupBy(fields, ({ place }) => place).values()].flatMap((there): Case[] => {
    const name = there.map(({ stream, path }) => `${stream} ${path.join('.')}`).join(', ')
    const spoilt: Spoilt = new Map(
      there.map(({ question, page, records, path }) => [question, bodyOf(withRecords(page, records, path, values))]),
    )
    const one = { name, spoilt, streams: there.map(({ stream }) => stream) }
    // Of records that are refused the names are logged, and the checkpoint keeps their keys.
    return name.includes(' id') ? [one, { ...one, name: `${name}, refused`, isRefusing: true }] : [one]
  })
  expect(fields.length).toBeGreaterThan(140)
  expect(cases.some(({ isRefusing }) => isRefusing)).toBe(true)
  expect(await problemsOf(cases)).toEqual([])
}, 120_000)

test('each field of a token, of the number of users, and of why something is forbidden', async () => {
  const forbidden = [['Groups first', { status: 403 }]] as const
  const cases = (['token', 'count', 'me', 'current'] as const).flatMap((question) => {
    const page = pageOf(question)
    const isOfRefusal = question === 'me' || question === 'current'
    return fieldsAround(page, undefined).flatMap((path) =>
      valuesFor(path.join('.')).map(
        ([name, value]): Case => ({
          name: `${question} ${path.join('.')}: ${name}`,
          streams: isOfRefusal ? ['Groups'] : ['Users'],
          isAlone: question !== 'count',
          spoilt: new Map<Question, Partial<HttpAnswer>>([
            ...(isOfRefusal ? forbidden : []),
            [question, bodyOf(withInstead(page, path, value))],
          ]),
        }),
      ),
    )
  })
  expect(cases.length).toBeGreaterThan(300)
  expect(await problemsOf(cases)).toEqual([])
}, 120_000)

test('the number of users, whatever it is, while they cannot be read', async () => {
  const cases = valuesFor('count.value').flatMap(([name, value]) =>
    (['first', 'last'] as const).map(
      (which): Case => ({
        name: `${name}, without the ${which} page`,
        streams: ['Users'],
        isAlone: true,
        spoilt: new Map<Question, Partial<HttpAnswer>>([
          ['count', bodyOf({ count: { value } })],
          [`Users ${which}`, { status: 503 }],
        ]),
      }),
    ),
  )
  expect(await problemsOf(cases)).toEqual([])
}, 120_000)

test('each body as a whole: cut off, no text, not JSON', async () => {
  const bodies = [...answers].map(([question, { body }]) => ({ question, wholes: spoiltBodies(body).slice(-WHOLES) }))
  const cases = Array.from(
    { length: WHOLES },
    (_, index): Case => ({
      name: bodies[0]?.wholes[index]?.[0] ?? '',
      spoilt: new Map(
        bodies.map(({ question, wholes }) => [question, { body: wholes[index]?.[1] ?? Buffer.alloc(0) }]),
      ),
    }),
  )
  expect(await problemsOf(cases.flatMap(withAndWithoutToken))).toEqual([])
}, 120_000)

/** Ways to spoil a body as a whole: the last ones of `spoiltBodies`. */
const WHOLES = 9

/** A token that is spoilt as well hides all others. */
function withAndWithoutToken({ spoilt, ...others }: Case): Case[] {
  const [ofToken, rest] = [true, false].map((isOf) => [...spoilt].filter(([one]) => (one === 'token') === isOf))
  return [
    { ...others, name: `token: ${others.name}`, isAlone: true, spoilt: new Map(ofToken) },
    { ...others, spoilt: new Map(rest) },
  ]
}

test('each status, with the body that is due and with one that says something else', async () => {
  const cases = STATUSES.flatMap((status) =>
    [{}, bodyOf({ error: LEAK, description: SECRET })].map(
      (body): Case => ({
        name: `${status}`,
        isAlone: true,
        spoilt: new Map([...answers.keys()].map((question) => [question, { status, ...body }])),
      }),
    ),
  )
  expect(await problemsOf(cases.flatMap(withAndWithoutToken))).toEqual([])
}, 120_000)

/** Beside HEADER_VALUES: what no clock of ours has shown. */
const DATES = [
  'Fri, 31 Dec 9999 23:59:59 GMT',
  'Sat, 01 Jan 2050 00:00:00 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  '-271821-04-20T00:00:00.000Z',
  '+275760-09-13T00:00:00.000Z',
]

test('each header that is looked at: nothing is lost, whatever it says', async () => {
  const refused: Spoilt = new Map([
    ['Users first', { status: 429 }],
    ['AccessLogs first', { status: 429 }],
  ])
  const { headers } = await play(answers, refused, newGround(), { credentials: CLIENT })
  expect([...headers]).toEqual(expect.arrayContaining(['content-type', 'date', 'retry-after', 'x-rate-limit']))
  const cases = [...headers].flatMap((spoilt) => {
    const values = ['date', 'retry-after'].includes(spoilt) ? [...HEADER_VALUES, ...DATES] : HEADER_VALUES
    // What a 429 advises stands in these.
    const statuses = /^date$|retry|reset|zendesk/.test(spoilt) ? [undefined, 429] : [undefined]
    return values.flatMap((value) =>
      statuses.map((status): Case => {
        const withHeader = (question: Question, header: HttpAnswer['header']) => ({
          ...(status !== undefined && question !== 'token' && { status }),
          header: (name: string) => (name === spoilt ? value : name === 'date' ? undefined : header(name)),
        })
        return {
          name: `${status ?? ''} ${spoilt}: ${value?.slice(0, 40)}`,
          streams: ['Users', 'AuditLogs', 'AccessLogs'],
          isHarmless: true,
          // The wait is over when the next run begins.
          isAlone: status !== undefined && spoilt !== 'date',
          spoilt: new Map([...answers].map(([question, { header }]) => [question, withHeader(question, header)])),
        }
      }),
    )
  })
  expect(await problemsOf(cases)).toEqual([])
}, 120_000)

/** Pages of all streams that have any, each followed by another. */
function endless(cursorOf: (asked: number) => string, recordsOf: (stream: StreamName) => readonly unknown[]): Spoilt {
  const spoilt = new Map<Question, () => Partial<HttpAnswer>>()
  for (const stream of STREAMS.filter((one) => one !== 'CustomRoles')) {
    let asked = 0
    const next = () => {
      const after_cursor = cursorOf(asked++)
      const follow = { after_cursor, end_of_stream: false, meta: { has_more: true, after_cursor } }
      return bodyOf({ [STREAM[stream].records]: recordsOf(stream), ...follow })
    }
    spoilt.set(`${stream} first`, next).set(`${stream} last`, next)
  }
  return spoilt
}

test.each([1, 2, 3])('pages that go round in a circle of %i: the run ends at once', async (length) => {
  const spoilt = endless(
    (asked) => `c${asked % length}`,
    () => [],
  )
  const ran = await play(answers, spoilt, newGround(), { credentials: CLIENT })
  expect(problemWith(ran, STREAMS.length * (length + 1) + 2)).toBeUndefined()
  expect(ran.report).toMatchObject({ result: 'Failed', reason: 'ZendeskUnavailable' })
  expect(ran.report.message).toContain('links back')
})

test.each<[string, (stream: StreamName) => readonly unknown[]]>([
  ['empty', () => []],
  ['always the same', (stream) => pageOf(`${stream} first`)[STREAM[stream].records] as readonly unknown[]],
  ['full of nothing', () => [null, {}, []]],
])('pages without an end, %s: the run keeps to its budget, and gives way when its time is up', async (_, recordsOf) => {
  const spoilt = endless((asked) => `c${asked}`, recordsOf)
  const ran = await play(answers, spoilt, newGround(), { credentials: CLIENT, sliceSeconds: 300 })
  expect(problemWith(ran, PER_MINUTE * 6)).toBeUndefined()
  expect(ran.report.result).toBe('MoreToDo')
  expect(ran.report.records).toBeLessThan(100)
})

test('several of them at once', async () => {
  const fields = [...answers.keys()].flatMap((question) => {
    const page = pageOf(question)
    return pathsIn(page).map((path) => ({ question, page, path }))
  })
  const one = fc.record({
    field: fc.constantFrom(...fields),
    value: fc.constantFrom(...hostileValues([SECRET, token]).values()),
    status: fc.option(fc.constantFrom(401, 403, 404, 429, 503), { nil: undefined, freq: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 2, maxLength: 8, size: 'max' }), async (chosen) => {
      const spoilt = chosen.map(({ field: { question, page, path }, value, status }) => {
        const body = bodyOf(withInstead(page, path, value))
        return [question, { ...body, ...(status !== undefined && { status }) }] as const
      })
      expect(await problemOf({ name: 'several', spoilt: new Map(spoilt) })).toBeUndefined()
    }),
    { numRuns: 30 },
  )
}, 120_000)

test('nobody else is asked, wherever an answer points to: the proxy would have seen it', async () => {
  vi.useRealTimers()
  const ran: Ran[] = []
  const elsewhere = [
    'https://evil.example/api/v2/x',
    '//evil.example',
    '@evil.example',
    '../../../x',
    'x\r\nHost: evil',
  ]
  for (const after_cursor of elsewhere) {
    const account = newAccount()
    const location = after_cursor.replaceAll(/\s/g, '')
    const links = { links: { next: after_cursor }, after_url: after_cursor, next_page: after_cursor }
    for (const stream of STREAMS) {
      const follow = { after_cursor, end_of_stream: false, meta: { has_more: true, after_cursor } }
      const body = JSON.stringify({ ...pageOf(`${stream} first`), ...follow, ...links })
      const [path] = STREAM[stream].path(undefined, { from: 0, to: 0 }, 1).split('?')
      const headers = { 'content-type': 'application/json', location }
      account.addFault({ path: `^${path}\\b`, effect: { kind: 'status', status: 200, body, headers } })
    }
    ran.push(await run(real.send, newGround(), { credentials: CLIENT, sliceSeconds: 3 }))
  }
  newAccount().addFault({ path: '/api/', effect: { kind: 'redirect', location: 'https://evil.example/' } })
  ran.push(await run(real.send, newGround(), { credentials: CLIENT, sliceSeconds: 3, random: 0 }))

  expect(ran.map((one) => problemWith(one, 4 * STREAMS.length))).toEqual(ran.map(() => undefined))
  expect(ran.map(({ requests }) => requests.length > STREAMS.length)).toEqual(ran.map(() => true))
  expect(simulator.refusedTargets).toEqual([])
  expect(simulator.strangers.count()).toBe(0)
})
