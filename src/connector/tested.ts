/** Writes a finished connection test down as facts. */
import type { SecretVersion } from './observed.ts'
import { lastOutcome, type Outcome, outcomeOf } from './outcome.ts'
import { type Connector, requested, subdomain, TEST_REQUESTED_AT } from './schema.ts'
import type { Check, Status } from './status.ts'

/** What a test learned of the account. */
export type TestedAccount = {
  readonly userId?: string
  readonly role?: string
  /** The account's own limit by `X-Rate-Limit`. */
  readonly requestsPerMinute?: number
}

export type FinishedTest = {
  /** All checks, in the order in which they are shown. */
  readonly checks: readonly Check[]
  readonly account: TestedAccount
  /** The Secret as it was read for the test; undefined: it was not there. */
  readonly secret: SecretVersion | undefined
}

/** The status after a test of `connector` (as it was when the test began) that ended at `now`. */
export function withTest(connector: Connector, status: Status, test: FinishedTest, now: Date): Status {
  const before = lastOutcome(status.connectionTest)
  const outcome = outcomeOf(test.checks)
  const sameKind = before?.kind === outcome.kind
  const same = before !== undefined && reasonOf(before) === reasonOf(outcome)
  const failures = sameKind ? (status.connectionTest?.consecutiveFailures ?? 0) + 1 : 1
  const name = connector.spec.secretRef.name
  const request = requested(connector, TEST_REQUESTED_AT)
  // The account's limit is remembered until it is stated anew; who the user was is not.
  const limit = status.account?.requestsPerMinute && { requestsPerMinute: status.account.requestsPerMinute }
  return {
    ...status,
    account: { subdomain: subdomain(connector.spec.endpoint), ...limit, ...test.account },
    connectionTest: {
      lastTime: now.toISOString(),
      consecutiveFailures: outcome.kind === 'passed' ? 0 : failures,
      ...(outcome.kind === 'passed'
        ? {}
        : { reasonSince: (same && status.connectionTest?.reasonSince) || now.toISOString() }),
      testedGeneration: connector.metadata.generation,
      ...(status.sync?.lastRun === undefined ? {} : { testedAfterRun: status.sync.lastRun.id }),
      testedSecrets: [test.secret === undefined ? { name } : { name, ...test.secret }],
      checks: [...test.checks],
    },
    ...(request === undefined ? {} : { lastHandledTestRequest: request }),
  }
}

function reasonOf(outcome: Outcome): string {
  return outcome.kind === 'passed' ? '' : outcome.reason
}
