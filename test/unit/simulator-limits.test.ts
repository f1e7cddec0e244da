import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../simulator/clock.ts'
import { createLedger, largestWindow } from '../simulator/ledger.ts'
import { createLimiter } from '../simulator/limits.ts'
import { createProbe, type Probe } from '../simulator/probe.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'

let simulator: Simulator
let probe: Probe

beforeAll(async () => {
  simulator = await startSimulator()
  probe = createProbe(simulator)
})
afterAll(async () => {
  await probe.close()
  await simulator.stop()
})

// A fixed window that ends in the middle of a test would make it fail once in a thousand times.
beforeEach(() => simulator.clock.advance(60_000 - (simulator.clock.now() % 60_000)))

const me = '/api/v2/users/me'

/** A clock that stands wherever the test puts it. */
function handClock(): Clock & { set(time: number): void } {
  let time = 0
  return {
    now: () => time,
    real: () => time,
    advance(milliseconds) {
      time += milliseconds
    },
    set(to) {
      time = to
    },
  }
}

const arrivals = fc.array(fc.nat({ max: 5000 }), { maxLength: 60 }).map((times) => times.sort((a, b) => a - b))
const windows = fc.record({ requests: fc.integer({ min: 1, max: 8 }), windowMs: fc.integer({ min: 1, max: 1500 }) })

describe('a limiter', () => {
  test('that slides never lets more through in any window, and refuses none that would fit', () => {
    fc.assert(
      fc.property(arrivals, windows, (times, { requests, windowMs }) => {
        const clock = handClock()
        const limiter = createLimiter({ kind: 'sliding', requests, windowMs }, clock)
        const accepted: number[] = []
        for (const time of times) {
          clock.set(time)
          const room = accepted.filter((earlier) => time - earlier < windowMs).length < requests
          expect(limiter.take().allowed).toBe(room)
          if (room) accepted.push(time)
        }
      }),
    )
  })

  test('that is fixed counts by multiples of its window', () => {
    fc.assert(
      fc.property(arrivals, windows, (times, { requests, windowMs }) => {
        const clock = handClock()
        const limiter = createLimiter({ kind: 'fixed', requests, windowMs }, clock)
        const used = new Map<number, number>()
        for (const time of times) {
          clock.set(time)
          const window = Math.floor(time / windowMs)
          const before = used.get(window) ?? 0
          const verdict = limiter.take()
          expect(verdict.allowed).toBe(before < requests)
          if (verdict.allowed) used.set(window, before + 1)
          expect(verdict.remaining).toBe(requests - (used.get(window) ?? 0))
        }
      }),
    )
  })

  test.each(['fixed', 'sliding'] as const)('has room again after the %s wait that it named', (kind) => {
    fc.assert(
      fc.property(arrivals, windows, (times, { requests, windowMs }) => {
        const clock = handClock()
        const limiter = createLimiter({ kind, requests, windowMs }, clock)
        for (const time of times) {
          clock.set(time)
          const verdict = limiter.take()
          if (verdict.allowed) continue
          clock.advance(verdict.resets * 1000)
          expect(limiter.take().allowed).toBe(true)
          return
        }
      }),
    )
  })
})

