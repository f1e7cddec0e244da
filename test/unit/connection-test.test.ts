/** The connection test against the simulator, over real sockets: every way in which it can end. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { outcomeOf } from '../../src/connector/outcome.ts'
import type { StreamName } from '../../src/connector/schema.ts'
import { testConnection } from '../../src/zendesk/connection-test.ts'
import { connectTo } from '../../src/zendesk/http.ts'
import type { Account } from '../simulator/account.ts'
import type { FaultOptions } from '../simulator/faults.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'

let simulator: Simulator
let acme: Account
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
})
afterAll(() => simulator.stop())
beforeEach(() => {
  acme = simulator.account('acme')
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

type Changes = {
  endpoint?: string
  secret?: string
  streams?: StreamName[]
  requestsPerMinute?: number
  proxy?: string
}

async function look(changes: Changes = {}) {
  const { endpoint = 'acme.zendesk.com', secret = 'acme-secret', proxy = simulator.proxyUrl } = changes
  const { send, close } = connectTo(endpoint, { httpsProxy: proxy, noProxy: undefined })
  closing.push(close)
  const subject = {
    endpoint,
    streams: changes.streams ?? (['Users', 'AuditLogs'] as const),
    requestsPerMinute: changes.requestsPerMinute ?? 200,
  }
  const options = { signal: new AbortController().signal, now: () => new Date() }
  const result = await testConnection(send, subject, { clientId: 'zendesk-connector', clientSecret: secret }, options)
  const outcome = outcomeOf(result.checks)
  return {
    ...result,
    outcome,
    results: result.checks.map(({ name, result: how }) => `${name} ${how}`),
    reason: 'reason' in outcome ? outcome.reason : undefined,
    message: 'message' in outcome ? outcome.message : '',
  }
}

const fault = (effect: FaultOptions['effect'], path?: string) =>
  acme.addFault({ effect, ...(path === undefined ? {} : { path }) })

test('all is well: every check passes, in at most ten requests, and the account is told', async () => {
  const tested = await look()
  expect(tested.results).toEqual([
    'Endpoint Passed',
    'Secret Passed',
    'Token Passed',
    'Admin Passed',
    'Users Passed',
    'AuditLogs Passed',
    'RateLimit Passed',
  ])
  expect(tested.account).toEqual({ userId: acme.actingUserId(), role: 'admin', requestsPerMinute: 700 })
  expect(tested.spent).toEqual([
    { requests: acme.ledger.count() },
    { requests: 1, endpoint: 'incremental/users/cursor' },
  ])
  expect(tested.codes).toEqual({ 200: acme.ledger.count() - 1, 201: 1 })
  expect(acme.ledger.count()).toBeLessThanOrEqual(10)
})

test('wrong secret: InvalidClient at the check Token, and nothing more is asked', async () => {
  const tested = await look({ secret: 'wrong' })
  expect(tested.reason).toBe('InvalidClient')
  expect(tested.results.slice(0, 5)).toEqual([
    'Endpoint Passed',
    'Secret Passed',
    'Token Failed',
    'Admin Skipped',
    'Users Skipped',
  ])
  expect(tested.spent).toEqual([{ requests: 1 }])
  expect(tested.codes).toEqual({ 401: 1 })
})

test('a role below admin: NotAdmin, with what to do', async () => {
  acme.changeRole('agent')
  const tested = await look()
  expect(tested.reason).toBe('NotAdmin')
  expect(tested.message).toContain('an agent, not an admin: give the user the Administrator role')
  expect(tested.results).toContain('Users Skipped')
})

test('a suspended user: UserSuspended', async () => {
  acme.suspendActingUser()
  expect((await look()).reason).toBe('UserSuspended')
})

test('a Professional plan: PlanNotSupported, naming the stream; the other streams are probed all the same', async () => {
  acme.setPlan('professional')
  const tested = await look()
  expect(tested.reason).toBe('PlanNotSupported')
  expect(tested.message).toContain('AuditLogs')
  expect(tested.results).toContain('Users Passed')
  expect((await look({ streams: ['Users'] })).outcome.kind).toBe('passed')
})

test('a scope that does not cover a stream: InvalidScope, told apart from plan and role', async () => {
  fault({ kind: 'status', status: 403 }, 'audit_logs')
  fault(
    {
      kind: 'status',
      status: 200,
      body: '{"token":{"scopes":["users:read"]}}',
      headers: { 'content-type': 'application/json' },
    },
    'tokens/current',
  )
  const tested = await look()
  expect(tested.reason).toBe('InvalidScope')
  expect(tested.message).toContain('auditlogs:read')
})

test('an unknown account: AccountNotFound at the check Endpoint', async () => {
  const tested = await look({ endpoint: 'nobody.zendesk.com' })
  expect([tested.reason, tested.results[0]]).toEqual(['AccountNotFound', 'Endpoint Failed'])
})

test('a redirect to another host is never followed', async () => {
  fault({ kind: 'redirect', location: 'https://evil.example.com/oauth/tokens' })
  const tested = await look()
  expect(tested.reason).toBe('AccountNotFound')
  expect(simulator.refusedTargets).toEqual([])
})

test('a spec above the account’s limit is a warning, not a failure', async () => {
  acme.setLimit({ requests: 100 })
  const tested = await look()
  expect(tested.outcome).toMatchObject({
    kind: 'passed',
    warning: expect.stringContaining('The account allows only 100'),
  })
  expect(tested.checks.at(-1)).toMatchObject({ result: 'Passed', reason: 'RateLimitTooHigh' })
})

describe('no answer is no failure: the check is Unknown, and says why', () => {
  const cases: [string, FaultOptions['effect'], string][] = [
    ['the proxy refuses', { kind: 'refuseConnect' }, 'NetworkError'],
    ['the connection is closed', { kind: 'down' }, 'NetworkError'],
    ['the connection is reset', { kind: 'reset' }, 'NetworkError'],
    ['the body is cut off', { kind: 'cutOff' }, 'NetworkError'],
    ['the certificate is of an unknown authority', { kind: 'wrongCertificate' }, 'TlsError'],
    ['the certificate is for another name', { kind: 'wrongCertificate', of: 'name' }, 'TlsError'],
    ['500', { kind: 'status', status: 500 }, 'ZendeskUnavailable'],
    ['503 with Retry-After', { kind: 'status', status: 503, retryAfter: 5 }, 'ZendeskUnavailable'],
    ['HTML where JSON is due', { kind: 'html' }, 'ZendeskUnavailable'],
    ['JSON without its end', { kind: 'invalidJson' }, 'ZendeskUnavailable'],
    ['429', { kind: 'status', status: 429 }, 'RateLimited'],
  ]
  test.each(cases)('%s', async (_, effect, reason) => {
    fault(effect)
    const tested = await look()
    expect([tested.outcome.kind, tested.reason]).toEqual(['no answer', reason])
    expect(tested.message).toMatch(/^[^\n]+: .+\.$/)
  })

  test('at a stream alone: the other stream is still probed', async () => {
    fault({ kind: 'status', status: 500 }, 'audit_logs')
    const tested = await look()
    expect(tested.results).toEqual(expect.arrayContaining(['Users Passed', 'AuditLogs Unknown']))
  })

  test('a proxy that is not there', async () => {
    expect(await look({ proxy: 'http://127.0.0.1:9' })).toMatchObject({
      reason: 'NetworkError',
      codes: { '<error>': 1 },
    })
  })

  test('a stall ends within ten seconds', async () => {
    fault({ kind: 'stall' })
    const begin = performance.now()
    expect((await look()).reason).toBe('NetworkError')
    expect(performance.now() - begin).toBeLessThan(11_000)
  })
})

test('no message ever repeats the secret or what Zendesk answered', async () => {
  const canary = 'canary-6d1f'
  acme.addFault({ effect: { kind: 'status', status: 500, body: canary } })
  const { checks } = await look({ secret: canary })
  expect(JSON.stringify(checks)).not.toContain(canary)
})
