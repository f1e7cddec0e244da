/** The outcome as tables for people, and as one line for programs. */
import { table } from '../chaos/report.ts'
import { type Gauge, isFlat, tolerance } from './gauges.ts'
import { lateOnes, type SoakOutcome } from './soak.ts'

/** Sentences shown of each kind. */
const SHOWN = 10

export function tablesOf(outcome: SoakOutcome): string {
  const { minutes, changes, trends, wrong } = outcome
  const kinds = [...Map.groupBy(changes, ({ kind }) => kind)].map(([kind, all]) => {
    const seconds = all.map((one) => one.seconds)
    return [kind, all.length, quantile(seconds, 0.5), quantile(seconds, 0.99), quantile(seconds, 1)]
  })
  const gauges = Object.entries(trends).map(([name, trend]) => {
    const gauge = name as Gauge
    const more = Math.round(tolerance(gauge, trend.first, minutes))
    return [gauge, trend.first, trend.last, `+${more}`, isFlat(gauge, trend, minutes) ? 'flat' : 'GROWS']
  })
  const late = lateOnes(outcome).map(
    ({ kind, name, seconds, wrong: what }) => `late: ${kind} ${name}, ${seconds.toFixed(1)} s ${what.join('; ')}`,
  )
  return [
    table(['change', 'made', 'p50 s', 'p99 s', 'slowest s'], kinds),
    table(['held', 'median of first third', 'of last third', 'may be', ''], gauges),
    [...late.slice(0, SHOWN), ...wrong.slice(0, SHOWN).map((sentence) => `wrong: ${sentence}`)].join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

export function figuresOf(outcome: SoakOutcome): object {
  const { minutes, changes, cuts, trends, wrong } = outcome
  const seconds = changes.map((one) => one.seconds)
  return {
    minutes: Math.round(minutes * 10) / 10,
    changes: changes.length,
    watchesCut: cuts,
    actedOnP99Seconds: quantile(seconds, 0.99),
    actedOnSlowestSeconds: quantile(seconds, 1),
    late: lateOnes(outcome).length,
    ...trends,
    wrong: wrong.length,
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
  return Math.round(value * 100) / 100
}
