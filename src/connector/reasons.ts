/**
 * Every reason a status can carry, when it appears and what cures it: docs/reasons.md is made of this by
 * `npm run reference`. `lasting` says what happens next: a lasting failure stays until someone acts (it is Stalled, and
 * tried again at each interval all the same), any other is tried again soon.
 */
import { z } from 'zod'

/** Texts are Markdown; without a `cure` there is nothing to be done. */
type Entry = { readonly lasting: boolean; readonly means: string; readonly cure?: string }

export const REASONS = {
  Connected: { lasting: false, means: 'All checks of the last connection test passed.' },
  NotTested: {
    lasting: false,
    means: 'The connection has not been tested yet. A new connector is tested within seconds.',
    cure: 'Wait. If it stays, no operator looks at the namespace: see whether one runs and leads, and which namespaces it watches (`--namespace`).',
  },
  Suspended: {
    lasting: false,
    means:
      '`spec.suspend` is true, and the connection was never tested. A connector that is suspended later keeps the reason it had.',
    cure: 'Set `spec.suspend` to false to go on.',
  },
  SecretNotFound: {
    lasting: true,
    means:
      'The Secret that `spec.secretRef` names is not in the namespace of the connector. For five minutes it is waited for, since another operator may be making it.',
    cure: 'Create the Secret, or correct the name. It is tested at once.',
  },
  SecretKeyMissing: {
    lasting: true,
    means: 'The Secret lacks the key `clientId` or `clientSecret`, or it is empty.',
    cure: 'Add the key. It is tested at once.',
  },
  AccountNotFound: {
    lasting: true,
    means: 'No Zendesk account answers at `spec.endpoint`: HTTP 404, or a redirect to somewhere else.',
    cure: 'Check the spelling, and that the account is open. The endpoint cannot be changed: delete the connector and make one with the right endpoint.',
  },
  InvalidClient: {
    lasting: true,
    means:
      'Zendesk refuses client id and secret, or accepts them without tying them to a user. Often the secret was made anew, the client is public, or `clientId` holds something other than the unique identifier.',
    cure: 'Correct the Secret. Otherwise make a new secret, or a new confidential client, while signed in as an admin: [get-started.md](get-started.md#1-make-an-oauth-client-in-zendesk).',
  },
  InvalidScope: {
    lasting: true,
    means: 'The token does not cover what is read. The connector asks for the scope `read`.',
    cure: 'Allow the scope `read` for the OAuth client, or make a new client that is not limited.',
  },
  NotAdmin: {
    lasting: true,
    means:
      'The user behind the OAuth client is not an admin (any more). Only admins may read users and activities in whole.',
    cure: 'Give the user the role Administrator again, or use a client that another admin has made.',
  },
  UserSuspended: {
    lasting: true,
    means: 'The user behind the OAuth client is suspended or deactivated in Zendesk.',
    cure: 'Reinstate the user, or use a client that another admin has made.',
  },
  PlanNotSupported: {
    lasting: true,
    means:
      "The account's plan does not offer a stream: `AuditLogs` and `CustomRoles` need Suite Enterprise or Enterprise Plus, `AccessLogs` an add-on. The message names the streams.",
    cure: 'Take the stream out of `spec.sync.streams`, or change the plan.',
  },
  RateLimitTooHigh: {
    lasting: false,
    means: "A warning: `spec.rateLimit` is above the account's own limit. The lower of the two is used.",
    cure: "Lower `spec.rateLimit.requestsPerMinute`, or raise the account's limit: [operations.md](operations.md#rate-limits).",
  },
  RateLimited: {
    lasting: false,
    means: "Zendesk answers 429: other clients use up the account's budget, or the limit of one endpoint.",
    cure: 'Nothing, if it passes. If it lasts, lower `spec.rateLimit` or what the other clients ask for.',
  },
  ZendeskUnavailable: {
    lasting: false,
    means: "Zendesk answers 5xx, or something that is no answer of its API, such as a proxy's login page.",
    cure: 'Nothing, if it passes. If it lasts, look at status.zendesk.com and at what stands between the cluster and Zendesk.',
  },
  NetworkError: {
    lasting: false,
    means: 'There is no connection to Zendesk: DNS, proxy, firewall or a time-out.',
    cure: 'Check the way out of the cluster: DNS, firewall, NetworkPolicy, `HTTPS_PROXY`, `NO_PROXY`.',
  },
  TlsError: {
    lasting: false,
    means:
      "The TLS certificate that answers for Zendesk is not trusted. Mostly a company's proxy looks into the traffic.",
    cure: "Add the company's CA through `NODE_EXTRA_CA_CERTS` (chart: `caBundle`). It holds for the sync pods too.",
  },
  RunSucceeded: { lasting: false, means: 'The last run ended well.' },
  FirstRunPending: { lasting: false, means: 'The first run is under way, or waits for the connection.' },
  WaitingForAccount: {
    lasting: false,
    means:
      'The next run waits for its turn: another connector of the same Zendesk account is syncing. The budget belongs to the account, so its connectors sync one after another.',
    cure: 'Nothing. If it happens often, let one connector read what several read.',
  },
  WaitingForTurn: {
    lasting: false,
    means: 'The next run waits for its turn: as many runs as the operator allows at a time are under way.',
    cure: 'Nothing, if it passes. If it happens often, raise `--max-concurrent-runs` (chart: `maxConcurrentRuns`).',
  },
  RunFailed: {
    lasting: false,
    means:
      'The last run failed for another reason than those above: its pod ended without a report (out of memory: raise its limit; evicted), lost its checkpoint, or met a defect. It is tried again at the next interval and goes on where it stopped.',
    cure: 'Nothing, if it passes. If it lasts, look at the logs of the Job that `status.sync.lastRun.id` names.',
  },
  RunNotStarted: {
    lasting: false,
    means:
      "The run's pod did not start within five minutes, or the cluster refuses its Job. The message carries the cluster's own reason: an image that cannot be pulled, a claim that is not there, a quota, no node with room.",
    cure: 'Mend what the message names. It is tried again at the next interval; the annotation `sync-requested-at` asks for it now.',
  },
  SinkUnavailable: {
    lasting: true,
    means:
      "The sink refuses: it is missing, full or read-only, does not accept the credentials, or holds another account's chain. The message says which.",
    cure: "Mend the sink, or correct `spec.sync.sink`. A change of the sink's Secret starts a run at once; otherwise it is tried again at the next interval, and the annotation `sync-requested-at` asks for it now.",
  },
  Progressing: { lasting: false, means: 'A new or changed spec is being tested.' },
} as const satisfies Record<string, Entry>

export type Reason = keyof typeof REASONS
export const reason = z.enum(Object.keys(REASONS) as [Reason, ...Reason[]])

/** True when the failure stays until someone acts. */
export function isLasting(name: Reason): boolean {
  return REASONS[name].lasting
}
