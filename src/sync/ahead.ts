/** Fetching ahead of publishing, within a bound of memory. */

export type Ahead<T> = {
  /**
   * The next item in order; undefined after the last; 'later' when none came before `patience` was over. What the source
   * throws comes after all that it gave before.
   */
  take(patience?: Promise<void>): Promise<T | 'later' | undefined>
  /** Takes no more from the source; resolves when it has ended, which its own signal must see to. */
  drain(): Promise<void>
}

/** Draws from the source until more than `most` is waiting, measured by `size`. */
export function readAhead<T>(source: AsyncIterable<T>, size: (item: T) => number, most: number): Ahead<T> {
  const waiting: T[] = []
  let held = 0
  let failure: { readonly error: unknown } | undefined
  let ended = false
  let draining = false
  let arrived = Promise.withResolvers<void>()
  let taken = Promise.withResolvers<void>()

  const draw = async () => {
    for await (const item of source) {
      waiting.push(item)
      held += size(item)
      arrived.resolve()
      while (held > most && !draining) await taken.promise
      if (draining) return
    }
  }
  const drawn = draw()
    .catch((error: unknown) => {
      failure = { error }
    })
    .finally(() => {
      ended = true
      arrived.resolve()
    })

  return {
    take: async (patience) => {
      if (waiting.length === 0 && !ended) {
        arrived = Promise.withResolvers()
        await (patience === undefined ? arrived.promise : Promise.race([arrived.promise, patience]))
        if (waiting.length === 0 && !ended) return 'later'
      }
      const item = waiting.shift()
      if (item === undefined) {
        if (failure !== undefined) throw failure.error
        return undefined
      }
      held -= size(item)
      taken.resolve()
      taken = Promise.withResolvers()
      return item
    },
    drain: () => {
      draining = true
      taken.resolve()
      return drawn
    },
  }
}
