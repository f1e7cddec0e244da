/**
 * One look at one connector: observe, decide, act. It always looks at the whole connector and takes one step; whatever
 * changed or why it was called makes no difference.
 */
import { readCredentials } from '../connector/credentials.ts'
import { type Decision, decide, type Step } from '../connector/decide.ts'
import { happenings } from '../connector/events.ts'
import { refusedRun, withFailedRun, withStartedRun } from '../connector/facts.ts'
import { spentBy } from '../connector/holder.ts'
import type { Observed, Standing } from '../connector/observed.ts'
import { ordersFor } from '../connector/orders.ts'
import { later } from '../connector/schedule.ts'
import { type Connector, keyOf, runRequests, subdomain } from '../connector/schema.ts'
import type { Status } from '../connector/status.ts'
import { summarise } from '../connector/summary.ts'
import { withTest } from '../connector/tested.ts'
import type { Kubernetes, Log, Metrics, Zendesk } from './ports.ts'
import type { SpentLedger } from './spent.ts'
import type { Turns } from './turns.ts'

/** As much of a connector as is needed when it is gone: whole ones would be a fleet's memory over again. */
export type Known = { readonly uid: string; readonly account: string; readonly requestsPerMinute: number }

export type ReconcileOptions = {
  readonly kubernetes: Kubernetes
  readonly zendesk: Zendesk
  readonly spent: SpentLedger
  readonly testTurns: Turns
  readonly runTurns: Turns
  /** The connectors as they were last looked at; empty at first. */
  readonly known: Map<string, Known>
  readonly metrics: Metrics
  readonly now: () => Date
  readonly log: Log
  readonly signal: AbortSignal
}

/** Looks at the connector `key`; resolves with when to look again. Rejects when the API server refuses: try again. */
export async function reconcile(key: string, options: ReconcileOptions): Promise<Date | undefined> {
  try {
    return await look(key, options)
  } catch (error) {
    // Whoever cannot go on gives its turns to the others.
    giveTurnsBack(key, options)
    throw error
  }
}

async function look(key: string, options: ReconcileOptions): Promise<Date | undefined> {
  const observed = options.kubernetes.observe(key)
  remember(key, observed?.connector, options)
  options.metrics.observe(key, observed)
  if (observed === undefined || observed.connector.metadata.deletionTimestamp !== undefined) {
    giveTurnsBack(key, options)
    return undefined
  }
  const { connector } = observed
  // Both times of the same moment: what has fallen due between them would neither stand in line nor be woken.
  const now = options.now()
  const spentByTests = options.spent.byTests(subdomain(connector.spec.endpoint))
  const judge = () => decide(observed, now, { spentByTests, ...turnsOf(key, options) })
  standInLine(key, connector, judge().wants, options)
  const { step, status, wakeAt } = judge()
  const shown = await show(connector, status, options)
  if (shown === undefined) {
    giveTurnsBack(key, options)
    return undefined
  }
  if (step.do === 'nothing') return wakeAt
  // A spec that has changed meanwhile is another question.
  if (shown.metadata.generation !== connector.metadata.generation) return options.now()
  const after = await act(step, { ...shown, status }, observed, options)
  await show(shown, summarise(connector, after, options.now()), options)
  return later(options.now(), BREATH_MS)
}

function turnsOf(key: string, { testTurns, runTurns }: ReconcileOptions): Omit<Standing, 'spentByTests'> {
  const runWaits = runTurns.wait(key)
  return {
    mayTest: testTurns.has(key),
    mayRun: runTurns.has(key),
    ...(runWaits && { runWaits }),
  }
}

function standInLine(key: string, { spec }: Connector, wants: Decision['wants'], options: ReconcileOptions): void {
  const account = subdomain(spec.endpoint)
  options.testTurns.stand(key, account, wants.test)
  options.runTurns.stand(key, account, wants.run)
}

function giveTurnsBack(key: string, { testTurns, runTurns }: ReconcileOptions): void {
  testTurns.leave(key)
  runTurns.leave(key)
}

/** A step that leaves no trace would be taken again at once, for as long as its cause is there. */
const BREATH_MS = 50

