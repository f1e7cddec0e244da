/** What the operator tells Prometheus of connectors and their runs. */
import { setImmediate as turn } from 'node:timers/promises'
import { request } from 'undici'
import { expect, test } from 'vitest'
import type { Measures } from '../../src/connector/run.ts'
import type { Status } from '../../src/connector/status.ts'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts'
import { bindAddress, serveMetrics } from '../../src/serve.ts'
import {
  aConnector,
  aProgress,
  aRun,
  at,
  noMeasures,
  noStream,
  observed,
  START,
  withStatus,
} from './fixtures/connectors.ts'

const key = 'security/acme'

async function textOf(metrics: Metrics): Promise<string> {
  let text = ''
  for await (const piece of metrics.text()) text += piece
  return text
}

const told = (pod: string, measures: Partial<Measures>, percent = 50, connector = aConnector(), newest = START) =>
  observed(connector, {
    runs: [aRun()],
    checkpoint: {
      account: 'acme',
      sink: 's',
      holder: {
        run: 'acme-1',
        slot: 1,
        pod,
        claimTime: START.toISOString(),
        renewTime: START.toISOString(),
        released: false,
      },
      streams: {
        Users: {
          next: 1,
          lowerBound: START.toISOString(),
          records: 7,
          newestRecordTime: newest.toISOString(),
          complete: true,
        },
      },
      progress: aProgress('', { percent, measures: { ...noMeasures, ...measures } }),
    },
  })
const codes = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([code, requests]) => ({ code, requests }))
const users = (published: number) => ({
  streams: [{ ...noStream, name: 'Users', records: 0, complete: true, published }],
})

test('counters add up what pods measure one after another, from when the operator began', async () => {
  const metrics = createMetrics({ now: () => at(90) })
  metrics.observe(key, told('a', { requests: 5, ...users(100) }))
  metrics.observe(key, told('a', { requests: 8, throttledSeconds: 1.5, retries: { '503': 1 }, ...users(150) }))
  metrics.observe(key, told('a', { requests: 8, throttledSeconds: 1.5, retries: { '503': 1 }, ...users(150) }))
  metrics.observe(key, told('b', { requests: 2, retries: { '503': 2 }, ...users(10) }))
  const text = await textOf(metrics)
  const labels = 'namespace="security",name="acme"'
  expect(text).toContain(`zendesk_connector_run_requests_total{${labels}} 5\n`)
  expect(text).toContain(`zendesk_connector_records_total{${labels},stream="Users"} 60\n`)
  expect(text).toContain(`zendesk_connector_retries_total{${labels},kind="503"} 3\n`)
  expect(text).toContain(`zendesk_connector_throttled_seconds_total{${labels}} 1.5\n`)
  expect(text).toContain(`zendesk_connector_lag_seconds{${labels},stream="Users"} 90\n`)
  expect(text).toContain(`zendesk_connector_run_progress_ratio{${labels}} 0.5\n`)
})

test('a connector that had not run yet is counted from its first request, also when its run has ended at the first look', async () => {
  const metrics = createMetrics({ now: () => at(90) })
  metrics.observe(key, observed(aConnector()))
  metrics.observe(key, told('a', { requests: 8, ...users(150) }))
  const text = await textOf(metrics)
  const labels = 'namespace="security",name="acme"'
  expect(text).toContain(`zendesk_connector_run_requests_total{${labels}} 8\n`)
  expect(text).toContain(`zendesk_connector_records_total{${labels},stream="Users"} 150\n`)
})

test('a run that died has no progress any more, though nobody has released what it held', async () => {
  const metrics = createMetrics({ now: () => at(90) })
  const running = told('a', {})
  const progress = async () => (await textOf(metrics)).includes('run_progress_ratio{')
  for (const runs of [[aRun({ state: 'Failed' })], [aRun({ run: 'acme-2' })], []]) {
    metrics.observe(key, running)
    expect(await progress()).toBe(true)
    metrics.observe(key, { ...running, runs })
    expect(await progress()).toBe(false)
  }
})

test('nothing is left of a connector that is gone', async () => {
  const metrics = createMetrics({ now: () => at(0) })
  for (const pod of ['a', 'b']) metrics.observe(key, told(pod, { retries: { [pod]: 1 }, ...users(1) }))
  metrics.observe(key, told('c', {}))
  metrics.observe(key, undefined)
  expect(await textOf(metrics)).not.toContain('acme')
})

