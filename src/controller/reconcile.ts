/**
 * One look at one connector: observe, decide, act. It always looks at the whole connector and takes one step; whatever
 * changed or why it was called makes no difference.
 */
import { readCredentials } from '../connector/credentials.ts'
import { decide, type Step } from '../connector/decide.ts'
import { happenings } from '../connector/events.ts'
import { withFailedRun, withStartedRun } from '../connector/facts.ts'
import type { Observed } from '../connector/observed.ts'
import { ordersFor } from '../connector/orders.ts'
import { keyOf, requested, SYNC_REQUESTED_AT, subdomain } from '../connector/schema.ts'
import type { Status } from '../connector/status.ts'
import { summarise } from '../connector/summary.ts'
import { withTest } from '../connector/tested.ts'
import type { Kubernetes, Log, Zendesk } from './ports.ts'
import type { SpentLedger } from './spent.ts'

export type ReconcileOptions = {
  readonly kubernetes: Kubernetes
  readonly zendesk: Zendesk
  readonly spent: SpentLedger
  readonly now: () => Date
  readonly log: Log
  readonly signal: AbortSignal
}

/** Looks at the connector `key`; resolves with when to look again. Rejects when the API server refuses: try again. */
export async function reconcile(key: string, options: ReconcileOptions): Promise<Date | undefined> {
  const observed = options.kubernetes.observe(key)
  if (observed === undefined || observed.connector.metadata.deletionTimestamp !== undefined) return undefined
  const { step, status, wakeAt } = decide(observed, options.now())
  await show(observed, status, options)
  if (step.do === 'nothing') return wakeAt
  const after = await act(step, observed, status, options)
  await show(withStatus(observed, status), summarise(observed.connector, after, options.now()), options)
  return options.now()
}

/** Takes one step; resolves with the facts as they are then. */
async function act(
  step: Exclude<Step, { do: 'nothing' }>,
  observed: Observed,
  status: Status,
  options: ReconcileOptions,
): Promise<Status> {
  const { namespace } = observed.connector.metadata
  switch (step.do) {
    case 'test':
      return test(observed, status, options)
    case 'start run':
      return startRun(step.slot, observed, status, options)
    case 'stop run':
    case 'prune run':
      options.log.info({ connector: keyOf(observed.connector), run: step.run }, step.do)
      await options.kubernetes.stopRun(namespace, step.run)
      return 'failure' in step && step.failure !== undefined ? withFailedRun(status, step.failure) : status
  }
}

async function test({ connector }: Observed, status: Status, options: ReconcileOptions): Promise<Status> {
  const { kubernetes, zendesk, spent, now, log, signal } = options
  const { name } = connector.spec.secretRef
  const secret = await kubernetes.readSecret(connector.metadata.namespace, name)
  const version = secret && { uid: secret.uid, resourceVersion: secret.resourceVersion }
  const credentials = readCredentials(name, secret?.data)
  if ('result' in credentials) {
    const checks = zendesk.withSkipped([credentials], connector)
    log.info({ connector: keyOf(connector), reason: credentials.reason }, 'connection test')
    return withTest(connector, status, { checks, account: {}, secret: version }, now())
  }
  const result = await zendesk.test(connector, credentials, signal)
  spent.record(subdomain(connector.spec.endpoint), result.spent)
  const problem = result.checks.find((check) => check.result === 'Failed' || check.result === 'Unknown')
  log.info(
    { connector: keyOf(connector), requests: result.spent[0]?.requests, reason: problem?.reason ?? 'Connected' },
    'connection test',
  )
  return withTest(connector, status, { checks: result.checks, account: result.account, secret: version }, now())
}

async function startRun(slot: number, { connector }: Observed, status: Status, options: ReconcileOptions) {
  const { kubernetes, spent, log } = options
  const names = kubernetes.names(connector, slot)
  const { run } = names
  const orders = ordersFor({ ...connector, status }, slot, names, spent.of(subdomain(connector.spec.endpoint)))
  const creationTime = await kubernetes.startRun(connector, orders)
  log.info({ connector: keyOf(connector), run, slot }, 'run started')
  const request = requested(connector.metadata.annotations, SYNC_REQUESTED_AT)
  return withStartedRun(status, { run, slot, creationTime, ...(request === undefined ? {} : { request }) })
}

/** Writes the status, and tells what happened on the way to it. */
async function show(observed: Observed, status: Status, { kubernetes, log }: ReconcileOptions): Promise<void> {
  const { connector } = observed
  if (!(await kubernetes.patchStatus(connector, status))) return
  for (const happening of happenings(connector, connector.status, status)) {
    log.info({ connector: keyOf(connector), reason: happening.reason }, happening.message)
    await kubernetes.recordEvent(connector, happening)
  }
}

function withStatus(observed: Observed, status: Status): Observed {
  return { ...observed, connector: { ...observed.connector, status } }
}
