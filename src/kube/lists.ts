/** Lists that somebody waits for: the first one of a loop, and those asked for later, which end its watch. */

export type Lists = ReturnType<typeof createLists>

/** One loop's lists. */
export function createLists() {
  let waiting: PromiseWithResolvers<void> | undefined
  let ending: { readonly error: unknown } | undefined
  let watching = new AbortController()
  const latest = () => waiting

  return {
    /** Resolves when a list that began after this call was taken in. */
    ask(): Promise<void> {
      if (ending !== undefined) return Promise.reject(ending.error)
      waiting ??= Promise.withResolvers()
      watching.abort()
      return waiting.promise
    },
    isAsked: () => waiting !== undefined,
    /** Aborted when a list is asked for. */
    asked: () => watching.signal,
    async fulfil(list: () => Promise<string>): Promise<string> {
      const current = waiting
      waiting = undefined
      watching = new AbortController()
      try {
        const version = await list()
        current?.resolve()
        return version
      } catch (error) {
        // Whoever waits for this one waits for the next.
        const next = latest()
        if (next === undefined) waiting = current
        else if (current !== undefined) next.promise.then(current.resolve, current.reject)
        throw error
      }
    },
    end(error: unknown): void {
      ending = { error }
      waiting?.reject(error)
    },
  }
}
