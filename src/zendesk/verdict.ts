/** What an answer means. One place judges status codes; everybody else acts on the verdict. */
import type { Reason } from '../connector/reasons.ts'
import type { Trouble } from './errors.ts'
import type { HttpAnswer } from './http.ts'
import { type EndpointLimit, statedOfAccount, statedOfEndpoint } from './limits.ts'
import { advisedWait } from './retry-after.ts'

export type Verdict =
  | { readonly kind: 'good' }
  /** The token is not valid, or not any more. */
  | { readonly kind: 'unauthorized' }
  /** Not an admin, out of scope, or not in the plan: Zendesk says the same to all three (zendesk-api.md, D/I). */
  | { readonly kind: 'forbidden' }
  /** There is nothing at this address. */
  | { readonly kind: 'absent'; readonly message: string }
  /** No useful answer: may pass by itself. */
  | ({ readonly kind: 'again' } & Passing)

/** What may go better next time; `waitMs` is Zendesk's own advice. */
export type Passing = {
  readonly reason: Reason
  readonly message: string
  readonly trouble: Trouble
  readonly waitMs: number | undefined
}

/**
 * Judges an answer of `endpoint`; `now` is our clock, for advice given as a date; `limit` is the one that what was asked
 * for has of its own.
 */
export function judge(answer: HttpAnswer, endpoint: string, now: Date, limit?: EndpointLimit): Verdict {
  const { status } = answer
  const again = (trouble: Trouble, reason: Reason, message: string): Verdict => ({
    kind: 'again',
    reason,
    message,
    trouble,
    waitMs: advisedWait(answer, limit?.header, now),
  })
  if (status >= 200 && status < 300) {
    if (isWhole(answer)) return { kind: 'good' }
    if (isJson(answer)) {
      return again('body', 'ZendeskUnavailable', `${endpoint} sent truncated JSON: it will be retried.`)
    }
    return again(
      'body',
      'ZendeskUnavailable',
      `${endpoint} sent a response that is not JSON: check what responds instead of Zendesk, such as a proxy's login page.`,
    )
  }
  if (status === 401) return { kind: 'unauthorized' }
  if (status === 403) return { kind: 'forbidden' }
  if (status === 404) {
    return {
      kind: 'absent',
      message: `There is no Zendesk account at ${endpoint}: check the spelling of spec.endpoint.`,
    }
  }
  if (status >= 300 && status < 400) {
    return {
      kind: 'absent',
      message: `${endpoint} redirects to another address, which is not followed: check that the account exists and is not closed.`,
    }
  }
  if (status === 429) {
    const why =
      limit !== undefined && isOwnLimit(answer, limit)
        ? `other clients exhaust the limit of ${limit.endpoint}, so reduce their requests to it.`
        : "other clients exhaust the account's rate limit, so lower spec.rateLimit or their usage."
    return again('429', 'RateLimited', `${endpoint} returns HTTP 429: ${why}`)
  }
  if (status === 504) {
    return again(
      '504',
      'ZendeskUnavailable',
      `${endpoint} takes too long (504): it will be retried, with a smaller page if possible.`,
    )
  }
  return again(
    status === 503 ? '503' : status >= 500 ? '5xx' : '4xx',
    'ZendeskUnavailable',
    `${endpoint} returns HTTP ${status}: check status.zendesk.com if it persists.`,
  )
}

/** Whether it is the endpoint's own limit that is used up; where the answer does not tell, it is: it is the tighter one. */
function isOwnLimit({ header }: HttpAnswer, limit: EndpointLimit): boolean {
  const own = statedOfEndpoint(header, limit)
  return own === undefined ? statedOfAccount(header)?.remaining !== 0 : own.remaining === 0
}

/** JSON by its content type, with an end: a body can be cut off where HTTP does not notice. */
function isWhole(answer: HttpAnswer): boolean {
  return isJson(answer) && /[}\]]\s*$/.test(answer.body.subarray(-64).toString('latin1'))
}

function isJson(answer: HttpAnswer): boolean {
  return (answer.header('content-type') ?? '').includes('json')
}
