/** What is known of the other clients: never anything that may have been ourselves, and soon what was not. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCourtesy } from '../../src/zendesk/courtesy.ts'
import { createLimiter } from '../simulator/limits.ts'

const WINDOW = 1000
/** The limiter keeps slots a little longer than a window. */
const MARGIN = 10

type Request = { readonly after: number; readonly up: number; readonly down: number; readonly isLost: boolean }
type Kind = 'fixed' | 'sliding'

/** Plays requests of ours, and of others, in order of time; the greatest number of others that was ever believed in. */
function believed(
  kind: Kind,
  limit: number,
  phase: number,
  ours: readonly Request[],
  others: readonly number[],
): number {
  let now = 0
  const clock = { now: () => now + phase, real: () => now, advance: () => undefined }
  const account = createLimiter({ kind, requests: limit, windowMs: WINDOW }, clock)
  const courtesy = createCourtesy(WINDOW)
  const steps: { readonly at: number; readonly run: () => void }[] = others.map((at) => ({
    at,
    run: () => account.take(),
  }))
  const endedAt: number[] = []
  let underWay = 0
  let greatest = 0

  let sendAt = 0
  for (const { after, up, down, isLost } of ours) {
    sendAt += after
    let mark: ReturnType<typeof courtesy.sends> | undefined
    let verdict: ReturnType<typeof account.take> | undefined
    const send = () => {
      underWay += 1
      mark = courtesy.sends(underWay + endedAt.filter((at) => at + WINDOW + MARGIN > now).length, now)
    }
    const end = () => {
      underWay -= 1
      endedAt.push(now)
      const refused = verdict?.allowed === false && !isLost
      if (mark !== undefined) courtesy.ended(mark, isLost ? undefined : verdict, refused ? 0 : undefined, now)
      greatest = Math.max(greatest, courtesy.others())
    }
    steps.push(
      { at: sendAt, run: send },
      {
        at: sendAt + up,
        run: () => {
          verdict = account.take()
        },
      },
      { at: sendAt + up + down, run: end },
    )
  }
  for (const { at, run } of steps.sort((a, b) => a.at - b.at)) {
    now = at
    run()
  }
  return greatest
}

const requests = fc.array(
  fc.record({
    after: fc.integer({ min: 0, max: 60 }),
    up: fc.integer({ min: 0, max: 120 }),
    down: fc.integer({ min: 0, max: 120 }),
    isLost: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  }),
  { minLength: 1, maxLength: 150 },
)

test('alone we believe in nobody, whatever the window, the latency, what is lost and what is refused', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Kind>('fixed', 'sliding'),
      fc.integer({ min: 3, max: 60 }),
      fc.integer({ min: 0, max: WINDOW }),
      requests,
      (kind, limit, phase, ours) => {
        expect(believed(kind, limit, phase, ours, [])).toBe(0)
      },
    ),
    { numRuns: 500 },
  )
})

describe.each(['fixed', 'sliding'] as const)('in a %s window', (kind) => {
  const steady = (after: number) => Array.from({ length: 60 }, () => ({ after, up: 5, down: 5, isLost: false }))
  const others = (perWindow: number) =>
    Array.from({ length: 3 * perWindow }, (_, index) => (index * WINDOW) / perWindow + 0.5)

  test.each([20, 100, 500])('%i requests of others are seen for about what they are', (perWindow) => {
    const found = believed(kind, 1000, 300, steady(50), others(perWindow))
    expect(found).toBeGreaterThan(perWindow * 0.9 - 2)
    expect(found).toBeLessThan(perWindow * 1.1 + 12)
  })
})

test('an answer of the window before that comes late is nobody else’s', () => {
  const courtesy = createCourtesy(WINDOW)
  const left = (used: number) => ({ total: 100, remaining: 100 - used })
  for (let sent = 1; sent <= 10; sent++) {
    courtesy.ended(courtesy.sends(sent, sent * 50), left(sent), undefined, sent * 50 + 10)
  }
  const slow = courtesy.sends(11, 900)
  courtesy.ended(courtesy.sends(12, 1050), left(1), undefined, 1060)
  courtesy.ended(slow, left(11), undefined, 1300)
  expect(courtesy.others()).toBe(0)
})

test('who is refused nothing but finds nothing left knows that others want more: they have it all', () => {
  const courtesy = createCourtesy(WINDOW)
  courtesy.ended(courtesy.sends(1, 0), { total: 100, remaining: 50 }, undefined, 10)
  expect(courtesy.others()).toBe(49)
  courtesy.ended(courtesy.sends(2, 20), { total: 100, remaining: 0 }, undefined, 30)
  expect(courtesy.others()).toBe(100)
})