describe('the limit of an account', () => {
  test.each(['fixed', 'sliding'] as const)(
    'is told in headers and, %s, kept with 429 and Retry-After',
    async (kind) => {
      const account = simulator.account('acme', { limit: { requests: 3, kind } })
      await probe.signIn()
      const second = await probe.get(me)
      expect(second.headers).toMatchObject({ 'x-rate-limit': '3', 'x-rate-limit-remaining': '1' })
      await probe.get(me)
      const refused = await probe.get(me)
      expect(refused.status).toBe(429)
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60)
      simulator.clock.advance(60_000)
      expect((await probe.get(me)).status).toBe(200)
      expect(account.ledger.tooManyRequests()).toBe(1)
      expect(account.ledger.countByStatus()).toEqual({ 200: 3, 201: 1, 429: 1 })
    },
  )

  test('passes with real time as well', async () => {
    simulator.account('acme', { limit: { requests: 2, kind: 'sliding', windowMs: 150 } })
    await probe.signIn()
    await probe.get(me)
    expect((await probe.get(me)).status).toBe(429)
    await expect.poll(async () => (await probe.get(me)).status, { interval: 20 }).toBe(200)
  })

  test('is the plan’s unless set, can be changed, and is shared with other clients', async () => {
    const account = simulator.account('acme', { plan: 'team' })
    await probe.signIn()
    expect((await probe.get(me)).headers['x-rate-limit']).toBe('200')
    account.setLimit({ requests: 50, kind: 'sliding' })
    expect(account.spend(40)).toBe(true)
    expect((await probe.get(me)).headers['x-rate-limit-remaining']).toBe('9')
    expect(account.spend(10)).toBe(false)
  })

  test('stands beside the own limit of the incremental export', async () => {
    simulator.account('acme', { limit: { incremental: 1 } })
    await probe.signIn()
    const path = '/api/v2/incremental/users/cursor?start_time=0'
    expect((await probe.get(path)).headers['zendesk-ratelimit-incremental-exports']).toMatch(
      /^total=1; remaining=0; resets=\d+$/,
    )
    expect((await probe.get(path)).status).toBe(429)
    expect((await probe.get(me)).status).toBe(200)
  })

  test('is told by the access log without Retry-After, as a date', async () => {
    simulator.account('acme', { accessLogs: { count: 1 }, limit: { accessLogs: 1 } })
    await probe.signIn()
    expect((await probe.get('/api/v2/access_logs')).status).toBe(200)
    const refused = await probe.get('/api/v2/access_logs')
    expect(refused.status).toBe(429)
    expect(refused.headers).not.toHaveProperty('retry-after')
    const wait = Date.parse(String(refused.headers['ratelimit-reset'])) - simulator.clock.now()
    expect(wait).toBeGreaterThan(50_000)
    expect(wait).toBeLessThanOrEqual(60_000)
  })

  test('shows in the Date header where the clock stands', async () => {
    simulator.account('acme')
    const reply = await probe.get(me, { token: '' })
    expect(Math.abs(Date.parse(String(reply.headers.date)) - simulator.clock.now())).toBeLessThan(5000)
  })
})

describe('the ledger', () => {
  test('finds the fullest window wherever it begins, as counting by hand does', () => {
    fc.assert(
      // Few distinct times, so that some stand exactly one window apart.
      fc.property(fc.array(fc.nat({ max: 60 })), fc.integer({ min: 1, max: 40 }), (unsorted, windowMs) => {
        const times = unsorted.sort((left, right) => left - right)
        const counts = times.map((begin) => times.filter((time) => time >= begin && time < begin + windowMs).length)
        expect(largestWindow(times, windowMs)).toBe(Math.max(0, ...counts))
      }),
    )
  })

  test('counts tokens and refusals', async () => {
    const account = simulator.account('acme', { limit: { requests: 2 } })
    await probe.signIn()
    await probe.get(me)
    await probe.get(me)
    expect(account.ledger.maxInAnyWindow(60_000)).toBe(3)
    expect(account.ledger.countByPath()).toEqual({ '/oauth/tokens': 1, [me]: 2 })
    expect(account.ledger.requests('users/me')).toMatchObject([
      { client: 'zendesk-connector', status: 200 },
      { status: 429 },
    ])
    account.ledger.clear()
    expect(account.ledger.count()).toBe(0)
  })

  test('keeps every version of a record that was served, byte for byte, when told to', async () => {
    const account = simulator.account('acme', { recordServed: true, users: { count: 3 } })
    await probe.signIn()
    const feed = '/api/v2/incremental/users/cursor?start_time=0'
    await probe.get(feed)
    account.updateUser('360000000003', { name: 'Другое имя' })
    simulator.clock.advance(62_000)
    await probe.get(feed)
    const served = [...account.ledger.served('users')].filter(({ id }) => id === '360000000003')
    expect(served.map(({ raw }) => raw)).toEqual([0, 1].map((version) => account.rawUser('360000000003', version)))
    expect(account.ledger.servedCount('users')).toBe(6)
    expect(() => createLedger(false).served('users')).toThrow('recordServed')
  })
})
