/** Time as the API server has it: what an operator with a wrong clock goes by. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createServerClock } from '../../src/kube/server-clock.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 0, 1)

/** A clock of a machine that is `wrongMs` off, and the server's at a moment so many ms after the start. */
function world(wrongMs: number) {
  let passed = 0
  const clock = createServerClock(() => passed, new Date(START + wrongMs))
  const errorMs = () => clock.now().getTime() - (START + passed)
  return {
    clock,
    errorMs,
    pass: (ms: number) => {
      passed += ms
    },
    /** An exchange of so long, dated by the server somewhere in it. */
    exchange: (ms: number, datedAfterMs: number) => {
      const sentMs = passed
      const date = new Date(START + passed + datedAfterMs).toUTCString()
      passed += ms
      clock.heard(date, sentMs)
    },
  }
}

test('whatever the machine says, it is right after one answer, to a second and what the exchange took', () => {
  const exchange = fc.integer({ min: 0, max: 30_000 }).chain((ms) => fc.tuple(fc.constant(ms), fc.nat(ms)))
  fc.assert(
    fc.property(fc.integer({ min: -HOUR, max: HOUR }), fc.array(exchange, { minLength: 1 }), (wrong, exchanges) => {
      const { clock: _, errorMs, exchange: hear } = world(wrong)
      for (const [ms, dated] of exchanges) {
        hear(ms, dated)
        expect(Math.abs(errorMs())).toBeLessThanOrEqual(1000 + ms)
      }
    }),
  )
})

test('an answer read late, by a process that was frozen meanwhile, does not set it back', () => {
  const { errorMs, exchange } = world(0)
  exchange(10, 5)
  exchange(60_000, 5)
  expect(errorMs()).toBeGreaterThanOrEqual(-1000)
})

test('it goes on between answers, and dates that are none count for nothing', () => {
  const { clock, errorMs, exchange, pass } = world(HOUR)
  for (const date of [undefined, '', 'yesterday', ['x']]) clock.heard(date, 0)
  expect(errorMs()).toBe(HOUR)
  exchange(0, 0)
  const before = clock.now().getTime()
  pass(5_000)
  expect(clock.now().getTime()).toBe(before + 5_000)
})
