/** Reading from Zendesk for a run: tokens, waits and refusals, over real sockets to the simulator. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ZendeskClient } from '../../src/zendesk/client.ts'
import { INCREMENTAL_USERS } from '../../src/zendesk/limits.ts'
import type { Account } from '../simulator/account.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'
import { type ClientChanges, openClient } from './fixtures/client.ts'

const LOGS = '/api/v2/audit_logs?page[size]=1'
const USERS = '/api/v2/incremental/users/cursor?start_time=0'
const signal = new AbortController().signal

let simulator: Simulator
let acme: Account
let secret: string
const closing: (() => unknown)[] = []

beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
})
afterAll(() => simulator.stop())
beforeEach(() => {
  acme = simulator.account('acme')
  secret = 'acme-secret'
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function aClient(changes: Omit<ClientChanges, 'proxyUrl' | 'secret'> = {}): ZendeskClient {
  const opened = openClient({ proxyUrl: simulator.proxyUrl, secret: () => secret, ...changes })
  closing.push(opened.close)
  return opened.client
}

const logs = (client: ZendeskClient) => client.get(() => LOGS, { stream: 'AuditLogs', signal }).then(String)
const tokens = () => acme.ledger.requests('/oauth/tokens').length

describe('a token', () => {
  test('is asked for once, however many requests wait for it', async () => {
    const client = aClient()
    await Promise.all(Array.from({ length: 10 }, () => logs(client)))
    expect(tokens()).toBe(1)
    expect(client.usage().requests).toBe(acme.ledger.count())
  })

  test('that was revoked is replaced by one new one, shared by all requests in flight', async () => {
    const client = aClient()
    await logs(client)
    acme.revokeTokens()
    await Promise.all(Array.from({ length: 10 }, () => logs(client)))
    expect(tokens()).toBe(2)
  })

  test('that has expired by Zendesk’s clock is replaced', async () => {
    const client = aClient()
    await logs(client)
    simulator.clock.advance(7200_000)
    await logs(client)
    expect(tokens()).toBe(2)
  })

  test('is asked for with the Secret as it is then', async () => {
    const client = aClient()
    await logs(client)
    acme.rotateSecret('zendesk-connector', 'rotated')
    acme.revokeTokens()
    secret = 'rotated'
    await expect(logs(client)).resolves.toContain('audit_logs')
  })

  test('that is refused for good ends as InvalidClient', async () => {
    secret = 'wrong'
    await expect(logs(aClient())).rejects.toMatchObject({ reason: 'InvalidClient' })
    acme.addFault({ path: 'audit_logs', effect: { kind: 'status', status: 401 } })
    secret = 'acme-secret'
    await expect(logs(aClient())).rejects.toMatchObject({ reason: 'InvalidClient' })
  })
})

describe('a 403 is taken apart', () => {
  test.each([
    ['NotAdmin', () => acme.changeRole('agent')],
    ['UserSuspended', () => acme.suspendActingUser()],
    ['PlanNotSupported', () => acme.setPlan('professional')],
  ])('%s', async (reason, trouble) => {
    const client = aClient()
    await logs(client)
    trouble()
    await expect(logs(client)).rejects.toMatchObject({ reason })
  })
})

describe('waiting', () => {
  test('a 429 with Retry-After holds all requests of the account for so long', async () => {
    const client = aClient()
    await logs(client)
    acme.addFault({ path: 'audit_logs', times: 1, effect: { kind: 'status', status: 429, retryAfter: 1 } })
    const begin = performance.now()
    await Promise.all([logs(client), logs(client), logs(client)])
    const [refused, ...others] = acme.ledger.requests('audit_logs').slice(1)
    expect(performance.now() - begin).toBeGreaterThan(990)
    expect(client.usage().throttled).toBe(1)
    expect(client.usage().codes).toEqual({ 200: acme.ledger.count() - 2, 201: 1, 429: 1 })
    const soon = others.filter(({ at }) => at - (refused?.at ?? 0) < 900)
    // Two were on their way already; what came after the answer has waited.
    expect(soon.length).toBeLessThanOrEqual(2)
  })

  test('ends with the signal', async () => {
    const client = aClient()
    acme.addFault({ effect: { kind: 'stall' } })
    const stop = new AbortController()
    const reading = client.get(() => LOGS, { stream: 'AuditLogs', signal: stop.signal })
    await expect.poll(() => acme.ledger.count()).toBe(1)
    stop.abort(new Error('told to stop'))
    await expect(reading).rejects.toThrow('told to stop')
  })
})

describe('what was spent before', () => {
  test('at an endpoint holds that endpoint only', async () => {
    const client = aClient({ spent: [{ secondsAgo: 58, requests: 20, endpoint: INCREMENTAL_USERS.endpoint }] })
    const begin = performance.now()
    await logs(client)
    expect(performance.now() - begin).toBeLessThan(1500)
    await client.get(() => USERS, { stream: 'Users', limit: INCREMENTAL_USERS, signal })
    expect(performance.now() - begin).toBeGreaterThan(1900)
  })

  test('is handed on by age and endpoint', async () => {
    const client = aClient()
    await client.get(() => USERS, { stream: 'Users', limit: INCREMENTAL_USERS, signal })
    await logs(client)
    expect(client.usage().spent).toEqual([
      { secondsAgo: 0, requests: 3 },
      { secondsAgo: 0, requests: 1, endpoint: INCREMENTAL_USERS.endpoint },
    ])
  })
})

test('the fence is asked before each request, and nothing is sent when it says no', async () => {
  await expect(logs(aClient({ guard: () => Promise.reject(new Error('fenced')) }))).rejects.toThrow('fenced')
  expect(acme.ledger.count()).toBe(0)
})

test('Zendesk’s clock is told by its answers', async () => {
  const zendesk = await aClient().now(signal)
  expect(Math.abs(zendesk.getTime() - simulator.clock.now())).toBeLessThan(1500)
})
