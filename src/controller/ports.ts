/** What the controller needs of the world: Kubernetes and Zendesk, as it sees them. */
import type { Credentials } from '../connector/credentials.ts'
import type { Happening } from '../connector/events.ts'
import type { Observed, SecretVersion } from '../connector/observed.ts'
import type { RunNames } from '../connector/orders.ts'
import type { RunOrders, Spending } from '../connector/run.ts'
import type { Connector } from '../connector/schema.ts'
import type { Check, Status } from '../connector/status.ts'
import type { FinishedTest } from '../connector/tested.ts'

export type ReadSecret = SecretVersion & { readonly data: Readonly<Record<string, string>> }

export type Kubernetes = {
  /** Everything known of a connector, from caches; undefined: there is none. */
  observe(key: string): Observed | undefined
  /** Reads a Secret; undefined: there is none. */
  readSecret(namespace: string, name: string): Promise<ReadSecret | undefined>
  /** Writes the status where it differs; the connector as it is then, or undefined: it is gone. */
  patchStatus(connector: Connector, status: Status): Promise<Connector | undefined>
  /** Names of a slot's Job and of the checkpoint: the same each time. */
  names(connector: Connector, slot: number): RunNames
  /** Creates the Job and all that it needs. Done twice is done once. `refused`: the API server's reason, in short. */
  startRun(
    connector: Connector,
    orders: RunOrders,
  ): Promise<{ readonly creationTime: Date } | { readonly refused: string }>
  stopRun(namespace: string, run: string): Promise<void>
  /** Tells it now or soon; nothing waits for that, and nothing fails with it. */
  recordEvent(connector: Connector, happening: Happening): void
}

export type TestResult = Pick<FinishedTest, 'checks' | 'account'> & {
  /** Requests made to the account, and those among them that an endpoint's own limit counts. */
  readonly spent: readonly Spending[]
}

export type Zendesk = {
  /** The connection test; what goes wrong is in its checks. Rejects only when `signal` is aborted. */
  test(connector: Connector, credentials: Credentials, signal: AbortSignal): Promise<TestResult>
  /** All that can be spent in a minute at this rate. */
  fullySpent(requestsPerMinute: number): Spending[]
  /** All checks of the connector as skipped but for the ones given. */
  withSkipped(checks: readonly Check[], connector: Connector): Check[]
}

export type Metrics = {
  /** Takes in what is known of the connector `namespace/name`; undefined: it is gone. */
  observe(key: string, observed: Observed | undefined): void
}

export type Log = {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
