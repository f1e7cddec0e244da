/** Names, labels and types of the metrics: by Prometheus' conventions, and those of others exactly as they are theirs. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts'
import {
  aConnector,
  aProgress,
  aRun,
  noMeasures,
  noStream,
  observed,
  START,
  withStatus,
} from './fixtures/connectors.ts'

let metrics: Metrics
beforeEach(() => {
  metrics = createMetrics({ now: () => START, workers: 30, running: () => [1_000, 4_000], monotonic: () => 5_000 })
})

type Told = { readonly help: string; readonly type: string; readonly lines: readonly string[] }

async function told(): Promise<Map<string, Told>> {
  let text = ''
  for await (const piece of metrics.text()) text += piece
  const found = new Map<string, Told>()
  for (const part of text.split(/^(?=# HELP )/m).filter(Boolean)) {
    const [help = '', type = '', ...lines] = part.trim().split('\n')
    const [, name = '', sentence = ''] = /^# HELP (\S+) (.*)$/.exec(help) ?? []
    if (found.has(name)) throw new Error(`${name} is told twice`)
    found.set(name, { help: sentence, type: type.split(' ')[3] ?? '', lines })
  }
  return found
}

/** Everything that can be told has been seen once. */
function sawEverything(): void {
  metrics.leads('zendesk-connector', true)
  metrics.tested({ '200': 1 })
  metrics.rest.answered({ method: 'GET', host: 'api:443', code: '200' })
  metrics.rest.took({ method: 'GET', host: 'api:443', seconds: 0.01 })
  const connector = aConnector({ endpoint: 'contoso.zendesk.com' })
  metrics.observe('security/acme', observed(connector))
  const holder = { run: 'acme-1', slot: 1, pod: 'a', claimTime: '', renewTime: '', released: false }
  const streams = [{ ...noStream, name: 'Users', records: 1, complete: true }]
  const measures = { ...noMeasures, retries: { '503': 1 }, streams }
  const progress = aProgress('', { percent: 50, measures })
  const chain = { next: 1, lowerBound: '', records: 1, complete: true, newestRecordTime: START.toISOString() }
  const checkpoint = { account: 'contoso', sink: 's', holder, streams: { Users: chain }, progress }
  const status = {
    observedGeneration: 1,
    connection: 'Connected' as const,
    account: { subdomain: 'contoso' },
    sync: { lastSuccessTime: START.toISOString() },
  }
  metrics.observe('security/acme', observed(withStatus(connector, status), { runs: [aRun()], checkpoint }))
}

const UNITS = /_(?:seconds|bytes|ratio)(?:_total)?$/
/** prom-client's own, as dashboards for Node know them. */
const THEIRS = /^(?:nodejs_|process_)/

