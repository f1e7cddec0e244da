/** The queue and its workers, named and bucketed as client-go and controller-runtime do, so that their dashboards fit. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Lane, QueueMetrics } from '../controller/queue.ts'

type Result = Parameters<QueueMetrics['ended']>[1]

/** As controller-runtime names a controller: by its kind in small letters. */
const CONTROLLER = 'zendeskconnector'
const OF_QUEUE = { name: CONTROLLER, controller: CONTROLLER }
const OF_CONTROLLER = { controller: CONTROLLER }
/** What a lane is called by controller-runtime's priority queue: 0 as it comes, -100 its LowPriority. */
const PRIORITY: Readonly<Record<Lane, string>> = { urgent: '0', routine: '-100' }
/** `requeue` is controller-runtime's and never ours: there its series stands at zero from the start as well. */
const RESULTS: readonly string[] = ['success', 'error', 'requeue', 'requeue_after'] satisfies (Result | 'requeue')[]
const DURATIONS = Array.from({ length: 12 }, (_, power) => Number(`1e${power - 8}`))
const RECONCILE_TIMES = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
]

export type QueueSource = {
  readonly workers: number
  /** When each piece of work under way began, by `monotonic`. */
  readonly running: () => Iterable<number>
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
}

export function createQueueMetrics(registry: Registry, { workers, running, monotonic }: QueueSource): QueueMetrics {
  const registers = [registry]
  const ofQueue = { registers, labelNames: ['name', 'controller'] }
  const ofController = { registers, labelNames: ['controller'] }
  const ages = () => Array.from(running(), (began) => Math.max(0, monotonic() - began) / 1000)

  const depth = new Gauge({
    registers,
    labelNames: ['name', 'controller', 'priority'],
    name: 'workqueue_depth',
    help: 'Keys waiting for a worker, by priority: 0 is new or changed, -100 merely due.',
  })
  const adds = new Counter({ ...ofQueue, name: 'workqueue_adds_total', help: 'Total number of added keys.' })
  const retries = new Counter({
    ...ofQueue,
    name: 'workqueue_retries_total',
    help: 'Keys requeued for later, after a failure or for their next due time.',
  })
  const waited = new Histogram({
    ...ofQueue,
    name: 'workqueue_queue_duration_seconds',
    help: 'Time that keys waited for a worker.',
    buckets: DURATIONS,
  })
  const worked = new Histogram({
    ...ofQueue,
    name: 'workqueue_work_duration_seconds',
    help: 'Time to process a key.',
    buckets: DURATIONS,
  })
  new Gauge({
    ...ofQueue,
    name: 'workqueue_unfinished_work_seconds',
    help: 'Total time that work in progress has taken so far.',
    collect() {
      this.set(
        OF_QUEUE,
        ages().reduce((sum, age) => sum + age, 0),
      )
    },
  })
  new Gauge({
    ...ofQueue,
    name: 'workqueue_longest_running_processor_seconds',
    help: 'Time that the oldest work in progress has taken so far.',
    collect() {
      this.set(
        OF_QUEUE,
        ages().reduce((longest, age) => Math.max(longest, age), 0),
      )
    },
  })
  const reconciles = new Counter({
    registers,
    labelNames: ['controller', 'result'],
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result.',
  })
  const errors = new Counter({
    ...ofController,
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Failed reconciles.',
  })
  const times = new Histogram({
    ...ofController,
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of reconciles.',
    buckets: RECONCILE_TIMES,
  })
  const most = new Gauge({
    ...ofController,
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Maximum number of concurrent reconciles.',
  })
  const active = new Gauge({
    ...ofController,
    name: 'controller_runtime_active_workers',
    help: 'Reconciles in progress.',
  })

  // A series that is not there yet makes a first increase invisible to rate().
  for (const lane of Object.values(PRIORITY)) depth.set({ ...OF_QUEUE, priority: lane }, 0)
  for (const counter of [adds, retries]) counter.inc(OF_QUEUE, 0)
  for (const histogram of [waited, worked]) histogram.zero(OF_QUEUE)
  for (const result of RESULTS) reconciles.inc({ ...OF_CONTROLLER, result }, 0)
  errors.inc(OF_CONTROLLER, 0)
  times.zero(OF_CONTROLLER)
  most.set(OF_CONTROLLER, workers)
  active.set(OF_CONTROLLER, 0)

  return {
    added: () => adds.inc(OF_QUEUE),
    depth: (lane, waiting) => depth.set({ ...OF_QUEUE, priority: PRIORITY[lane] }, waiting),
    began: (_lane, waitedSeconds) => {
      waited.observe(OF_QUEUE, waitedSeconds)
      active.inc(OF_CONTROLLER)
    },
    ended: (seconds, result) => {
      worked.observe(OF_QUEUE, seconds)
      times.observe(OF_CONTROLLER, seconds)
      reconciles.inc({ ...OF_CONTROLLER, result })
      if (result === 'error') errors.inc(OF_CONTROLLER)
      active.dec(OF_CONTROLLER)
    },
    retried: () => retries.inc(OF_QUEUE),
  }
}
