/** Turns: so many at a time, one of an account, in the order in which they fell due. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AT_ONCE } from '../../src/connector/schedule.ts'
import { createTurns } from '../../src/controller/turns.ts'

const NOW = new Date('2026-11-23T08:00:00Z')
const due = (minute: number) => new Date(NOW.getTime() + minute * 60_000)

type World = { taken?: number; busy?: Set<string>; keptForUrgent?: number }

function someTurns(most: number, world: World = {}) {
  const woken: string[] = []
  const turns = createTurns({
    most,
    ...(world.keptForUrgent !== undefined && { keptForUrgent: world.keptForUrgent }),
    isTaken: (account) => world.busy?.has(account) ?? false,
    taken: () => world.taken ?? 0,
    wake: (key) => woken.push(key),
    now: () => NOW,
  })
  return { turns, woken, world }
}

describe('turns', () => {
  test('are given in the order in which they fell due, and of equals to who came first', () => {
    const { turns, woken } = someTurns(1)
    turns.stand('first', 'a', due(9))
    turns.stand('late', 'b', due(5))
    turns.stand('early', 'c', due(1))
    turns.stand('as early', 'd', due(1))
    for (const key of ['first', 'early', 'as early', 'late']) {
      expect(turns.has(key)).toBe(true)
      turns.leave(key)
    }
    expect(woken, 'who stands looks for itself').toEqual(['early', 'as early', 'late'])
  })

  test('go to one of an account, whoever else is in front of the line', () => {
    const { turns, woken } = someTurns(3)
    turns.stand('security/acme', 'acme', due(0))
    turns.stand('audit/acme', 'acme', due(1))
    turns.stand('security/globex', 'globex', due(2))
    expect(['security/acme', 'audit/acme', 'security/globex'].map(turns.has)).toEqual([true, false, true])
    expect(turns.wait('audit/acme')).toEqual({ since: NOW, for: 'Account' })
    turns.leave('security/acme')
    expect(woken).toEqual(['audit/acme'])
    expect(turns.wait('audit/acme')).toBeUndefined()
  })

  test('wait for what is under way without one, in the account and in all', () => {
    const world = { taken: 2, busy: new Set(['acme']) }
    const { turns, woken } = someTurns(2, world)
    turns.stand('a', 'acme', due(0))
    turns.stand('g', 'globex', due(1))
    expect(turns.wait('a')?.for).toBe('Account')
    expect(turns.wait('g')?.for).toBe('Cluster')
    world.taken = 1
    turns.next()
    expect(woken).toEqual(['g'])
    world.busy.clear()
    world.taken = 0
    turns.next()
    expect(woken).toEqual(['g', 'a'])
  })

  test('are kept while something falls due earlier, and given back by who no longer wants one', () => {
    const { turns } = someTurns(1)
    turns.stand('a', 'acme', due(5))
    turns.stand('a', 'acme', due(1))
    turns.stand('b', 'globex', due(0))
    expect([turns.has('a'), turns.has('b')]).toEqual([true, false])
    turns.stand('a', 'acme', undefined)
    expect([turns.has('a'), turns.has('b')]).toEqual([false, true])
  })

  test('are kept for what somebody has just asked for: it need not wait until something routine has ended', () => {
    const { turns, woken } = someTurns(4, { keptForUrgent: 1 })
    for (const key of ['a', 'b', 'c', 'd']) turns.stand(key, key, due(1))
    expect(['a', 'b', 'c', 'd'].map(turns.has)).toEqual([true, true, true, false])
    turns.stand('new', 'new', AT_ONCE)
    turns.stand('newer', 'newer', AT_ONCE)
    expect([turns.has('new'), turns.has('newer')]).toEqual([true, false])
    turns.leave('a')
    expect(woken, 'and it is the first to go when one has').toEqual(['newer'])
    turns.leave('new')
    expect(turns.has('d'), 'two are routine').toBe(true)
    turns.leave('newer')
    expect(['b', 'c', 'd'].map(turns.has)).toEqual([true, true, true])
  })

  test('are all for those that somebody has just asked for where nothing routine has one', () => {
    const { turns } = someTurns(4, { keptForUrgent: 1 })
    for (const key of ['a', 'b', 'c', 'd']) turns.stand(key, key, AT_ONCE)
    expect(['a', 'b', 'c', 'd'].every(turns.has)).toBe(true)
  })

  test('never are too many, never two of an account, and nobody waits while one is free', () => {
    const act = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      due: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    })
    const accountOf = (key: string) => 'xyz'[key.charCodeAt(0) % 3] ?? ''
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (acts, most) => {
        const { turns, woken } = someTurns(most)
        const wanted = new Map<string, number>()
        const hadAtOnce = new Set<string>()
        for (const one of acts) {
          turns.stand(one.key, accountOf(one.key), one.due === undefined ? undefined : due(one.due))
          if (one.due === undefined) wanted.delete(one.key)
          else wanted.set(one.key, one.due)
          if (turns.has(one.key)) hadAtOnce.add(one.key)
          const holders = [...wanted.keys()].filter(turns.has)
          const accounts = new Set(holders.map(accountOf))
          expect(holders.length).toBeLessThanOrEqual(most)
          expect(accounts.size).toBe(holders.length)
          const free = [...wanted.keys()].filter((key) => !turns.has(key) && !accounts.has(accountOf(key)))
          if (free.length > 0) expect(holders.length).toBe(most)
          expect(holders.every((key) => hadAtOnce.has(key) || woken.includes(key))).toBe(true)
          expect(turns.has('nobody')).toBe(false)
        }
      }),
    )
  })
})
