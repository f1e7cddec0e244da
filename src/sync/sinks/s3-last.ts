/** The end of a chain that is too long to be listed, and whose beginning may be gone: found by halving. */

/** Numbers that come after another, lowest first: as many as a page holds, and whether there are more. */
export type NumbersAfter = (number: number) => Promise<{ readonly numbers: readonly number[]; readonly more: boolean }>

/** As many as a page holds, as a rule: what is left is asked for as a whole then. */
const PAGE = 1000

/** Highest number; undefined when there is none. Asks for a number of pages that grows with the chain's logarithm. */
export async function lastNumber(after: NumbersAfter): Promise<number | undefined> {
  let last: number | undefined
  /** Nothing stands above it. */
  let bound = Number.POSITIVE_INFINITY
  let stride = PAGE
  for (let asked = -1; ; ) {
    const { numbers, more } = await after(asked)
    const highest = numbers.at(-1)
    if (highest !== undefined) last = highest
    else bound = asked
    if (last === undefined || last === bound || (highest !== undefined && !more)) return last
    if (bound === Number.POSITIVE_INFINITY) {
      asked = last + stride
      stride *= 2
    } else {
      asked = bound - last > PAGE ? last + Math.floor((bound - last) / 2) : last
    }
  }
}
