/** The operator's own books of what accounts were asked in the last minute. */
import { expect, test } from 'vitest'
import { spentBy } from '../../src/connector/holder.ts'
import { createSpentLedger } from '../../src/controller/spent.ts'

const START = 1_000_000

function aLedger() {
  let time = START
  const ledger = createSpentLedger(() => time, [{ requests: 10 }])
  return {
    ledger,
    at: (seconds: number) => {
      time = START + seconds * 1000
    },
  }
}

test('an operator that has just started assumes a whole test of every account, for a minute', () => {
  const { ledger, at } = aLedger()
  at(20)
  expect(ledger.forRun('acme')).toEqual([{ requests: 10, secondsAgo: 20 }])
  expect(ledger.byTests('acme')).toEqual([])
  at(60)
  expect(ledger.forRun('acme')).toEqual([])
})

test('what a test spent counts for a minute, for the next run and for the next test, of that account only', () => {
  const { ledger, at } = aLedger()
  at(100)
  ledger.tested('acme', [{ requests: 4 }, { requests: 1, endpoint: 'x' }])
  at(130)
  const spent = [
    { requests: 4, secondsAgo: 30 },
    { requests: 1, endpoint: 'x', secondsAgo: 30 },
  ]
  expect([ledger.forRun('acme'), ledger.byTests('acme'), ledger.forRun('globex')]).toEqual([spent, spent, []])
  at(160)
  expect(ledger.forRun('acme')).toEqual([])
})

test('a connector that goes leaves all of its minute behind, from when its pods can send nothing more', () => {
  const { ledger, at } = aLedger()
  at(100)
  ledger.forgotten('acme', [{ requests: 60 }])
  at(110)
  expect(ledger.forRun('acme')).toEqual([{ requests: 60, secondsAgo: 0 }])
  expect(ledger.byTests('acme')).toEqual([])
  at(145)
  expect(ledger.forRun('acme')).toEqual([{ requests: 60, secondsAgo: 30 }])
  at(175)
  expect(ledger.forRun('acme')).toEqual([])
})

test('runs of other connectors of the account count by their age, and one that died as all that it may have spent', () => {
  const now = new Date('2026-11-23T08:01:00Z')
  const spent = [
    { requests: 5, secondsAgo: 10 },
    { requests: 2, secondsAgo: 55 },
  ]
  const ended = { budget: { at: '2026-11-23T08:00:50Z', spent } }
  const holder = { run: 'x', slot: 1, pod: 'p', claimTime: '2026-11-23T08:00:00Z', released: false }
  const died = { holder: { ...holder, renewTime: '2026-11-23T08:00:40Z' } }
  const all = [{ requests: 200 }]
  expect(spentBy({}, all, now)).toEqual([])
  expect(spentBy(ended, all, now)).toEqual([{ requests: 5, secondsAgo: 20 }])
  expect(spentBy(died, all, now)).toEqual([{ requests: 200, secondsAgo: 5 }])
  const longAgo = { holder: { ...holder, renewTime: '2026-11-22T08:00:40Z' } }
  expect(spentBy(longAgo, all, now)).toEqual([])
})
