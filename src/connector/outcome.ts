/** A connection test in one word: good, bad, or no answer. */
import { isLasting, type Reason } from './reasons.ts'
import { later, retryAfterMs, SECRET_GRACE_MS } from './schedule.ts'
import type { Check, ConnectionTestStatus } from './status.ts'

export type Outcome =
  | { readonly kind: 'passed'; readonly warning: string | undefined }
  /** Someone must act. */
  | { readonly kind: 'failed'; readonly reason: Reason; readonly message: string }
  /** Zendesk could not be asked. */
  | { readonly kind: 'no answer'; readonly reason: Reason; readonly message: string }

/** What the checks amount to: a failure counts more than a missing answer. */
export function outcomeOf(checks: readonly Check[]): Outcome {
  const failed = checks.find((check) => check.result === 'Failed')
  const unknown = checks.find((check) => check.result === 'Unknown')
  const problem = failed ?? unknown
  if (problem === undefined) return { kind: 'passed', warning: checks.find((check) => check.message)?.message }
  const reason = problem.reason ?? 'ZendeskUnavailable'
  const alike = checks.filter(
    (check) => check !== problem && check.result === problem.result && check.reason === reason,
  )
  const message = withAlike(problem.message ?? `The check ${problem.name} did not pass.`, alike)
  return { kind: failed !== undefined && isLasting(reason) ? 'failed' : 'no answer', reason, message }
}

/** What is to be done once is said once: of several streams that fail alike, the first speaks for all. */
function withAlike(message: string, alike: readonly Check[]): string {
  if (alike.length === 0) return message
  return `${message.replace(/\.$/, '')}; the same applies to ${alike.map(({ name }) => name).join(', ')}.`
}

/** Outcome of the last test that a status tells of; undefined before the first. */
export function lastOutcome(test: ConnectionTestStatus | undefined): Outcome | undefined {
  return test?.lastTime === undefined ? undefined : outcomeOf(test.checks ?? [])
}

/** When Zendesk is asked again that gave no answer; undefined: the last test was answered, or there was none. */
export function nextTry(test: ConnectionTestStatus | undefined): Date | undefined {
  if (test?.lastTime === undefined || lastOutcome(test)?.kind !== 'no answer') return undefined
  return later(test.lastTime, retryAfterMs(test.consecutiveFailures))
}

/** Until when a Secret that is not there may be on its way; undefined: that is not what the last test failed for. */
export function secretGraceEnd(test: ConnectionTestStatus | undefined): Date | undefined {
  const outcome = lastOutcome(test)
  if (outcome?.kind !== 'failed' || outcome.reason !== 'SecretNotFound') return undefined
  return test?.reasonSince === undefined ? undefined : later(test.reasonSince, SECRET_GRACE_MS)
}
