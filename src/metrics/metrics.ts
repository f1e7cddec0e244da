/**
 * All that the operator tells Prometheus. No label names an account, and those that name a connector can be left out:
 * what is told of each connector is then told as one sum. What is no longer there is no longer told.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Observed } from '../connector/observed.ts'
import type { QueueMetrics } from '../controller/queue.ts'
import type { RestMetrics } from '../kube/cluster.ts'
import { createStandings } from './connectors.ts'
import { exposition } from './exposition.ts'
import { createQueueMetrics, type QueueSource } from './queue.ts'
import { createRestMetrics } from './rest.ts'
import { createRunFigures } from './runs.ts'

export type Metrics = {
  /** Takes in what is known of the connector `namespace/name`; undefined: it is gone. */
  observe(key: string, observed: Observed | undefined): void
  /** Takes in Zendesk's answers to one connection test, by code: how many. */
  tested(codes: Readonly<Record<string, number>>): void
  /** Whether this process leads, and by which Lease. Who leads no longer tells of no connector: the next leader does. */
  leads(lease: string, isLeader: boolean): void
  readonly queue: QueueMetrics
  readonly rest: RestMetrics
  /** In Prometheus' text format, piece by piece. */
  text(): AsyncGenerator<string, void, undefined>
  readonly contentType: string
}

export type MetricsOptions = Partial<QueueSource> & {
  readonly now: () => Date
  /** Whether series may name connectors. Default: true. */
  readonly perConnector?: boolean
  /** Connectors that are there and cannot be read. Default: none. */
  readonly unreadable?: () => number
}

export function createMetrics({
  now,
  perConnector = true,
  unreadable = () => 0,
  workers = 0,
  running = () => [],
  monotonic = () => performance.now(),
}: MetricsOptions): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  // Gauges that are called total: promtool rejects them, and the same is told by type beside them.
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`)
  const queue = createQueueMetrics(registry, { workers, running, monotonic })
  const rest = createRestMetrics(registry)
  const leader = new Gauge({
    registers: [registry],
    labelNames: ['name'],
    name: 'leader_election_master_status',
    help: 'Whether this process is the leader (1) or on standby (0), by name of the Lease.',
  })
  let isLeading = false
  new Gauge({
    registers: [registry],
    name: 'zendesk_connectors_unreadable',
    help: 'Connectors that this operator cannot read and ignores, usually because the CRD is newer.',
    collect() {
      this.set(isLeading ? unreadable() : 0)
    },
  })
  const answers = new Counter({
    registers: [registry],
    labelNames: ['source', 'code'],
    name: 'zendesk_requests_total',
    help: 'Requests of connection tests and runs to Zendesk, by status code (<error>: no response).',
  })
  const answered = (source: 'test' | 'run') => (code: string, count: number) =>
    answers.inc({ source, code: CODE.test(code) ? code : 'other' }, count)
  const runs = createRunFigures(perConnector, answered('run'))
  const standings = createStandings(perConnector, now)

  const forget = (key: string) => {
    runs.forget(key)
    standings.forget(key)
  }

  return {
    observe: (key, observed) => {
      if (observed === undefined) return forget(key)
      runs.observe(key, observed)
      standings.observe(key, observed)
    },
    tested: (codes) => {
      for (const [code, count] of Object.entries(codes)) answered('test')(code, count)
    },
    leads: (lease, isLeader) => {
      isLeading = isLeader
      leader.set({ name: lease }, isLeader ? 1 : 0)
      if (isLeader) return
      for (const key of standings.keys()) forget(key)
      // What waited in its queue waits for nobody any more.
      for (const lane of ['urgent', 'routine'] as const) queue.depth(lane, 0)
    },
    queue,
    rest,
    text: async function* () {
      yield `${await registry.metrics()}\n`
      yield* exposition([...standings.families, ...runs.families])
    },
    contentType: registry.contentType,
  }
}

/** What a checkpoint says can be anything; a label must be bounded. */
const CODE = /^(?:[1-5]\d\d|<error>)$/