test('connectors are counted by connection and readiness, and not twice', async () => {
  const metrics = createMetrics({ now: () => START })
  const standing = (name: string, connection: Status['connection'], ready?: 'True' | 'False') => {
    const condition = { type: 'Ready', lastTransitionTime: START.toISOString(), reason: 'R', message: 'm' }
    const conditions = ready === undefined ? [] : [{ ...condition, status: ready }]
    metrics.observe(
      `security/${name}`,
      observed(withStatus(aConnector({}, { name }), { observedGeneration: 1, connection, conditions })),
    )
  }
  const counted = async () =>
    [...(await textOf(metrics)).matchAll(/^zendesk_connectors\{connection="(\w+)",ready="(\w+)"\} ([^0].*)$/gm)]
      .map(([, ...found]) => found.join(' '))
      .sort()
  metrics.observe('security/new', observed(aConnector()))
  standing('one', 'Connected', 'True')
  standing('two', 'Connected', 'True')
  standing('three', 'Error', 'False')
  expect(await counted()).toEqual(['Connected True 2', 'Error False 1', 'Pending Unknown 1'])
  standing('two', 'Connected', 'False')
  standing('two', 'Connected', 'False')
  metrics.observe('security/three', undefined)
  metrics.observe('security/three', undefined)
  expect(await counted()).toEqual(['Connected False 1', 'Connected True 1', 'Pending Unknown 1'])
  expect((await textOf(metrics)).match(/^zendesk_connectors\{/gm)).toHaveLength(9)
})

test('the last success is told as a time, and neither it nor the lag of a connector that is suspended', async () => {
  const metrics = createMetrics({ now: () => at(90) })
  const succeeded = (name: string, lastSuccessTime: string, spec: object = {}) =>
    metrics.observe(
      `security/${name}`,
      observed(
        withStatus(aConnector(spec, { name }), {
          observedGeneration: 1,
          connection: 'Connected',
          sync: { lastSuccessTime },
        }),
      ),
    )
  succeeded('acme', START.toISOString())
  succeeded('idle', START.toISOString(), { suspend: true })
  metrics.observe('security/new', observed(aConnector()))
  metrics.observe('security/paused', told('a', {}, 50, aConnector({ suspend: true })))
  const text = await textOf(metrics)
  expect(text).not.toContain('zendesk_connector_lag_seconds{')
  const lines = text.match(/^zendesk_connector_last_success_timestamp_seconds\{.*/gm)
  expect(lines).toEqual([
    `zendesk_connector_last_success_timestamp_seconds{namespace="security",name="acme"} ${START.getTime() / 1000}`,
  ])
})

test('requests to Zendesk are counted by their answers, apart for tests and runs, and for no single connector', async () => {
  const metrics = createMetrics({ now: () => START })
  metrics.tested({ '200': 9, '403': 1 })
  metrics.tested({ '<error>': 1 })
  metrics.observe(key, observed(aConnector()))
  metrics.observe(key, told('a', { codes: codes({ '200': 5, '429': 1 }) }))
  metrics.observe(key, told('a', { codes: codes({ '200': 7, '429': 1 }) }))
  metrics.observe(key, told('b', { codes: codes({ '200': 1, forged: 3 }) }))
  const text = await textOf(metrics)
  for (const line of [
    'source="test",code="200"} 9',
    'source="test",code="403"} 1',
    'source="test",code="<error>"} 1',
    'source="run",code="200"} 8',
    'source="run",code="429"} 1',
    'source="run",code="other"} 3',
  ])
    expect(text).toContain(`zendesk_requests_total{${line}\n`)
})

test('with no series per connector the same is told in sums, which never fall', async () => {
  const metrics = createMetrics({ now: () => at(90), perConnector: false })
  const run = (name: string, published: number, time: Date) => {
    const connector = withStatus(aConnector({}, { name }), {
      observedGeneration: 1,
      connection: 'Connected',
      sync: { lastSuccessTime: time.toISOString() },
    })
    metrics.observe(`security/${name}`, observed(connector))
    metrics.observe(
      `security/${name}`,
      told(name, { requests: 3, retries: { '503': 1 }, ...users(published) }, 50, connector, time),
    )
  }
  run('acme', 100, at(5))
  run('beta', 20, at(10))
  const sums = [
    'zendesk_connector_records_total{stream="Users"} 120',
    'zendesk_connector_run_requests_total 6',
    'zendesk_connector_retries_total{kind="503"} 2',
  ]
  const text = await textOf(metrics)
  for (const line of sums) expect(text).toContain(`${line}\n`)
  expect(text).toContain(`zendesk_connector_last_success_timestamp_seconds ${at(5).getTime() / 1000}\n`)
  expect(text).toContain('zendesk_connector_lag_seconds{stream="Users"} 85\n')
  expect(text).not.toMatch(/namespace=|name="(?!zendeskconnector)/)
  for (const name of ['acme', 'beta']) metrics.observe(`security/${name}`, undefined)
  const after = await textOf(metrics)
  for (const line of sums) expect(after).toContain(`${line}\n`)
  expect(after).not.toMatch(/^zendesk_connector_(?:lag|last)\w+(?:\{| )/m)
})

test('a checkpoint that names kinds and streams without end makes no series without end', async () => {
  const metrics = createMetrics({ now: () => START })
  const many = Array.from({ length: 500 }, (_, index) => `hostile${index}`)
  metrics.observe(key, observed(aConnector()))
  metrics.observe(
    key,
    told('a', {
      retries: Object.fromEntries(many.map((kind) => [kind, 1])),
      codes: many.map((code) => ({ code, requests: 1 })),
      streams: many.map((name) => ({ ...noStream, name, records: 0, complete: true })),
    }),
  )
  const text = await textOf(metrics)
  expect(text.match(/hostile/g)?.length).toBeLessThanOrEqual(32)
  expect(text).toContain(`zendesk_connector_retries_total{namespace="security",name="acme",kind="other"} 468\n`)
})

test('who leads no longer tells of no connector, and keeps its sums', async () => {
  const metrics = createMetrics({ now: () => START, unreadable: () => 2 })
  metrics.leads('zendesk-connector', true)
  expect(await textOf(metrics)).toContain('zendesk_connectors_unreadable 2\n')
  metrics.observe(key, observed(aConnector()))
  metrics.observe(key, told('a', { codes: codes({ '200': 5 }), ...users(1) }))
  metrics.queue.depth('urgent', 3)
  expect(await textOf(metrics)).toContain('leader_election_master_status{name="zendesk-connector"} 1\n')
  metrics.leads('zendesk-connector', false)
  const text = await textOf(metrics)
  expect(text).toContain('leader_election_master_status{name="zendesk-connector"} 0\n')
  expect(text).toContain('zendesk_requests_total{source="run",code="200"} 5\n')
  expect(text).toContain('zendesk_connectors{connection="Pending",ready="Unknown"} 0\n')
  expect(text).toContain('zendesk_connectors_unreadable 0\n')
  expect(text).toMatch(/^workqueue_depth\{.*priority="0"\} 0$/m)
  expect(text).not.toContain('name="acme"')
})

test('ten thousand connectors are told of without holding up everything else', async () => {
  const metrics = createMetrics({ now: () => START })
  const streams = ['Users', 'AuditLogs', 'Groups', 'Organizations'] as const
  const measured = { streams: streams.map((name) => ({ ...noStream, name, records: 1, complete: true, published: 1 })) }
  const [before, after] = [observed(aConnector()), told('a', measured)]
  for (let index = 0; index < 10_000; index++) {
    metrics.observe(`security/connector-${index}`, before)
    metrics.observe(`security/connector-${index}`, after)
  }
  let [size, turns, isDone] = [0, 0, false]
  const others = async () => {
    for (; !isDone; turns++) await turn()
  }
  const taken = others()
  for await (const piece of metrics.text()) {
    // About a millisecond's work.
    expect(piece.length).toBeLessThan(100_000)
    size += piece.length
  }
  isDone = true
  await taken
  expect(size).toBeGreaterThan(15_000_000)
  expect(turns).toBeGreaterThan(size / 100_000)
})

test('they are served where --metrics-bind-address says', async () => {
  const server = await serveMetrics(createMetrics({ now: () => START }), { host: '127.0.0.1', port: 0 })
  const { statusCode, headers, body } = await request(`http://${server.address}/metrics`)
  expect(statusCode).toBe(200)
  expect(headers['content-type']).toContain('text/plain')
  expect(await body.text()).toContain('# TYPE zendesk_connector_records_total counter')
  const compressed = await fetch(`http://${server.address}/metrics`)
  expect(compressed.headers.get('content-encoding')).toBe('gzip')
  expect(await compressed.text()).toContain('# TYPE zendesk_connector_records_total counter')
  expect((await request(`http://${server.address}/`)).statusCode).toBe(404)
  await expect(
    serveMetrics(createMetrics({ now: () => START }), {
      host: '127.0.0.1',
      port: Number(server.address.split(':')[1]),
    }),
  ).rejects.toThrow('EADDRINUSE')
  server.close()
  expect(bindAddress(':8080')).toEqual({ port: 8080 })
  expect(bindAddress('[::1]:1')).toEqual({ host: '::1', port: 1 })
  expect(bindAddress('0')).toBeUndefined()
  expect(() => bindAddress('localhost')).toThrow('is not a valid listen address')
})
