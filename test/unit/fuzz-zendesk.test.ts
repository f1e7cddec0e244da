/**
 * What Zendesk answers a connection test, spoilt field by field and header by header: there is always an outcome with a
 * reason, a status that the API server takes, and nothing in it of what came.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { outcomeOf } from '../../src/connector/outcome.ts'
import { REASONS } from '../../src/connector/reasons.ts'
import { STREAMS } from '../../src/connector/schema.ts'
import { status as statusSchema } from '../../src/connector/status.ts'
import { summarise } from '../../src/connector/summary.ts'
import { withTest } from '../../src/connector/tested.ts'
import { testConnection } from '../../src/zendesk/connection-test.ts'
import { connectTo, type HttpAnswer, type Transport } from '../../src/zendesk/http.ts'
import type { Account } from '../simulator/account.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'
import { aConnector, START } from './fixtures/connectors.ts'
import { isStatus } from './fixtures/memory-cluster.ts'
import { HEADER_VALUES, LEAK, STATUSES, spoiltBodies } from './fixtures/spoilt.ts'

const SECRET = 'the-client-secret-41ab'
const CLIENT = { clientId: 'zendesk-connector', clientSecret: SECRET }

let simulator: Simulator
let acme: Account
let real: ReturnType<typeof connectTo>
/** What Zendesk answers when all is well, and when it forbids, by path. */
let well: Map<string, HttpAnswer>
let forbidding: Map<string, HttpAnswer>
/** Headers that were looked at. */
const headers = new Set<string>()

beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
  acme = simulator.account('acme', { accessLogs: { count: 3 }, clients: [CLIENT] })
  real = connectTo('acme.zendesk.com', { httpsProxy: simulator.proxyUrl, noProxy: undefined })
  well = await recorded()
  acme.setPlan('professional')
  forbidding = await recorded()
  acme.setPlan('enterprise')
})
afterAll(async () => {
  await real?.close()
  await simulator?.stop()
})

async function recorded(): Promise<Map<string, HttpAnswer>> {
  const answers = new Map<string, HttpAnswer>()
  await testWith(async (request) => {
    const answer = await real.send(request)
    const header = (name: string) => {
      headers.add(name)
      return answer.header(name)
    }
    answers.set(request.path, { ...answer, header })
    return { ...answer, header }
  })
  return answers
}

function testWith(send: Transport) {
  const subject = { endpoint: 'acme.zendesk.com', streams: STREAMS, requestsPerMinute: 800 }
  return testConnection(send, subject, CLIENT, { signal: new AbortController().signal, now: () => START })
}

/** Answers as recorded, but for those given. */
function played(answers: ReadonlyMap<string, HttpAnswer>, spoilt: ReadonlyMap<string, Partial<HttpAnswer>>): Transport {
  return async ({ path }) => {
    const answer = answers.get(path)
    if (answer === undefined) throw new Error(`nothing was recorded for ${path}`)
    return { ...answer, ...spoilt.get(path) }
  }
}

const leaks = [SECRET, 'canary-7be1']

/** Tests, and judges what is said: what is wrong with it, or nothing. */
async function judged(send: Transport): Promise<string | undefined> {
  const begin = performance.now()
  const { checks, account, spent } = await testWith(send)
  if (performance.now() - begin > 1000) return 'it took longer than a second'
  if ((spent[0]?.requests ?? 0) > 12) return `it took ${spent[0]?.requests} requests`
  const outcome = outcomeOf(checks)
  if (outcome.kind !== 'passed' && !(outcome.reason in REASONS && outcome.message.endsWith('.'))) return 'no reason'
  const connector = aConnector()
  const facts = withTest(connector, statusSchema.parse({}), { checks, account, secret: undefined }, START)
  const status = JSON.parse(JSON.stringify(summarise(connector, facts, START)))
  if (!isStatus(status)) return `the API server refuses ${JSON.stringify(isStatus.errors)}`
  if (!statusSchema.safeParse(status).success) return 'the operator cannot read its own status'
  const text = JSON.stringify(status)
  const token = /"access_token":"([^"]+)"/.exec(String(well.get('/oauth/tokens')?.body))?.[1] ?? ''
  const leak = [...leaks, token].find((one) => text.includes(one))
  if (leak !== undefined) return `it repeats ${leak}`
  return /\\u00[0189]|[\p{Cc}\p{Bidi_C}]/u.test(text) ? 'it holds what a terminal obeys' : undefined
}

type Case = readonly [string, ReadonlyMap<string, HttpAnswer>, string, Partial<HttpAnswer>]

async function problemsOf(cases: readonly Case[]): Promise<string[]> {
  const problems: string[] = []
  for (const [name, answers, path, spoilt] of cases) {
    const problem = await judged(played(answers, new Map([[path, spoilt]]))).catch((error: unknown) => String(error))
    if (problem !== undefined) problems.push(`${path} ${name}: ${problem}`)
  }
  return problems
}

test('as it is: all passes, or the plan is named', async () => {
  expect(await judged(played(well, new Map()))).toBeUndefined()
  expect(await judged(played(forbidding, new Map()))).toBeUndefined()
  expect(forbidding.has('/api/v2/oauth/tokens/current')).toBe(true)
  expect(well.size).toBe(2 + STREAMS.length)
})

test('each field of each body, and each body as a whole', async () => {
  const cases = [well, forbidding].flatMap((answers) =>
    [...answers].flatMap(([path, { body }]) =>
      spoiltBodies(body).map(([name, spoilt]): Case => [name, answers, path, { body: spoilt }]),
    ),
  )
  expect(cases.length).toBeGreaterThan(2000)
  expect(await problemsOf(cases)).toEqual([])
})

test('each header that is looked at, with any value and any status', async () => {
  expect([...headers]).toEqual(expect.arrayContaining(['content-type', 'x-rate-limit']))
  const cases = [...well].flatMap(([path, answer]) =>
    [...headers].flatMap((spoilt) =>
      HEADER_VALUES.flatMap((value) =>
        [answer.status, 429, 503].map((status): Case => {
          const header = (name: string) => (name === spoilt ? value : answer.header(name))
          return [`${status} ${spoilt}: ${value?.slice(0, 20)}`, well, path, { status, header }]
        }),
      ),
    ),
  )
  expect(await problemsOf(cases)).toEqual([])
})

test('each status, with the body that is due, none, and one that says something else', async () => {
  const cases = [...well].flatMap(([path, { body }]) =>
    STATUSES.flatMap((status) =>
      [body, Buffer.alloc(0), Buffer.from(JSON.stringify({ error: LEAK, description: LEAK }))].map(
        (one): Case => [`${status}`, well, path, { status, body: one }],
      ),
    ),
  )
  expect(await problemsOf(cases)).toEqual([])
})

test('the same over a real connection, where a header may hold what HTTP lets through', async () => {
  const plain = LEAK.replaceAll(/\p{Cc}/gu, ' ').replaceAll(/\P{ASCII}/gu, '')
  for (const status of [200, 201, 400, 403, 418, 429, 500]) {
    const header = { 'content-type': 'application/json', 'x-rate-limit': plain, 'retry-after': plain }
    const id = acme.addFault({
      effect: { kind: 'status', status, body: JSON.stringify({ error: LEAK, user: { id: LEAK } }), headers: header },
    })
    expect(await judged(real.send), `${status}`).toBeUndefined()
    acme.removeFault(id)
  }
})
