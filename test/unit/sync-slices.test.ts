import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Page } from '../../src/sync/reading.ts'
import { planSlices, readSlices } from '../../src/sync/slices.ts'
import { STREAM } from '../../src/sync/streams.ts'

const SECOND = 1000

describe('slices of a range of time', () => {
  const ranges = fc.record({
    from: fc.integer({ min: 0, max: 10_000_000 }),
    length: fc.integer({ min: 0, max: 86_400 * SECOND }),
    records: fc.array(fc.nat({ max: 50_000 }), { minLength: 1, maxLength: 20 }),
    sideBySide: fc.integer({ min: 1, max: 8 }),
    slices: fc.constantFrom('to spare', 'always'),
  })

  it('cover each second of it once, in order, whatever they turn out to hold', () => {
    fc.assert(
      fc.property(ranges, ({ from, length, records, sideBySide, slices }) => {
        const plan = planSlices({ from, to: from + length }, slices)
        let next = Math.floor(from / SECOND)
        for (let index = 0; ; index++) {
          const slice = plan.next(sideBySide)
          if (slice === undefined) break
          expect(Math.floor(slice.from / SECOND)).toBe(next)
          expect(slice.to).toBeGreaterThanOrEqual(slice.from)
          next = Math.floor(slice.to / SECOND) + 1
          plan.took(slice, records[index % records.length] ?? 0)
        }
        expect(next).toBe(Math.floor((from + length) / SECOND) + 1)
      }),
    )
  })

  it('begin with a minute where only a whole one moves the position: a longer one could be too much for any run', () => {
    const year = { from: 0, to: 365 * 86_400 * SECOND }
    expect(planSlices(year, 'always').next(1)).toEqual({ from: 0, to: 60 * SECOND - 1 })
    expect(planSlices(year, 'to spare').next(1)?.to).toBeGreaterThan(5 * 86_400 * SECOND)
  })

  it('are one when the budget is the limit and the range is short', () => {
    const plan = planSlices({ from: 0, to: 1800 * SECOND }, 'to spare')
    expect(plan.next(1)).toEqual({ from: 0, to: 1800 * SECOND })
    expect(plan.next(1)).toBeUndefined()
  })
})

describe('reading a log', () => {
  const to = 7 * 86_400 * SECOND - 1
  const reading = { bounds: { from: 0, to }, position: undefined, lateBefore: 0 }

  /** Answers each page after a turn of its own; a record every ten minutes. Its filter leaves out the last second. */
  const source = (sideBySide: number) => {
    const seen = { inFlight: 0, most: 0, requests: 0 }
    return {
      seen,
      sideBySide: () => sideBySide,
      get: async (path: () => string) => {
        seen.requests += 1
        seen.inFlight += 1
        seen.most = Math.max(seen.most, seen.inFlight)
        const { searchParams } = new URL(path(), 'https://acme.zendesk.com')
        const [from = 0, end = 0] = searchParams.getAll('filter[created_at][]').map((time) => Date.parse(time) / SECOND)
        const after = Number(searchParams.get('page[after]') ?? Math.ceil(from / 600) * 600 - 600)
        await new Promise((resolve) => setTimeout(resolve, Math.abs(after / 600) % 3))
        seen.inFlight -= 1
        const times = []
        for (let time = after + 600; time < end && times.length < 20; time += 600) times.push(time)
        const last = times.at(-1) ?? after
        const meta = { has_more: last + 600 < end, after_cursor: String(last) }
        return Buffer.from(JSON.stringify({ audit_logs: times, meta }))
      },
    }
  }
  const read = async (sideBySide: number) => {
    const from = source(sideBySide)
    const pages: Page[] = []
    let why = ''
    for await (const item of readSlices(STREAM.AuditLogs, reading, from, new AbortController().signal)) {
      if ('why' in item) why = item.why
      else pages.push(item)
    }
    return { ...from.seen, why, times: pages.flatMap(({ records }) => Array.from(records, Number)) }
  }
  const all = Array.from({ length: Math.floor(to / SECOND / 600) + 1 }, (_, index) => index * 600)

  it('reads slices side by side when there is budget to spare, and gives them in order', async () => {
    const { times, most, why } = await read(4)
    expect(times).toEqual(all)
    expect(why).toBe('end')
    expect(most).toBe(4)
  })

  it('reads on in one go when there is none, at the cost of one request', async () => {
    const { times, most, requests } = await read(1)
    expect(times).toEqual(all)
    expect(most).toBe(1)
    expect(requests).toBeLessThanOrEqual(Math.ceil(all.length / 20) + 1)
  })

  it('ends with why it failed, after what came before in order of time', async () => {
    const from = source(4)
    const failing = {
      ...from,
      get: async (path: () => string) => {
        if (path().includes('1970-01-03')) throw new Error('no more')
        return from.get(path)
      },
    }
    const items = []
    for await (const item of readSlices(STREAM.AuditLogs, reading, failing, new AbortController().signal))
      items.push(item)
    expect(items.at(-1)).toMatchObject({ why: 'failed' })
    const times = items.flatMap((item) => ('records' in item ? Array.from(item.records, Number) : []))
    expect(times).toEqual(all.slice(0, times.length))
    expect(from.seen.inFlight).toBe(0)
  })
})