test('every name keeps to the conventions: units in full, counters end in _total and nothing else does', async () => {
  sawEverything()
  const all = await told()
  expect(all.size).toBeGreaterThan(40)
  for (const [name, { help, type, lines }] of all) {
    expect(help, name).not.toBe('')
    expect(['counter', 'gauge', 'histogram'], name).toContain(type)
    expect(name).toMatch(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    if (THEIRS.test(name)) continue
    expect(lines.length, `${name} has no series`).toBeGreaterThanOrEqual(1)
    expect(name, 'the type is no part of a name').not.toMatch(/counter|gauge|histogram|_count$|_sum$|_bucket$/)
    expect(name, 'units are base units').not.toMatch(
      /(?:milli|micro|nano)?(?:_ms|minutes|hours|milliseconds|kilobytes)/,
    )
    if (/_(?:duration|time|age|lag)_/.test(name)) expect(name).toMatch(UNITS)
    expect(help, name).toMatch(/\.$/)
  }
})

test('docs/metrics.md tells of each of our own, and of none that is not there', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8')
  const documented = page.match(/^\| `zendesk_\w+/gm)?.map((found) => found.slice(3))
  const ours = [...(await told()).keys()].filter((name) => name.startsWith('zendesk_'))
  expect(documented?.toSorted()).toEqual(ours.toSorted())
})

test('every line is one that Prometheus can read', async () => {
  sawEverything()
  const line =
    /^[a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (?:[-+]?[\d.]+(?:e[-+]?\d+)?|Na[Nn]|[-+]Inf)$/
  for (const { lines } of (await told()).values()) for (const one of lines.filter(Boolean)) expect(one).toMatch(line)
})

test('no series names an account', async () => {
  sawEverything()
  for (const [name, { lines }] of await told()) expect(lines.join(), name).not.toContain('contoso')
})

test('the queue is told as client-go and controller-runtime tell theirs', async () => {
  const { queue } = metrics
  queue.added()
  queue.depth('urgent', 3)
  queue.depth('routine', 7)
  for (const seconds of [0.5, 2]) queue.began('urgent', seconds)
  queue.ended(0.2, 'error')
  queue.retried()
  const all = await told()
  const lines = (name: string) => all.get(name)?.lines.filter((line) => !line.includes('_bucket')) ?? []
  const of = 'name="zendeskconnector",controller="zendeskconnector"'
  expect(lines('workqueue_depth')).toEqual([
    `workqueue_depth{${of},priority="0"} 3`,
    `workqueue_depth{${of},priority="-100"} 7`,
  ])
  expect(lines('workqueue_adds_total')).toEqual([`workqueue_adds_total{${of}} 1`])
  expect(lines('workqueue_retries_total')).toEqual([`workqueue_retries_total{${of}} 1`])
  expect(lines('workqueue_queue_duration_seconds')).toEqual([
    `workqueue_queue_duration_seconds_sum{${of}} 2.5`,
    `workqueue_queue_duration_seconds_count{${of}} 2`,
  ])
  expect(lines('workqueue_work_duration_seconds')).toContain(`workqueue_work_duration_seconds_count{${of}} 1`)
  expect(lines('workqueue_unfinished_work_seconds')).toEqual([`workqueue_unfinished_work_seconds{${of}} 5`])
  expect(lines('workqueue_longest_running_processor_seconds')).toEqual([
    `workqueue_longest_running_processor_seconds{${of}} 4`,
  ])
  const controller = 'controller="zendeskconnector"'
  expect(lines('controller_runtime_reconcile_total')).toEqual([
    `controller_runtime_reconcile_total{${controller},result="success"} 0`,
    `controller_runtime_reconcile_total{${controller},result="error"} 1`,
    `controller_runtime_reconcile_total{${controller},result="requeue"} 0`,
    `controller_runtime_reconcile_total{${controller},result="requeue_after"} 0`,
  ])
  expect(lines('controller_runtime_reconcile_errors_total')).toEqual([
    `controller_runtime_reconcile_errors_total{${controller}} 1`,
  ])
  expect(lines('controller_runtime_max_concurrent_reconciles')).toEqual([
    `controller_runtime_max_concurrent_reconciles{${controller}} 30`,
  ])
  expect(lines('controller_runtime_active_workers')).toEqual([`controller_runtime_active_workers{${controller}} 1`])
  expect(lines('controller_runtime_reconcile_time_seconds')).toContain(
    `controller_runtime_reconcile_time_seconds_count{${controller}} 1`,
  )
  expect(all.get('workqueue_queue_duration_seconds')?.lines.filter((line) => line.includes('le="'))).toHaveLength(13)
})

test('calls to the API server are told as client-go tells them', async () => {
  metrics.rest.answered({ method: 'PATCH', host: '10.96.0.1:443', code: '409' })
  metrics.rest.took({ method: 'PATCH', host: '10.96.0.1:443', seconds: 0.03 })
  const all = await told()
  expect(all.get('rest_client_requests_total')?.lines).toEqual([
    'rest_client_requests_total{method="PATCH",host="10.96.0.1:443",code="409"} 1',
  ])
  expect(all.get('rest_client_request_duration_seconds')?.lines).toContain(
    'rest_client_request_duration_seconds_bucket{le="0.1",verb="PATCH",host="10.96.0.1:443"} 1',
  )
})
