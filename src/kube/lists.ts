/** Lists that somebody waits for: the first one of a loop, and those asked for later, which end its watch. */
import { isKubeError } from './errors.ts'

/** What came of a list: all of it, or that we may not see it. */
export type Listed = 'Listed' | 'Refused'

export type Lists = ReturnType<typeof createLists>

/** One loop's lists. */
export function createLists() {
  let waiting: PromiseWithResolvers<Listed> | undefined
  let ending: { readonly error: unknown } | undefined
  let watching = new AbortController()
  const latest = () => waiting

  return {
    /** Resolves when a list that began after this call was taken in, or refused to us. */
    ask(): Promise<Listed> {
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
        current?.resolve('Listed')
        return version
      } catch (error) {
        if (isKubeError(error, 'Forbidden')) {
          current?.resolve('Refused')
          throw error
        }
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
