/**
 * What runs have measured, for Prometheus: runs come and go, so the operator adds up what their checkpoints tell.
 * Counters begin at zero with the operator, as counters do.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import type { Observed } from './connector/observed.ts'
import type { Measures } from './connector/run.ts'

export type Metrics = {
  /** Takes in what is known of the connector `namespace/name`; undefined: it is gone. */
  observe(key: string, observed: Observed | undefined): void
  /** In Prometheus' text format. */
  text(): Promise<string>
  readonly contentType: string
}

type Labels = Readonly<Record<string, string>>

/** What was last taken in of a connector: the pod whose measures they are, and the measures. */
type Seen = { readonly pod: string; readonly measures: Measures }
/** Of a connector that has never run: all that its first run does is counted, however late it is looked at. */
const nothingYet: Seen = {
  pod: '',
  measures: { records: 0, requests: 0, bytes: 0, throttled: 0, throttledSeconds: 0, retries: {}, streams: [] },
}

const CONNECTOR = ['namespace', 'name'] as const
const STREAM = [...CONNECTOR, 'stream'] as const

export function createMetrics(now: () => Date): Metrics {
  const registry = new Registry()
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name: `zendesk_connector_${name}`, help, labelNames: [...labelNames], registers: [registry] })
  const records = counter('records_total', 'Records published.', STREAM)
  const bytes = counter('received_bytes_total', 'Bytes of pages read from Zendesk, uncompressed.', STREAM)
  const late = counter('late_records_total', 'Activities that surfaced after younger ones had been read.', STREAM)
  const unmapped = counter('unmapped_records_total', 'Records of no known kind, published as base events.', STREAM)
  const rejected = counter('rejected_records_total', 'Records that the sink refuses for good.', STREAM)
  const requests = counter('run_requests_total', 'Requests of runs to Zendesk, those for tokens included.', CONNECTOR)
  const throttled = counter('throttled_requests_total', 'Requests of runs that Zendesk answered with 429.', CONNECTOR)
  const waited = counter(
    'throttled_seconds_total',
    'Time that runs waited because Zendesk, or other clients of the account, asked for it.',
    CONNECTOR,
  )
  const retries = counter('retries_total', 'Attempts of runs that had to be repeated.', [...CONNECTOR, 'kind'])

  const seen = new Map<string, Seen>()
  /** Labels that have been used beside the connector's own. */
  const used = new Map<string, { readonly kinds: Set<string>; readonly streams: Set<string> }>()
  const newest = new Map<string, ReadonlyMap<string, number>>()
  const percents = new Map<string, number>()

  new Gauge({
    name: 'zendesk_connector_lag_seconds',
    help: 'Age of the newest record that was published.',
    labelNames: [...STREAM],
    registers: [registry],
    collect() {
      this.reset()
      for (const [key, streams] of newest)
        for (const [stream, time] of streams)
          this.set({ ...labelsOf(key), stream }, Math.max(0, (now().getTime() - time) / 1000))
    },
  })
  new Gauge({
    name: 'zendesk_connector_run_progress_ratio',
    help: 'How much of the run under way is done; an estimate.',
    labelNames: [...CONNECTOR],
    registers: [registry],
    collect() {
      this.reset()
      for (const [key, percent] of percents) this.set(labelsOf(key), percent / 100)
    },
  })

  const add = (labels: Labels, before: Measures | undefined, after: Measures) => {
    const more = (metric: Counter, of: Labels, to: number, from = 0) => metric.inc(of, Math.max(0, to - from))
    more(requests, labels, after.requests, before?.requests)
    more(throttled, labels, after.throttled, before?.throttled)
    more(waited, labels, after.throttledSeconds, before?.throttledSeconds)
    for (const [kind, count] of Object.entries(after.retries))
      more(retries, { ...labels, kind }, count, before?.retries[kind])
    for (const stream of after.streams) {
      const of = { ...labels, stream: stream.name }
      const was = before?.streams.find(({ name }) => name === stream.name)
      more(records, of, stream.published, was?.published)
      more(bytes, of, stream.bytes, was?.bytes)
      more(late, of, stream.late, was?.late)
      more(unmapped, of, stream.unmapped, was?.unmapped)
      more(rejected, of, stream.rejected, was?.rejected)
    }
  }

  const remember = (key: string, { retries, streams }: Measures) => {
    const labels = used.get(key) ?? { kinds: new Set(), streams: new Set() }
    used.set(key, labels)
    for (const kind of Object.keys(retries)) labels.kinds.add(kind)
    for (const { name } of streams) labels.streams.add(name)
  }

  const forget = (key: string) => {
    const { kinds = [], streams = [] } = used.get(key) ?? {}
    const labels = labelsOf(key)
    for (const metric of [requests, throttled, waited]) metric.remove(labels)
    for (const kind of kinds) retries.remove({ ...labels, kind })
    for (const stream of streams)
      for (const metric of [records, bytes, late, unmapped, rejected]) metric.remove({ ...labels, stream })
    for (const kept of [seen, used, newest, percents]) kept.delete(key)
  }

  return {
    observe: (key, observed) => {
      if (observed === undefined) return forget(key)
      const { holder, progress, streams } = observed.checkpoint ?? {}
      const times = Object.entries(streams ?? {}).flatMap(([name, { newestRecordTime }]) =>
        newestRecordTime === undefined ? [] : [[name, Date.parse(newestRecordTime)] as const],
      )
      newest.set(key, new Map(times))
      if (holder === undefined || progress === undefined) {
        if (!seen.has(key)) seen.set(key, nothingYet)
        return
      }
      // A run that died has not released what it held.
      const isActive = observed.runs.some(({ run, state }) => run === holder.run && state === 'Active')
      if (holder.released || !isActive || progress.percent === undefined) percents.delete(key)
      else percents.set(key, progress.percent)
      const pod = `${holder.run}/${holder.pod}`
      const before = seen.get(key)
      seen.set(key, { pod, measures: progress.measures })
      remember(key, progress.measures)
      // What a run had done when this operator began is not told again.
      if (before !== undefined) add(labelsOf(key), before.pod === pod ? before.measures : undefined, progress.measures)
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function labelsOf(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
