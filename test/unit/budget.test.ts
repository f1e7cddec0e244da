/** The budget among the other clients of an account, in virtual time: all of it when alone, what they leave when not. */
import { describe, expect, test } from 'vitest'
import { share } from '../../src/zendesk/budget.ts'
import { evenly, fewest, most, type Play, play, refused, WINDOW, within } from './fixtures/played-account.ts'

const kinds = ['fixed', 'sliding'] as const

describe.each(kinds)('in a %s window, alone', (kind) => {
  test.each([200, 2500])('all of %i is used in every window after the first, and none is refused', async (limit) => {
    const { ours } = await play({ kind, limit, rates: [limit], windows: 3, phase: 0.4 })
    const [mine = []] = ours
    expect(refused(mine)).toBe(0)
    expect(most(mine)).toBeLessThanOrEqual(limit)
    expect(fewest(mine, WINDOW, 3 * WINDOW) / limit).toBeGreaterThanOrEqual(0.995)
  })

  test('half goes at once, and the rest is spaced', async () => {
    const { ours } = await play({ kind, limit: 200, rates: [200], windows: 1, workers: 200 })
    const [mine = []] = ours
    expect(within(mine, 0, 100)).toHaveLength(100)
    expect(within(mine, 100, 10_000).length).toBeLessThan(40)
    expect(within(mine, 100, 10_000).length).toBeGreaterThan(30)
    expect(within(mine, 0)).toHaveLength(200)
  })

  test('a limit of ten is used as well', async () => {
    const { ours } = await play({ kind, limit: 10, rates: [10], windows: 4, phase: 0.4 })
    const [mine = []] = ours
    expect(refused(mine)).toBe(0)
    expect(fewest(mine, WINDOW, 4 * WINDOW)).toBeGreaterThanOrEqual(9)
  })

  test('a limit below the spec’s rate is the limit', async () => {
    const { ours } = await play({ kind, limit: 100, rates: [200], windows: 4, phase: 0.4 })
    const [mine = []] = ours
    expect(refused(mine)).toBe(0)
    expect(fewest(mine, WINDOW, 4 * WINDOW)).toBeGreaterThanOrEqual(99)
  })
})

describe.each(kinds)('in a %s window, with a client that uses', (kind) => {
  const rule = { kind, limit: 200, rates: [200], windows: 5, phase: 0.35 } satisfies Play
  const long = rule.windows * WINDOW

  test.each([60, 120, 180])('%i of 200, it takes what is left and is no trouble to the other', async (used) => {
    const { ours, others, refusedAlone } = await play({ ...rule, others: evenly(used, -100, long) })
    const [mine = []] = ours
    expect(refused(within(mine, WINDOW, long))).toBeLessThanOrEqual(1)
    expect(refused(within(others, WINDOW, long))).toBeLessThanOrEqual(refusedAlone.length)
    const left = share(200, 200, used)
    for (const window of [2, 3, 4]) {
      const taken = within(mine, window * WINDOW).length
      expect(taken).toBeGreaterThan(0.8 * left)
      expect(taken + used).toBeLessThanOrEqual(200)
    }
  })

  test('60 of 200 from one minute to another, the whole rate is back two windows after it stopped', async () => {
    const stopped = 2.3 * WINDOW
    const { ours } = await play({ ...rule, windows: 7, others: evenly(60, 0, stopped) })
    const [mine = []] = ours
    expect(within(mine, stopped - WINDOW).length).toBeLessThan(140)
    expect(within(mine, stopped + 2 * WINDOW).length).toBeGreaterThanOrEqual(199)
  })

  test('180 of 200 when it comes while we use all, there is room for it two windows later', async () => {
    const came = 2.3 * WINDOW
    const { ours, others } = await play({ ...rule, windows: 6, others: evenly(180, came, 6 * WINDOW) })
    const [mine = []] = ours
    expect(within(others, came).filter(({ allowed }) => allowed).length).toBeGreaterThan(90)
    expect(refused(within(others, came + 2 * WINDOW, 2 * WINDOW))).toBe(0)
    expect(refused(mine)).toBeLessThanOrEqual(2)
  })

  test('more than there is, five per cent of the rate are asked for all the same', async () => {
    const { ours } = await play({ ...rule, others: evenly(400, -WINDOW, long) })
    const [mine = []] = ours
    expect(within(mine, 2 * WINDOW, 2 * WINDOW).length).toBeGreaterThan(0)
    expect(within(mine, WINDOW, long).length).toBeLessThanOrEqual(4 * 10 + 1)
  })

  test('as much as it gets, being another connector: both go on, and nobody is refused', async () => {
    const { ours } = await play({ ...rule, rates: [200, 200] })
    for (const mine of ours) {
      expect(refused(within(mine, 2 * WINDOW, long))).toBe(0)
      expect(within(mine, 2 * WINDOW).length).toBeGreaterThanOrEqual(9)
    }
    expect(within(ours.flat(), 3 * WINDOW).length).toBeGreaterThan(150)
  })
})

describe('the share of a limit', () => {
  test('is the spec’s rate when others leave as much', () => expect(share(200, 700, 300)).toBe(200))
  test('is all that is known of before Zendesk has said anything', () => expect(share(200, undefined, 0)).toBe(200))
  test('is never less than five per cent of the rate', () => expect(share(200, 200, 200)).toBe(10))
  test('is never more than the limit', () => expect(share(2500, 100, 100)).toBe(100))
  test('leaves a little more than the others use', () => expect(share(200, 200, 100)).toBe(88))
})
