/** The credentials of calls, read again when they have changed or were refused. */
import type { Access } from './access.ts'

/** So long the credentials of one call are good for the next, in ms. */
const FRESH_MS = 1000

/** They are files as a rule: to read them for each of a hundred calls a second took a tenth of the operator's time. */
export function keptFresh(read: Access['credentials']) {
  let kept: { readonly given: ReturnType<typeof read>; readonly atMs: number } | undefined
  const drop = () => {
    kept = undefined
  }
  const get = () => {
    if (kept !== undefined && performance.now() - kept.atMs < FRESH_MS) return kept.given
    const given = read()
    kept = { given, atMs: performance.now() }
    given.catch(() => {
      if (kept?.given === given) drop()
    })
    return given
  }
  return { get, drop }
}
