/** A minute of `npm run soak`. */
import { expect, test } from 'vitest'
import { figuresOf, tablesOf } from '../soak/report.ts'
import { isGood, lateOnes, runSoak } from '../soak/soak.ts'

test('a minute of churn with watches cut at random: each change is acted on within 10 s, each status is right, and nothing grows', async () => {
  const seed = Math.floor(Math.random() * 1_000_000)
  const outcome = await runSoak({ minutes: 1, seed, say: () => {}, judged: true })
  const told = `npm run soak -- --minutes 1 --seed ${seed}\n${tablesOf(outcome)}\n${JSON.stringify(figuresOf(outcome))}`
  expect(lateOnes(outcome), told).toEqual([])
  expect(outcome.wrong, told).toEqual([])
  expect(outcome.changes.length, told).toBeGreaterThan(15)
  expect(outcome.cuts, told).toBeGreaterThan(5)
  expect(isGood(outcome), told).toBe(true)
}, 280_000)
