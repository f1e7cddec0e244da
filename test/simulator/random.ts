/** A well-mixed 32-bit number for (seed, index): populations are computed from it instead of being stored. */
export function mix(seed: number, index: number): number {
  let hash = (Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b)) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** One of the choices, always the same one for the same number. */
export function pick<T>(choices: readonly T[], number: number): T {
  const choice = choices[number % choices.length]
  if (choice === undefined) throw new Error('nothing to pick from')
  return choice
}
