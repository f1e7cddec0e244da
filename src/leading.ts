/**
 * One stretch of leading: from when the lease is ours until it is lost or given back. All that decides and writes lives
 * in it, and is gone with it: a leader that begins knows nothing but what stands in the cluster.
 */
import type { Kubernetes, Log, Metrics, Zendesk } from './controller/ports.ts'
import { createQueue, type QueueMetrics } from './controller/queue.ts'
import { type Known, reconcile } from './controller/reconcile.ts'
import { createSpentLedger } from './controller/spent.ts'
import { createTurns } from './controller/turns.ts'
import { isKubeError, retryAfterMs } from './kube/errors.ts'
import type { View } from './kube/view.ts'
import { WHOLE_TEST } from './zendesk/connection-test.ts'

export type LeadingOptions = {
  readonly view: View
  readonly kubernetes: Kubernetes
  readonly zendesk: Zendesk
  readonly metrics: Metrics & { readonly queue: QueueMetrics }
  readonly mostTests: number
  readonly mostRuns: number
  readonly now: () => Date
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
  readonly log: Log
  /** Ends it: what is under way is given up, or brought to its end where that is quick. */
  readonly signal: AbortSignal
}

export type Leading = {
  /** Something about this connector has changed. */
  changed(key: string): void
  /** A run has ended. */
  runEnded(): void
  /** When each piece of work under way began, by `monotonic`. */
  running(): Iterable<number>
  /** What keeps the queue from moving, in a sentence; undefined: it moves. */
  stuck(): string | undefined
  /** Resolves when all work has ended, at the latest after DRAIN_MS. */
  readonly ended: Promise<void>
}

/** Workers beside those that wait for Zendesk: they have the API server to wait for only. */
const QUICK_WORKERS = 10
/** Of the tests at a time: who has just applied a connector or mended a Secret waits in front of the screen. */
const KEPT_FOR_URGENT = 0.25
/** The kubelet gives 30 s; then there is the lease to be given back. */
const DRAIN_MS = 12_000
/** No piece of work takes so long: a test has ten seconds, a call to the API server twenty, and an answer that is missing is waited for two minutes. */
const STUCK_MS = 5 * 60_000

/** Workers of the queue when so many tests may be under way. */
export function workersFor(mostTests: number): number {
  return mostTests + QUICK_WORKERS
}

/** Begins at once; the view must be up to date. */
export function startLeading(options: LeadingOptions): Leading {
  const { view, kubernetes, zendesk, metrics, now, monotonic, log, signal } = options
  const spent = createSpentLedger(monotonic, WHOLE_TEST)
  const known = new Map<string, Known>()
  const wake = (key: string) => queue.add(key)
  const keptForUrgent = Math.floor(options.mostTests * KEPT_FOR_URGENT)
  const testTurns = createTurns({ most: options.mostTests, keptForUrgent, wake, now })
  const runTurns = createTurns({
    most: options.mostRuns,
    isTaken: view.isBusy,
    taken: view.runs,
    wake,
    now,
  })
  const queue = createQueue({
    workers: workersFor(options.mostTests),
    work: (key) =>
      reconcile(key, { kubernetes, zendesk, spent, testTurns, runTurns, known, metrics, now, log, signal }),
    onError: (key, error, retryMs) => {
      if (signal.aborted) return
      // Someone has changed the object meanwhile, or the lead is lost, which the signal will tell: nothing is wrong.
      const level = isKubeError(error, 'Conflict', 'NotLeader') ? 'debug' : 'error'
      log[level]({ connector: key, error, retryMs }, 'reconcile failed: tried again')
    },
    retryAfterMs,
    metrics: metrics.queue,
    now,
    monotonic,
    random: Math.random,
  })
  for (const key of view.keys()) queue.addRoutine(key)

  const ended = Promise.withResolvers<void>()
  const end = async () => {
    const late = setTimeout(ended.resolve, DRAIN_MS)
    await queue.shutDownWithDrain()
    clearTimeout(late)
    ended.resolve()
  }
  signal.addEventListener('abort', () => void end(), { once: true })
  if (signal.aborted) void end()

  return {
    changed: queue.add,
    runEnded: runTurns.next,
    running: queue.running,
    stuck: () => {
      const oldest = Math.min(...queue.running(), queue.len() > 0 ? queue.lastMoved() : Number.POSITIVE_INFINITY)
      const seconds = Math.round((monotonic() - oldest) / 1000)
      return seconds * 1000 < STUCK_MS ? undefined : `no reconcile has started or ended for ${seconds} s`
    },
    ended: ended.promise,
  }
}
