/** Every kind of failure that passes by itself is gone through, counted by its kind, and each wait says what it is for. */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createSocketServer, type Server as SocketServer } from 'node:net'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ACCESS_LOGS, INCREMENTAL_USERS } from '../../src/zendesk/limits.ts'
import { advisedWait, backOff } from '../../src/zendesk/retry-after.ts'
import { judge } from '../../src/zendesk/verdict.ts'
import type { Account } from '../simulator/account.ts'
import type { FaultOptions } from '../simulator/faults.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'
import { type ClientChanges, type OpenClient, openClient } from './fixtures/client.ts'

const LOGS = '/api/v2/audit_logs?page[size]=1'
const USERS = '/api/v2/incremental/users/cursor?start_time=0&per_page=1'
const VISITS = '/api/v2/access_logs?page[size]=1'
const signal = new AbortController().signal

let simulator: Simulator
let acme: Account
const closing: (() => unknown)[] = []

beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
})
afterAll(() => simulator.stop())
beforeEach(() => {
  acme = simulator.account('acme', { accessLogs: { count: 5 } })
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function open(changes: Partial<ClientChanges> = {}): OpenClient {
  const opened = openClient({ proxyUrl: simulator.proxyUrl, ...changes })
  closing.push(opened.close)
  return opened
}

const logs = ({ client }: OpenClient, until = signal) =>
  client.get(() => LOGS, { stream: 'AuditLogs', signal: until }).then(String)
const users = ({ client }: OpenClient) =>
  client.get(() => USERS, { stream: 'Users', limit: INCREMENTAL_USERS, signal }).then(String)
const visits = ({ client }: OpenClient) =>
  client.get(() => VISITS, { stream: 'AccessLogs', limit: ACCESS_LOGS, signal }).then(String)

/** Milliseconds that the work took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

describe('gone through and counted by its kind', () => {
  type Effect = FaultOptions['effect']
  test.each<[string, string, Effect]>([
    ['a connection reset before the answer', 'reset', { kind: 'reset' }],
    ['a connection reset in the middle of it', 'reset', { kind: 'reset', when: 'during' }],
    ['a stall before the answer', 'stall', { kind: 'stall' }],
    ['a stall in the middle of it', 'stall', { kind: 'stall', when: 'during' }],
    ['a body cut off', 'body', { kind: 'cutOff' }],
    ['a body cut off where HTTP does not notice', 'body', { kind: 'invalidJson' }],
    ['a page for people', 'body', { kind: 'html' }],
    ['500', '5xx', { kind: 'status', status: 500 }],
    ['502 with a page for people', '5xx', { kind: 'html', status: 502 }],
    ['503', '503', { kind: 'status', status: 503 }],
    ['504', '504', { kind: 'status', status: 504 }],
    ['429 without advice', '429', { kind: 'status', status: 429 }],
    ['a 404 that is gone the next moment', '404', { kind: 'status', status: 404 }],
    ['a redirect', '404', { kind: 'redirect', location: 'https://evil.example.com/' }],
  ])('%s', async (_, kind, effect) => {
    const opened = open({ stallMs: 300 })
    acme.addFault({ path: 'audit_logs', times: 2, effect })
    await expect(logs(opened)).resolves.toContain('audit_logs')
    const { retries, codes, requests } = opened.client.usage()
    expect(retries).toEqual({ [kind]: 2 })
    expect(opened.waits).toHaveLength(2)
    // Each request is counted by its answer, one that had none as well.
    expect(Object.values(codes).reduce((sum, count) => sum + count, 0)).toBe(requests)
    if (kind === 'reset' || kind === 'stall') expect(codes['<error>']).toBe(2)
  })

  test('a certificate that is not trusted', async () => {
    const opened = open()
    acme.addFault({ times: 2, effect: { kind: 'wrongCertificate' } })
    await expect(logs(opened)).resolves.toContain('audit_logs')
    expect(opened.client.usage().retries).toEqual({ tls: 2 })
  })

  test('a proxy that refuses', async () => {
    const opened = open()
    acme.addFault({ times: 2, effect: { kind: 'refuseConnect' } })
    await expect(logs(opened)).resolves.toContain('audit_logs')
    expect(opened.client.usage().retries).toEqual({ proxy: 2 })
  })

  /** Where nothing ever gets better: until two waits were told. */
  async function countedUntilStopped(changes: Partial<ClientChanges>) {
    const opened = open(changes)
    const stop = new AbortController()
    const reading = logs(opened, stop.signal)
    await expect.poll(() => opened.waits.length, { timeout: 10_000 }).toBeGreaterThan(1)
    stop.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    return Object.keys(opened.client.usage().retries)
  }

  test('a name that DNS does not know', async () => {
    // Too long for any DNS, so that nobody is asked.
    expect(await countedUntilStopped({ proxyUrl: `http://${'a'.repeat(64)}.test:3128` })).toEqual(['dns'])
  })

  test('a port where nobody listens', async () => {
    const gone = await listening(createServer())
    await gone.close()
    expect(await countedUntilStopped({ proxyUrl: gone.url })).toEqual(['connect'])
  })

  test('a proxy that says nothing', async () => {
    const mute = await listening(createSocketServer())
    closing.push(mute.close)
    expect(await countedUntilStopped({ proxyUrl: mute.url, stallMs: 200 })).toEqual(['stall'])
  })

  test('a tunnel in which nobody speaks TLS', async () => {
    const proxy = createServer().on('connect', (_, socket) => {
      closing.push(() => socket.destroy())
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
    })
    const dead = await listening(proxy)
    closing.push(dead.close)
    expect(await countedUntilStopped({ proxyUrl: dead.url, stallMs: 200 })).toEqual(['connect'])
  })
})

