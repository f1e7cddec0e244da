/** What requests wait for: told, summed up, shown. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createWaits, type Waits } from '../../src/zendesk/waits.ts'

let waits: Waits
let told: string[]
const forever = new AbortController().signal
const passed = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)
const wait = (what: string, milliseconds: number, throttled = false) => ({ what, milliseconds, throttled })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  told = []
  waits = createWaits({
    monotonic: () => performance.now(),
    onWait: (what, milliseconds) => told.push(`${what} ${milliseconds}`),
    onceInMs: 60_000,
  })
})
afterEach(() => vi.useRealTimers())

test('what all requests of a limit wait for is told once in a window, and only if it takes long', async () => {
  waits.hold('', { ...wait('the budget', 300), since: performance.now() })
  expect(told).toEqual([])
  for (let request = 0; request < 50; request++) {
    waits.hold('', { ...wait('the budget', 6000), since: performance.now() })
    await passed(6000)
  }
  expect(told).toEqual(Array(5).fill('the budget 6000'))
})

test('time is throttled while at least one request waits because it was told to', async () => {
  waits.hold('', { ...wait('other clients', 5000, true), since: performance.now() })
  await passed(1000)
  waits.hold('users', { ...wait('Zendesk', 5000, true), since: performance.now() })
  await passed(1000)
  waits.hold('', { ...wait('the budget', 5000), since: performance.now() })
  await passed(1000)
  expect(waits.throttledMs()).toBe(3000)
  waits.hold('users', undefined)
  await passed(1000)
  expect(waits.throttledMs()).toBe(3000)
})

test('the one that began first is shown, once it is long', async () => {
  waits.hold('', { ...wait('the budget', 300), since: performance.now() })
  expect(waits.now()).toBeUndefined()
  await passed(1500)
  expect(waits.now()).toBe('the budget')
  waits.hold('users', { ...wait('Zendesk', 5000), since: performance.now() })
  expect(waits.now()).toBe('the budget')
  waits.hold('', undefined)
  expect(waits.now()).toBe('Zendesk')
})

test('a wait of one request is shown while it lasts, and ends with its signal', async () => {
  const stop = new AbortController()
  const slept = waits.sleep(wait('HTTP 503', 5000, true), stop.signal)
  expect(waits.now()).toBe('HTTP 503')
  expect(told).toEqual(['HTTP 503 5000'])
  stop.abort(new Error('over'))
  await expect(slept).rejects.toThrow('over')
  expect(waits.now()).toBeUndefined()
  await waits.sleep(wait('nothing', 0), forever)
  expect(told).toHaveLength(1)
})
