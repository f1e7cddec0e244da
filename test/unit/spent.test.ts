/** The operator's own books of what accounts were asked in the last minute. */
import { expect, test } from 'vitest'
import { createSpentLedger } from '../../src/controller/spent.ts'

const START = 1_000_000

function aLedger() {
  let time = START
  const ledger = createSpentLedger(() => new Date(time), [{ requests: 10 }])
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
