/** What Zendesk says of its limits steers the client: over real sockets, with windows of a second or two. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { INCREMENTAL_USERS } from '../../src/zendesk/limits.ts'
import type { Account } from '../simulator/account.ts'
import type { LimitOptions } from '../simulator/options.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'
import { type OpenClient, openClient } from './fixtures/client.ts'

const LOGS = '/api/v2/audit_logs?page[size]=1'
const USERS = '/api/v2/incremental/users/cursor?start_time=0&per_page=1'

let simulator: Simulator
const { signal } = new AbortController()
const closing: (() => unknown)[] = []

beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
})
afterAll(() => simulator.stop())
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function open(limit: LimitOptions, windowMs: number, requestsPerMinute: number): OpenClient & { acme: Account } {
  const acme = simulator.account('acme', { limit: { ...limit, windowMs } })
  const opened = openClient({ proxyUrl: simulator.proxyUrl, windowMs, requestsPerMinute })
  closing.push(opened.close)
  return { ...opened, acme }
}

const users = ({ client }: OpenClient) => client.get(() => USERS, { stream: 'Users', limit: INCREMENTAL_USERS, signal })
const logs = ({ client }: OpenClient) => client.get(() => LOGS, { stream: 'AuditLogs', signal })

describe('an endpoint’s own limit', () => {
  test('as Zendesk states it replaces the one we expect: the High Volume add-on raises it', async () => {
    const opened = open({ requests: 1000, incremental: 60 }, 60_000, 1000)
    await users(opened)
    await Promise.all(Array.from({ length: 50 }, () => users(opened)))
    expect(opened.acme.ledger.tooManyRequests()).toBe(0)
  })

  test('may be stated lower, too', async () => {
    const opened = open({ requests: 1000, incremental: 4, kind: 'sliding' }, 1000, 1000)
    await users(opened)
    const begin = performance.now()
    await Promise.all(Array.from({ length: 8 }, () => users(opened)))
    expect(performance.now() - begin).toBeGreaterThan(1900)
    expect(opened.acme.ledger.tooManyRequests()).toBe(0)
  })

  test('is told as what is waited for', async () => {
    const opened = open({ requests: 1000, incremental: 1 }, 60_000, 1000)
    await users(opened)
    void users(opened)
    const sentence = 'Zendesk’s limit of 1 request a minute for incremental/users/cursor'
    await expect.poll(() => opened.client.waiting()).toBe(sentence)
    expect(opened.waits).toHaveLength(1)
  })
})

test('other clients of the account are given way, and that is told', async () => {
  const opened = open({ requests: 60, kind: 'sliding' }, 2000, 60)
  const done = new AbortController()
  const others = (async () => {
    let refused = 0
    while (!done.signal.aborted) {
      if (!opened.acme.spend(1)) refused += 1
      await delay(45)
    }
    return refused
  })()
  const begin = performance.now()
  const reader = async () => {
    while (performance.now() - begin < 5000) await logs(opened)
  }
  await Promise.all([reader(), reader()])
  done.abort()
  await others
  const { throttledMs } = opened.client.usage()
  expect(throttledMs).toBeGreaterThan(1000)
  const late = opened.acme.ledger.requests().filter(({ at }) => at > performance.timeOrigin + begin + 2000)
  expect(late.filter(({ status }) => status === 429).length).toBeLessThanOrEqual(1)
  expect(late.length).toBeLessThan(30)
})

test('the budget is told as what is waited for, as long as somebody waits', async () => {
  const opened = open({ requests: 1000 }, 60_000, 2)
  const stop = new AbortController()
  const reading = opened.client.get(() => LOGS, { stream: 'AuditLogs', signal: stop.signal })
  await expect.poll(() => opened.client.waiting()).toBe('the budget of 2 requests a minute')
  stop.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
  expect(opened.client.waiting()).toBeUndefined()
})

describe('how many requests side by side use the budget', () => {
  test('is one when the budget is the limit', async () => {
    const opened = open({ requests: 1000 }, 60_000, 200)
    expect(opened.client.sideBySide()).toBe(1)
    await logs(opened)
    expect(opened.client.sideBySide()).toBe(1)
  })

  test('is what latency makes it, and at most eight', async () => {
    const opened = open({ requests: 2500 }, 60_000, 2500)
    await logs(opened)
    opened.acme.addFault({ effect: { kind: 'latency', milliseconds: 150 } })
    for (let request = 0; request < 30; request++) await logs(opened)
    expect(opened.client.sideBySide()).toBeGreaterThanOrEqual(7)
    expect(opened.client.sideBySide()).toBeLessThanOrEqual(8)
  })
})
