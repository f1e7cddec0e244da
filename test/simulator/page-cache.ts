import type { Answer } from './answers.ts'

/** Asked again, a cacheable answer is the same until a store's revision moves. */
export type PageAnswer = Answer & { readonly cacheable?: boolean }

/** Keeps the bytes of pages that only the computed population is on: making a thousand users takes milliseconds. */
export type PageCache = { get(question: string, make: () => PageAnswer): Answer }

/** Holds up to `maxBytes`; `revision` moves when pages that were kept are old. */
export function createPageCache(maxBytes: number, revision: () => number): PageCache {
  const pages = new Map<string, Answer>()
  let bytes = 0
  let current = revision()

  function forgetOld(): void {
    if (current !== revision()) {
      pages.clear()
      bytes = 0
      current = revision()
    }
    for (const [question, page] of pages) {
      if (bytes <= maxBytes) return
      pages.delete(question)
      bytes -= page.body.length
    }
  }

  return {
    get(question, make) {
      forgetOld()
      const kept = pages.get(question)
      if (kept) return kept
      const answer = make()
      if (!answer.cacheable || maxBytes === 0) return answer
      const body = Buffer.from(answer.body)
      // The texts of the records would hold the memory that this cache is to bound.
      const served = answer.served ? { served: { ...answer.served, records: [] } } : {}
      pages.set(question, { ...answer, body, ...served })
      bytes += body.length
      return answer
    },
  }
}