describe('Zendesk’s advice is followed', () => {
  test.each<[string, FaultOptions['effect']]>([
    ['503 with seconds', { kind: 'status', status: 503, retryAfter: 1 }],
    ['429 with seconds', { kind: 'status', status: 429, retryAfter: 1 }],
    ['429 with a date', { kind: 'status', status: 429, retryAfterDate: 2 }],
    ['429 with the reset of the account’s limit', { kind: 'status', status: 429, headers: { 'ratelimit-reset': '1' } }],
  ])('%s', async (_, effect) => {
    const opened = open()
    await logs(opened)
    acme.addFault({ path: 'audit_logs', times: 1, effect })
    expect(await timed(() => logs(opened))).toBeGreaterThan(950)
    expect(opened.client.usage().throttledMs).toBeGreaterThan(950)
    expect(opened.client.usage().throttledMs).toBeLessThan(2500)
  })

  test('429 with a date, by Zendesk’s clock and not ours', async () => {
    const opened = open({ now: () => new Date(Date.now() + 3_600_000) })
    await logs(opened)
    acme.addFault({ path: 'audit_logs', times: 1, effect: { kind: 'status', status: 429, retryAfterDate: 2 } })
    expect(await timed(() => logs(opened))).toBeGreaterThan(950)
  })

  test('429 with the endpoint’s own header, which holds that endpoint and no other', async () => {
    const opened = open({ windowMs: 1000 })
    await logs(opened)
    const headers = { 'zendesk-ratelimit-incremental-exports': 'total=20; remaining=0; resets=2' }
    acme.addFault({ path: 'incremental', times: 1, effect: { kind: 'status', status: 429, headers } })
    const ended: string[] = []
    const exported = timed(() => users(opened)).finally(() => ended.push('users'))
    await expect.poll(() => opened.client.usage().throttled).toBe(1)
    await logs(opened).finally(() => ended.push('logs'))
    expect(opened.client.waiting()).toMatch(/429: .* exhaust the limit of incremental\/users\/cursor,/)
    expect(await exported).toBeGreaterThan(950)
    expect(ended).toEqual(['logs', 'users'])
  })

  test('429 of the access log: a date-time, and no Retry-After', async () => {
    acme.setLimit({ requests: 600, kind: 'sliding', windowMs: 2000, accessLogs: 2 })
    const opened = open()
    await Promise.all([visits(opened), visits(opened)])
    const ended: string[] = []
    const third = visits(opened).finally(() => ended.push('visits'))
    await expect.poll(() => opened.client.usage().throttled).toBe(1)
    await logs(opened).finally(() => ended.push('logs'))
    expect(opened.client.waiting()).toMatch(/429: .* exhaust the limit of access_logs,/)
    await third
    expect(ended).toEqual(['logs', 'visits'])
    expect(opened.client.usage()).toMatchObject({ throttled: 1, retries: { 429: 1 } })
  })

  test.each([
    ['what it asks for has no limit of its own', undefined, {}, 'spec.rateLimit'],
    [
      'its own limit is used up',
      ACCESS_LOGS,
      { 'zendesk-ratelimit-access-logs': 'total=50; remaining=0' },
      'access_logs',
    ],
    ['its own is not', ACCESS_LOGS, { 'zendesk-ratelimit-access-logs': 'total=50; remaining=9' }, 'spec.rateLimit'],
    ['the answer does not tell', ACCESS_LOGS, {}, 'access_logs'],
    ['the account’s is', ACCESS_LOGS, { 'x-rate-limit': '700', 'x-rate-limit-remaining': '0' }, 'spec.rateLimit'],
  ])('429 says which limit to look at: %s', (_, limit, headers: Record<string, string>, named) => {
    const answer = { status: 429, header: (name: string) => headers[name], body: Buffer.alloc(0) }
    const { message } = { message: '', ...judge(answer, 'acme.zendesk.com', new Date(), limit) }
    expect(['spec.rateLimit', 'access_logs'].filter((one) => message.includes(one))).toEqual([named])
  })

  test('what a limit says of its reset is no advice in an answer that is no 429', () => {
    const header = (name: string) => ({ 'ratelimit-reset': '60' })[name]
    expect(advisedWait({ status: 500, header }, undefined, new Date())).toBeUndefined()
    expect(advisedWait({ status: 429, header }, undefined, new Date())).toBe(60_000)
  })
})

