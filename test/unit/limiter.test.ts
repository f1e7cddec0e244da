/** The budget's law: never more than the limit in any window, and nothing left unused for long. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Spent } from '../../src/connector/run.ts'
import { createLimiter, type Limiter } from '../../src/zendesk/limiter.ts'

const limiters: Limiter[] = []
afterEach(() => {
  for (const limiter of limiters.splice(0)) limiter.stop()
})

const monotonic = () => performance.now()
const forever = new AbortController().signal

function aLimiter(limit: number, windowMs: number, spent: readonly Spent[] = []): Limiter {
  const limiter = createLimiter({ windowMs, spent, monotonic, allowance: () => ({ limit, pace: undefined }) })
  limiters.push(limiter)
  return limiter
}

/** The most of `times` within any window, wherever it begins. */
function mostInAnyWindow(times: readonly number[], windowMs: number): number {
  return Math.max(0, ...times.map((start) => times.filter((time) => time >= start && time < start + windowMs).length))
}

const latency = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('no window, wherever it begins, sees more than the limit, whatever latency and earlier spending', async () => {
  const windowMs = 100
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 0, max: 20 }),
      async (limit, latencies, before) => {
        const limiter = aLimiter(limit, windowMs, [{ secondsAgo: 0, requests: before }])
        const arrivals: number[] = Array<number>(Math.min(before, limit)).fill(performance.now())
        await Promise.all(
          latencies.map((milliseconds) =>
            limiter.run(async () => {
              // The server counts somewhere between sending and answering.
              await latency(milliseconds / 2)
              arrivals.push(performance.now())
              await latency(milliseconds / 2)
            }, forever),
          ),
        )
        limiter.stop()
        expect(mostInAnyWindow(arrivals, windowMs)).toBeLessThanOrEqual(limit)
      },
    ),
    { numRuns: 15 },
  )
})

test('a slot comes back one window after its response, so the whole budget is used', async () => {
  const limiter = aLimiter(20, 200)
  const start = performance.now()
  await Promise.all(Array.from({ length: 100 }, () => limiter.run(() => latency(1), forever)))
  const windows = (performance.now() - start) / 200
  expect(windows).toBeGreaterThanOrEqual(4)
  expect(windows).toBeLessThan(5.5)
})

describe('what was spent before', () => {
  test('holds its slots until it is one window old', async () => {
    const limiter = aLimiter(5, 1200, [{ secondsAgo: 1, requests: 5 }])
    const start = performance.now()
    await limiter.run(async () => undefined, forever)
    expect(performance.now() - start).toBeGreaterThanOrEqual(195)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('beyond the limit is waited for as well', async () => {
    const limiter = aLimiter(2, 200, [{ secondsAgo: 0, requests: 5 }])
    const start = performance.now()
    await limiter.run(async () => undefined, forever)
    expect(performance.now() - start).toBeGreaterThanOrEqual(195)
  })

  test('is told to whoever comes next: what is under way counts as made now', async () => {
    const limiter = aLimiter(10, 60_000, [{ secondsAgo: 30, requests: 3 }])
    await limiter.run(async () => undefined, forever)
    const never = limiter.run(() => new Promise(() => undefined), forever)
    void never
    const total = () => limiter.spent().reduce((sum, one) => sum + one.requests, 0)
    await expect.poll(total).toBe(5)
    expect(limiter.spent()).toContainEqual({ secondsAgo: 30, requests: 3 })
  })
})

test('who gives up waiting leaves at once and costs no slot', async () => {
  const limiter = aLimiter(1, 300)
  await limiter.run(async () => undefined, forever)
  const giveUp = new AbortController()
  const waiting = limiter.run(async () => 'sent', giveUp.signal)
  giveUp.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  const start = performance.now()
  await limiter.run(async () => undefined, forever)
  expect(performance.now() - start).toBeLessThan(450)
})

test('work that fails costs its slot all the same: the request was made', async () => {
  const limiter = aLimiter(1, 200)
  const start = performance.now()
  await expect(limiter.run(() => Promise.reject(new Error('reset')), forever)).rejects.toThrow('reset')
  await limiter.run(async () => undefined, forever)
  expect(performance.now() - start).toBeGreaterThanOrEqual(195)
})

test('what is urgent goes before the rest, each in its order', async () => {
  const limiter = aLimiter(1, 50)
  const begun: string[] = []
  const run = (name: string, urgent: boolean) => limiter.run(async () => void begun.push(name), forever, urgent)
  await Promise.all([run('first', false), run('a', false), run('b', false), run('c', true), run('d', true)])
  expect(begun).toEqual(['first', 'c', 'd', 'a', 'b'])
})

test('a hold keeps all back, and is over by itself', async () => {
  const limiter = aLimiter(10, 50)
  const start = performance.now()
  limiter.hold(200)
  limiter.hold(100)
  await Promise.all([limiter.run(async () => undefined, forever), limiter.run(async () => undefined, forever, true)])
  expect(performance.now() - start).toBeGreaterThanOrEqual(195)
})
