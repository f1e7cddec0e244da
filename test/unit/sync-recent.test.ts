import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAhead } from '../../src/sync/ahead.ts'
import { recentByCount, recentByTime, recentOfSnapshot } from '../../src/sync/recent.ts'

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

  it('of a snapshot are all, with their ids, and the last as texts', () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `12/${index >> 1}/v${index}`)
    const recent = recentOfSnapshot()
    for (const [index, key] of keys.entries()) {
      expect(recent.has(key)).toBe(false)
      expect(recent.hasId?.(`${index >> 1}`)).toBe(index % 2 === 1)
      recent.add(key, 0)
      recent.forget(Number.POSITIVE_INFINITY)
    }
    expect(keys.every(recent.has)).toBe(true)
    expect(recent.hasId?.('2500')).toBe(false)
    expect(recent.last(1000)).toEqual(keys.slice(-1000))
  })

  it('of a snapshot fit into a small pod: not half of what their texts would take', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const held = () => {
      collect()
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const before = held()
    const recent = recentOfSnapshot()
    for (let id = 0; id < 100_000; id++) recent.add(`12/${360_000_000_000 + id}/9f86d081884c7d65`, 0)
    expect((held() - before) / 100_000).toBeLessThan(100)
    expect(recent.has('12/360000000000/9f86d081884c7d65')).toBe(true)
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
