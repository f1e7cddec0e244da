/** What an answer means. One place judges status codes; everybody else acts on the verdict. */
import type { Reason } from '../connector/reasons.ts'
import type { HttpAnswer } from './http.ts'
import { advisedWait } from './retry-after.ts'

export type Verdict =
  | { readonly kind: 'good' }
  /** The token is not valid, or not any more. */
  | { readonly kind: 'unauthorized' }
  /** Not an admin, out of scope, or not in the plan: Zendesk says the same to all three (zendesk-api.md, D/I). */
  | { readonly kind: 'forbidden' }
  /** There is nothing at this address. */
  | { readonly kind: 'absent'; readonly message: string }
  /** No useful answer: may pass by itself. `waitMs` is Zendesk's own advice. */
  | { readonly kind: 'again'; readonly reason: Reason; readonly message: string; readonly waitMs: number | undefined }

/** Judges an answer of `endpoint`; `now` is our clock, for advice given as a date. */
export function judge(answer: HttpAnswer, endpoint: string, now: Date, endpointHeader?: string): Verdict {
  const { status } = answer
  const again = (reason: Reason, message: string): Verdict => ({
    kind: 'again',
    reason,
    message,
    waitMs: advisedWait(answer.header, endpointHeader, now),
  })
  if (status >= 200 && status < 300) {
    if (isJson(answer)) return { kind: 'good' }
    return again(
      'ZendeskUnavailable',
      `${endpoint} answered with something that is not JSON: check what answers in Zendesk's place, such as a proxy's login page.`,
    )
  }
  if (status === 401) return { kind: 'unauthorized' }
  if (status === 403) return { kind: 'forbidden' }
  if (status === 404) {
    return {
      kind: 'absent',
      message: `No Zendesk account answers at ${endpoint}: check the spelling of spec.endpoint.`,
    }
  }
  if (status >= 300 && status < 400) {
    return {
      kind: 'absent',
      message: `${endpoint} redirects to another address, which is not followed: check that the account exists and is not closed.`,
    }
  }
  if (status === 429) {
    return again(
      'RateLimited',
      `${endpoint} answers 429: other clients use the account's budget, so lower spec.rateLimit or theirs.`,
    )
  }
  return again('ZendeskUnavailable', `${endpoint} answers with HTTP ${status}: see status.zendesk.com if it lasts.`)
}

function isJson(answer: HttpAnswer): boolean {
  return (answer.header('content-type') ?? '').includes('json')
}
