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
    cure: 'Wait. If this persists, no operator watches the namespace: check that one is running and leading, and which namespaces it watches (`--namespace`).',
  },
  Suspended: {
    lasting: false,
    means:
      '`spec.suspend` is true, and the connection was never tested. A connector that is suspended later keeps its reason.',
    cure: 'Set `spec.suspend` to false.',
  },
  SecretNotFound: {
    lasting: true,
    means:
      'The Secret in `spec.secretRef` does not exist in the namespace. For the first five minutes the operator waits for it, because another operator may be creating it.',
    cure: 'Create the Secret or correct the name. The connection is tested immediately.',
  },
  SecretKeyMissing: {
    lasting: true,
    means: 'The key `clientId` or `clientSecret` of the Secret is missing or empty.',
    cure: 'Add the key. The connection is tested immediately.',
  },
  AccountNotFound: {
    lasting: true,
    means: 'There is no Zendesk account at `spec.endpoint`: it returns HTTP 404 or a redirect.',
    cure: 'Check the spelling, and that the account is not closed. The endpoint is immutable: to change it, delete the connector and create a new one.',
  },
  InvalidClient: {
    lasting: true,
    means:
      'Zendesk rejects the client id and secret, or accepts them without an associated user. Common causes: the secret was regenerated, the client is public, or `clientId` is not the unique identifier.',
    cure: 'Correct the Secret. Otherwise generate a new secret, or create a new confidential client, while signed in as an admin: [get-started.md](get-started.md#1-make-an-oauth-client-in-zendesk).',
  },
  InvalidScope: {
    lasting: true,
    means: 'The token lacks a required scope. The connector requests the scope `read`.',
    cure: 'Allow the scope `read` for the OAuth client, or create a new client without scope restrictions.',
  },
  NotAdmin: {
    lasting: true,
    means:
      'The user of the OAuth client is not an admin, or no longer one. Only admins can read all users and activities.',
    cure: 'Give the user the Administrator role, or use a client created by another admin.',
  },
  UserSuspended: {
    lasting: true,
    means: 'The user of the OAuth client is suspended or deactivated in Zendesk.',
    cure: 'Reinstate the user, or use a client created by another admin.',
  },
  PlanNotSupported: {
    lasting: true,
    means:
      "The account's plan does not include a stream: `AuditLogs` and `CustomRoles` need Suite Enterprise or Enterprise Plus, `AccessLogs` an add-on. The message names the streams.",
    cure: 'Remove the stream from `spec.sync.streams`, or upgrade the plan.',
  },
  RateLimitTooHigh: {
    lasting: false,
    means: "A warning: `spec.rateLimit` exceeds the account's own limit. The lower of the two is used.",
    cure: "Lower `spec.rateLimit.requestsPerMinute`, or raise the account's limit: [operations.md](operations.md#rate-limits).",
  },
  RateLimited: {
    lasting: false,
    means: 'Zendesk returns HTTP 429: other clients exhaust the rate limit of the account or of one endpoint.',
    cure: 'None, if it passes. If it persists, lower `spec.rateLimit` or the usage of the other clients.',
  },
  ZendeskUnavailable: {
    lasting: false,
    means: "Zendesk returns HTTP 5xx, or a response that is not from its API, such as a proxy's login page.",
    cure: 'None, if it passes. If it persists, check status.zendesk.com and the network between the cluster and Zendesk.',
  },
  NetworkError: {
    lasting: false,
    means: 'Zendesk cannot be reached, because of DNS, a proxy, a firewall or a timeout.',
    cure: 'Check egress from the cluster: DNS, firewall, NetworkPolicy, `HTTPS_PROXY`, `NO_PROXY`.',
  },
  TlsError: {
    lasting: false,
    means: 'The TLS certificate presented for Zendesk is not trusted, usually because a company proxy intercepts TLS.',
    cure: "Add the company's CA with `NODE_EXTRA_CA_CERTS` (chart: `caBundle`). It also applies to sync pods.",
  },
  RunSucceeded: { lasting: false, means: 'The last run succeeded.' },
  FirstRunPending: { lasting: false, means: 'The first run is in progress, or waits for the connection.' },
  WaitingForAccount: {
    lasting: false,
    means:
      'The next run waits because another connector of the same Zendesk account is syncing. The rate limit belongs to the account, so its connectors sync one at a time.',
    cure: 'None. If it happens often, combine the connectors of the account into one.',
  },
  WaitingForTurn: {
    lasting: false,
    means: 'The next run waits because the maximum number of parallel runs is reached.',
    cure: 'None, if it passes. If it happens often, raise `--max-concurrent-runs` (chart: `maxConcurrentRuns`).',
  },
  RunFailed: {
    lasting: false,
    means:
      'The last run failed for a reason not listed elsewhere: its pod ended without a report (out of memory, evicted), its node stopped responding, it lost its checkpoint, or hit a bug. The next run starts at the next interval and continues where this one stopped.',
    cure: 'None, if it passes. If it persists, check the logs of the Job in `status.sync.lastRun.id`; if the pod ran out of memory, raise its limit.',
  },
  RunNotStarted: {
    lasting: false,
    means:
      "The run's pod did not start within five minutes, or the API server rejected its Job. The message contains the cause, such as an image that cannot be pulled, a missing claim, a quota, or no node with enough capacity.",
    cure: 'Fix the cause in the message. The next run starts at the next interval, or immediately with the annotation `sync-requested-at`.',
  },
  SinkUnavailable: {
    lasting: true,
    means:
      "The sink is missing, full or read-only, rejects the credentials, or contains another account's chain. The message says which.",
    cure: "Fix the sink or `spec.sync.sink`. A change of the sink's Secret starts a run immediately; otherwise the next run starts at the next interval, or immediately with the annotation `sync-requested-at`.",
  },
  Progressing: { lasting: false, means: 'A new or changed spec is being tested.' },
} as const satisfies Record<string, Entry>

export type Reason = keyof typeof REASONS
export const reason = z.enum(Object.keys(REASONS) as [Reason, ...Reason[]])

/** True when the failure stays until someone acts. */
export function isLasting(name: Reason): boolean {
  return REASONS[name].lasting
}
