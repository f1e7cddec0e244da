/** Whose account is taken, and until when: also where nobody says that a run has ended. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createOccupancy } from '../../src/kube/occupancy.ts'

const MINUTE = 60_000
const START = new Date('2026-11-23T08:00:00Z')
const at = (minutes: number) => new Date(START.getTime() + minutes * MINUTE)

beforeEach(() => void vi.useFakeTimers({ now: START }))
afterEach(() => void vi.useRealTimers())

function anOccupancy() {
  const ended: string[] = []
  return {
    ended,
    ...{
      occupancy: createOccupancy(
        (account) => ended.push(account),
        () => new Date(),
      ),
    },
  }
}
const part = { run: 'job-uid', account: 'acme', connector: 'mine', until: at(85) }

test('a run holds its account until its Job and its pods have ended, and others hear of it', () => {
  const { occupancy, ended } = anOccupancy()
  occupancy.hold('job/a/one', part)
  occupancy.hold('pod/a/one-x', { run: 'job-uid', account: 'acme', until: at(85) })
  expect([occupancy.isBusy('acme', 'theirs'), occupancy.isBusy('acme', 'mine'), occupancy.size]).toEqual([
    true,
    false,
    1,
  ])
  occupancy.release('job/a/one')
  expect([occupancy.size, ended]).toEqual([1, []])
  occupancy.release('pod/a/one-x')
  expect([occupancy.isBusy('acme', 'theirs'), occupancy.size, ended]).toEqual([false, 0, ['acme']])
})

test('it lets go by itself when all of it must have ended, seen or not', () => {
  const { occupancy, ended } = anOccupancy()
  occupancy.hold('job/a/one', part)
  occupancy.hold('pod/a/one-x', { ...part, until: at(90) })
  vi.advanceTimersByTime(89 * MINUTE)
  expect([occupancy.isBusy('acme', 'theirs'), ended]).toEqual([true, []])
  vi.advanceTimersByTime(1 * MINUTE)
  expect([occupancy.isBusy('acme', 'theirs'), occupancy.size, ended]).toEqual([false, 0, ['acme']])
})

test('the newest word counts: sooner, since it is being deleted, or not at all, since that is over', () => {
  const { occupancy, ended } = anOccupancy()
  occupancy.hold('pod/a/one-x', part)
  occupancy.hold('pod/a/one-x', { ...part, until: at(1) })
  vi.advanceTimersByTime(1 * MINUTE)
  expect([occupancy.size, ended]).toEqual([0, ['acme']])
  occupancy.hold('pod/a/one-x', { ...part, until: at(1) })
  expect([occupancy.size, vi.getTimerCount()]).toEqual([0, 0])
})

test('a clock that jumps frees nobody: who is held is held for as long as was left', () => {
  const { occupancy } = anOccupancy()
  occupancy.hold('pod/a/one-x', part)
  vi.setSystemTime(at(200))
  occupancy.hold('pod/a/one-x', part)
  expect(occupancy.isBusy('acme', 'theirs')).toBe(true)
  vi.setSystemTime(START)
  vi.advanceTimersByTime(84 * MINUTE)
  expect(occupancy.isBusy('acme', 'theirs')).toBe(true)
  vi.advanceTimersByTime(1 * MINUTE)
  expect(occupancy.isBusy('acme', 'theirs')).toBe(false)
})

test('nothing is left behind by what has ended in time', () => {
  const { occupancy } = anOccupancy()
  occupancy.hold('job/a/one', part)
  occupancy.hold('job/a/one', { ...part, run: 'made anew' })
  occupancy.release('job/a/one')
  occupancy.release('job/a/one')
  expect([occupancy.size, vi.getTimerCount()]).toEqual([0, 0])
})
