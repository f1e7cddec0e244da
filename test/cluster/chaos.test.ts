/** A part of `npm run chaos`: as many kills and faults as a minute and a half has room for. */
import { expect, test } from 'vitest'
import { runChaos } from '../chaos/chaos.ts'
import { figuresOf, tablesOf } from '../chaos/report.ts'

test('twenty kills and twenty faults lose nothing, repeat nothing, change nothing and exceed no budget', async () => {
  const seed = Math.floor(Math.random() * 1_000_000)
  const outcome = await runChaos({
    kills: 20,
    faults: 20,
    lanes: 14,
    seed,
    hurry: true,
    sinks: ['file', 's3', 'file', 'http'],
    seconds: 300,
    say: () => {},
  })
  const told = `npm run chaos -- --kills 20 --faults 20 --lanes 14 --hurry --seed ${seed}\n${tablesOf(outcome)}`
  const { kills, faults, ...wrong } = figuresOf(outcome)
  expect(wrong, told).toEqual({ lost: 0, repeated: 0, changed: 0, overBudgetWindows: 0, checkpointMovedBack: 0 })
  expect(outcome.books.troubles, told).toEqual([])
  expect(kills, told).toBeGreaterThanOrEqual(20)
  expect(faults, told).toBeGreaterThanOrEqual(20)
}, 400_000)
