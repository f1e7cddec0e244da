/**
 * Every reason a status can carry. `lasting` says what happens next: a lasting failure stays until someone acts (it is
 * Stalled, and tried again at each interval all the same), any other is tried again soon.
 */
import { z } from 'zod'

type Nature = { readonly lasting: boolean }
const lasting: Nature = { lasting: true }
const passing: Nature = { lasting: false }

export const REASONS = {
  /** All checks of the last connection test passed. */
  Connected: passing,
  /** Not tested yet. */
  NotTested: passing,
  /** `spec.suspend` is true. Set it to false to go on. */
  Suspended: passing,
  /** The Secret that `spec.secretRef` names is not there. Create it, or correct the name. */
  SecretNotFound: lasting,
  /** The Secret lacks the key clientId or clientSecret, or it is empty. Add it. */
  SecretKeyMissing: lasting,
  /** No Zendesk account answers at `spec.endpoint`. Correct the endpoint (in a new connector). */
  AccountNotFound: lasting,
  /** Zendesk refuses client id and secret. Correct the Secret, or make a new secret for the OAuth client. */
  InvalidClient: lasting,
  /** The token's scope does not cover what is read. Give the OAuth client the scope `read`. */
  InvalidScope: lasting,
  /** The user behind the OAuth client is no admin. Make the user an admin again, or use a client made by an admin. */
  NotAdmin: lasting,
  /** The user behind the OAuth client is suspended or deactivated. Reinstate the user. */
  UserSuspended: lasting,
  /** The account's plan does not offer a stream. Take the stream out of `spec.sync.streams`, or change the plan. */
  PlanNotSupported: lasting,
  /** A warning: `spec.rateLimit` is above the account's own limit, which is used instead. Lower it. */
  RateLimitTooHigh: passing,
  /** Zendesk answers 429: other clients use up the account's budget. Tried again by itself. */
  RateLimited: passing,
  /** Zendesk answers 5xx, or something that is no answer of its API. Tried again by itself. */
  ZendeskUnavailable: passing,
  /** No connection to Zendesk: DNS, proxy, firewall or a time-out. Check egress; tried again by itself. */
  NetworkError: passing,
  /** The TLS certificate is not trusted. Add the company's CA through NODE_EXTRA_CA_CERTS; tried again by itself. */
  TlsError: passing,
  /** The last run finished. */
  RunSucceeded: passing,
  /** The first run is under way or waiting. */
  FirstRunPending: passing,
  /** The last run failed; tried again at the next interval. */
  RunFailed: passing,
  /** The run's pod did not start; the message carries the cluster's own reason. */
  RunNotStarted: passing,
  /** The sink refuses: missing, full, read-only, or holding another account's chain. Mend the sink. */
  SinkUnavailable: lasting,
  /** A spec that changed is being tested. */
  Progressing: passing,
} as const satisfies Record<string, Nature>

export type Reason = keyof typeof REASONS
export const reason = z.enum(Object.keys(REASONS) as [Reason, ...Reason[]])

/** True when the failure stays until someone acts. */
export function isLasting(name: Reason): boolean {
  return REASONS[name].lasting
}
