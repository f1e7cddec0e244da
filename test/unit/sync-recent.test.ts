import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAhead } from '../../src/sync/ahead.ts'
import { recentByCount, recentByTime } from '../../src/sync/recent.ts'

const forEver = new Promise<void>(() => {})

describe('recent keys', () => {
  it('are the last so many, and never more than twice that', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 100 }), (most, count) => {
        const recent = recentByCount(most)
        const keys = Array.from({ length: count }, (_, index) => `${index}`)
        for (const key of keys) recent.add(key, 0)
        for (const key of keys.slice(-most)) expect(recent.has(key)).toBe(true)
        expect(keys.filter((key) => recent.has(key)).length).toBeLessThanOrEqual(2 * most)
        expect(recent.last(most)).toEqual(keys.slice(-most))
      }),
    )
  })

  it('of a log are those that may be served again, and few others', () => {
    const recent = recentByTime()
    for (let time = 0; time < 100_000; time++) {
      recent.add(`${time}`, time)
      recent.forget(time - 1000)
    }
    for (let time = 98_999; time < 100_000; time++) expect(recent.has(`${time}`)).toBe(true)
    expect(recent.last(1e9).length).toBeLessThan(4000)
  })
})

describe('reading ahead', () => {
  async function* numbers(upTo: number, drawn: number[] = []) {
    for (let number = 1; number <= upTo; number++) {
      drawn.push(number)
      yield number
    }
  }
  const settled = () => new Promise((resolve) => setTimeout(resolve, 1))

  it('gives everything in order, then nothing', async () => {
    const ahead = readAhead(numbers(50), () => 1, 3)
    for (let number = 1; number <= 50; number++) expect(await ahead.take(forEver)).toBe(number)
    expect(await ahead.take(forEver)).toBeUndefined()
    expect(await ahead.take(forEver)).toBeUndefined()
  })

  it('draws no more than it may hold', async () => {
    const drawn: number[] = []
    const ahead = readAhead(numbers(50, drawn), () => 10, 25)
    await settled()
    expect(drawn).toEqual([1, 2, 3])
    await ahead.take(forEver)
    await settled()
    expect(drawn).toEqual([1, 2, 3, 4])
    await ahead.drain()
  })

  it('gives what came before a failure, then the failure', async () => {
    async function* failing() {
      yield 1
      throw new Error('no more')
    }
    const ahead = readAhead(failing(), () => 1, 10)
    expect(await ahead.take(forEver)).toBe(1)
    await expect(ahead.take(forEver)).rejects.toThrow('no more')
  })

  it('says when nothing came in time, and loses nothing by it', async () => {
    const late = Promise.withResolvers<void>()
    async function* slow() {
      await late.promise
      yield 1
    }
    const ahead = readAhead(slow(), () => 1, 10)
    expect(await ahead.take(Promise.resolve())).toBe('later')
    late.resolve()
    expect(await ahead.take(forEver)).toBe(1)
  })
})