/** Notes which connector stands at a key: when it goes, or another takes its place, its budget's books are gone. */
function remember(key: string, connector: Connector | undefined, { known, spent, zendesk }: ReconcileOptions): void {
  const before = known.get(key)
  if (before !== undefined && before.uid !== connector?.metadata.uid) {
    spent.forgotten(before.account, zendesk.fullySpent(before.requestsPerMinute))
  }
  if (connector === undefined) return void known.delete(key)
  const { metadata, spec } = connector
  const { requestsPerMinute } = spec.rateLimit
  known.set(key, { uid: metadata.uid, account: subdomain(spec.endpoint), requestsPerMinute })
}

type Shown = Connector & { readonly status: Status }

/** Takes one step; resolves with the facts as they are then. */
async function act(
  step: Exclude<Step, { do: 'nothing' }>,
  connector: Shown,
  observed: Observed,
  options: ReconcileOptions,
): Promise<Status> {
  const { status } = connector
  switch (step.do) {
    case 'test':
      try {
        return await test(connector, options)
      } finally {
        // What is left to do is ours, not Zendesk's: the next one may go.
        options.testTurns.leave(keyOf(connector))
      }
    case 'start run':
      return startRun(step.slot, connector, observed, options)
    case 'stop run':
    case 'prune run':
      options.log.info({ connector: keyOf(connector), run: step.run }, step.do)
      await options.kubernetes.stopRun(connector.metadata.namespace, step.run)
      return 'failure' in step && step.failure !== undefined ? withFailedRun(status, step.failure) : status
  }
}

async function test(connector: Shown, options: ReconcileOptions): Promise<Status> {
  const { status } = connector
  const { kubernetes, zendesk, spent, now, log, signal } = options
  const { name } = connector.spec.secretRef
  const account = subdomain(connector.spec.endpoint)
  const secret = await kubernetes.readSecret(connector.metadata.namespace, name)
  const version = secret && { uid: secret.uid, resourceVersion: secret.resourceVersion }
  const credentials = readCredentials(name, secret?.data)
  if ('result' in credentials) {
    const checks = zendesk.withSkipped([credentials], connector)
    spent.tested(account, [{ requests: 0 }])
    log.info({ connector: keyOf(connector), reason: credentials.reason }, 'connection test')
    return withTest(connector, status, { checks, account: {}, secret: version }, now())
  }
  const result = await zendesk.test(connector, credentials, signal)
  spent.tested(account, result.spent)
  const problem = result.checks.find((check) => check.result === 'Failed' || check.result === 'Unknown')
  log.info(
    { connector: keyOf(connector), requests: result.spent[0]?.requests, reason: problem?.reason ?? 'Connected' },
    'connection test',
  )
  return withTest(connector, status, { checks: result.checks, account: result.account, secret: version }, now())
}

async function startRun(
  slot: number,
  connector: Shown,
  { sinkSecret, account: { checkpoints } }: Observed,
  options: ReconcileOptions,
): Promise<Status> {
  const { kubernetes, zendesk, spent, now, log } = options
  const { status } = connector
  const names = kubernetes.names(connector, slot)
  const { run } = names
  const ofSink = sinkSecret === undefined ? {} : { sinkSecret }
  const { endpoint, rateLimit } = connector.spec
  const all = zendesk.fullySpent(rateLimit.requestsPerMinute)
  const byNeighbours = checkpoints.flatMap((books) => spentBy(books, all, now()))
  const spentBefore = [...spent.forRun(subdomain(endpoint)), ...byNeighbours]
  const orders = { ...ordersFor(connector, slot, names, spentBefore, now()), ...ofSink }
  const started = await kubernetes.startRun(connector, orders)
  const refused = 'refused' in started
  const creationTime = refused ? now() : started.creationTime
  const after = withStartedRun(status, { run, slot, creationTime, requests: runRequests(connector), ...ofSink })
  log.info({ connector: keyOf(connector), run, slot }, refused ? 'run refused by the API server' : 'run started')
  return refused ? withFailedRun(after, refusedRun(run, started.refused, now())) : after
}

/** Writes the status, and tells what happened on the way to it; the connector as it is then, or undefined: it is gone. */
async function show(connector: Connector, status: Status, options: ReconcileOptions): Promise<Connector | undefined> {
  const { kubernetes, log } = options
  const shown = await kubernetes.patchStatus(connector, status)
  if (shown === undefined) return undefined
  for (const happening of happenings(connector, connector.status, status)) {
    log.info({ connector: keyOf(connector), reason: happening.reason }, happening.message)
    kubernetes.recordEvent(connector, happening)
  }
  return shown
}
