/** Figures out of samples. */

/** The smallest sample that `share` of all samples do not exceed; NaN of none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** Rounded to so many places. */
export function rounded(value: number, places = 0): number {
  return Math.round(value * 10 ** places) / 10 ** places
}

/** Milliseconds since 1970 that never go back, as the simulator's ledger has them: one machine, one clock. */
export const clockMs = (): number => performance.timeOrigin + performance.now()
