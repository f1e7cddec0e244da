/** Quantities of Kubernetes, such as 100m or 128Mi, as far as two of them are to be compared. */

const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  ...Object.fromEntries([...'kMGTPE'].map((unit, index) => [unit, 1000 ** (index + 1)])),
  ...Object.fromEntries([...'KMGTPE'].map((unit, index) => [`${unit}i`, 1024 ** (index + 1)])),
}

/** As a number; NaN: it is none. */
export function amountOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d*)?|\.\d+)([A-Za-z]{0,2}|[eE][+-]?\d+)$/.exec(text) ?? []
  if (/\d$/.test(unit)) return Number(`${number}${unit}`)
  return Number(number || Number.NaN) * (UNITS[unit] ?? Number.NaN)
}