test('a page that takes too long is asked for again by the name it has then', async () => {
  const { client } = open()
  acme.addFault({ path: 'size\\]=100', effect: { kind: 'status', status: 504 } })
  let size = 100
  const body = await client.get(() => `/api/v2/audit_logs?page[size]=${size}`, {
    stream: 'AuditLogs',
    signal,
    onTooLarge: () => {
      size /= 2
    },
  })
  expect(JSON.parse(body.toString()).audit_logs).toHaveLength(50)
  expect(client.usage().retries).toEqual({ 504: 1 })
})

describe('back-off', () => {
  test('is drawn from all of a range that doubles to a minute', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const most = Math.min(60_000, 1000 * 2 ** attempt)
        expect(backOff(attempt, random)).toBe(Math.round(random * most))
      }),
    )
  })

  test('ends with the signal', async () => {
    const opened = open()
    acme.addFault({ path: 'audit_logs', effect: { kind: 'status', status: 503, retryAfter: 60 } })
    const stop = new AbortController()
    const reading = logs(opened, stop.signal)
    await expect.poll(() => opened.client.waiting()).toMatch(/HTTP 503/)
    stop.abort(new Error('the run is over'))
    await expect(reading).rejects.toThrow('the run is over')
    expect(opened.client.waiting()).toBeUndefined()
  })
})

test('a fence that does not answer is waited for no longer than the signal allows', async () => {
  const stop = new AbortController()
  let asked = 0
  const guard = () => {
    asked += 1
    return asked > 1 ? new Promise<void>(() => undefined) : Promise.resolve()
  }
  const reading = logs(open({ guard }), stop.signal)
  await expect.poll(() => asked).toBe(2)
  stop.abort(new Error('the run is over'))
  await expect(reading).rejects.toThrow('the run is over')
})

describe('a token in the middle', () => {
  test('that is refused is replaced by one for all, and each request is repeated once', async () => {
    const opened = open()
    await logs(opened)
    acme.revokeTokens()
    await Promise.all(Array.from({ length: 5 }, () => logs(opened)))
    expect(acme.ledger.requests('/oauth/tokens')).toHaveLength(2)
    expect(opened.client.usage().retries).toEqual({ 401: 5 })
    expect(acme.ledger.requests('audit_logs')).toHaveLength(11)
  })

  test('that cannot be replaced, its client being gone, ends as InvalidClient', async () => {
    const opened = open()
    await logs(opened)
    acme.removeClient('zendesk-connector')
    acme.revokeTokens()
    await expect(logs(opened)).rejects.toMatchObject({ reason: 'InvalidClient' })
  })
})

async function listening(server: Server | SocketServer): Promise<{ url: string; close: () => Promise<unknown> }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket))
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
