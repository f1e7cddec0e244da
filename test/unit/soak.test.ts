/** How `npm run soak` judges what a process holds. */
import { expect, test } from 'vitest'
import { isFlat, type Sample, sampleOf, tolerance, trendOf } from '../soak/gauges.ts'

const samples = (...handles: number[]): Sample[] => handles.map((count) => ({ rssMb: 0, handles: count, sockets: 0 }))

test('a peak in the middle is no growth, and one sample is no trend', () => {
  expect(trendOf(samples(5, 6, 5, 90, 90, 90, 6, 5, 60), 'handles')).toEqual({ first: 5, last: 6 })
})

test('flat is what ends no higher than it began, up to the tolerance', () => {
  expect(isFlat('handles', { first: 20, last: 24 }, 60)).toBe(true)
  expect(isFlat('handles', { first: 20, last: 25 }, 60)).toBe(false)
  expect(isFlat('rssMb', { first: 200, last: 219 }, 60)).toBe(true)
  expect(isFlat('rssMb', { first: 200, last: 221 }, 60)).toBe(false)
  expect(tolerance('rssMb', 200, 1)).toBeGreaterThan(tolerance('rssMb', 200, 60))
})

test('no samples are not flat', () => {
  expect(isFlat('sockets', trendOf([], 'sockets'), 1)).toBe(false)
})

test.runIf(process.platform === 'linux')('a process is looked at as the kernel counts it', async () => {
  const { rssMb, handles, sockets } = await sampleOf(process.pid)
  expect(rssMb).toBeGreaterThan(20)
  expect(handles).toBeGreaterThan(sockets)
})
