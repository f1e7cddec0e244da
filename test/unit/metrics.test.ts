/** What the operator tells Prometheus of runs. */
import { request } from 'undici'
import { expect, test } from 'vitest'
import type { Measures } from '../../src/connector/run.ts'
import { createMetrics } from '../../src/metrics.ts'
import { bindAddress, serveMetrics } from '../../src/metrics-server.ts'
import { aConnector, aProgress, aRun, at, noMeasures, noStream, observed, START } from './fixtures/connectors.ts'

const key = 'security/acme'

const told = (pod: string, measures: Partial<Measures>, percent = 50) =>
  observed(aConnector(), {
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
          newestRecordTime: START.toISOString(),
          complete: true,
        },
      },
      progress: aProgress('', { percent, measures: { ...noMeasures, ...measures } }),
    },
  })
const users = (published: number) => ({
  streams: [{ ...noStream, name: 'Users', records: 0, complete: true, published }],
})

test('counters add up what pods measure one after another, from when the operator began', async () => {
  const metrics = createMetrics(() => at(90))
  metrics.observe(key, told('a', { requests: 5, ...users(100) }))
  metrics.observe(key, told('a', { requests: 8, throttledSeconds: 1.5, retries: { '503': 1 }, ...users(150) }))
  metrics.observe(key, told('a', { requests: 8, throttledSeconds: 1.5, retries: { '503': 1 }, ...users(150) }))
  metrics.observe(key, told('b', { requests: 2, retries: { '503': 2 }, ...users(10) }))
  const text = await metrics.text()
  const labels = 'namespace="security",name="acme"'
  expect(text).toContain(`zendesk_connector_run_requests_total{${labels}} 5\n`)
  expect(text).toContain(`zendesk_connector_records_total{${labels},stream="Users"} 60\n`)
  expect(text).toContain(`zendesk_connector_retries_total{${labels},kind="503"} 3\n`)
  expect(text).toContain(`zendesk_connector_throttled_seconds_total{${labels}} 1.5\n`)
  expect(text).toContain(`zendesk_connector_lag_seconds{${labels},stream="Users"} 90\n`)
  expect(text).toContain(`zendesk_connector_run_progress_ratio{${labels}} 0.5\n`)
})

test('a connector that had not run yet is counted from its first request, also when its run has ended at the first look', async () => {
  const metrics = createMetrics(() => at(90))
  metrics.observe(key, observed(aConnector()))
  metrics.observe(key, told('a', { requests: 8, ...users(150) }))
  const text = await metrics.text()
  const labels = 'namespace="security",name="acme"'
  expect(text).toContain(`zendesk_connector_run_requests_total{${labels}} 8\n`)
  expect(text).toContain(`zendesk_connector_records_total{${labels},stream="Users"} 150\n`)
})

test('a run that died has no progress any more, though nobody has released what it held', async () => {
  const metrics = createMetrics(() => at(90))
  const running = told('a', {})
  const progress = async () => (await metrics.text()).includes('run_progress_ratio{')
  for (const runs of [[aRun({ state: 'Failed' })], [aRun({ run: 'acme-2' })], []]) {
    metrics.observe(key, running)
    expect(await progress()).toBe(true)
    metrics.observe(key, { ...running, runs })
    expect(await progress()).toBe(false)
  }
})

test('nothing is left of a connector that is gone', async () => {
  const metrics = createMetrics(() => at(0))
  for (const pod of ['a', 'b']) metrics.observe(key, told(pod, { retries: { [pod]: 1 }, ...users(1) }))
  metrics.observe(key, told('c', {}))
  metrics.observe(key, undefined)
  expect(await metrics.text()).not.toContain('acme')
})

test('they are served where --metrics-bind-address says', async () => {
  const server = await serveMetrics(
    createMetrics(() => START),
    { host: '127.0.0.1', port: 0 },
  )
  const { statusCode, headers, body } = await request(`http://${server.address}/metrics`)
  expect(statusCode).toBe(200)
  expect(headers['content-type']).toContain('text/plain')
  expect(await body.text()).toContain('# TYPE zendesk_connector_records_total counter')
  expect((await request(`http://${server.address}/`)).statusCode).toBe(404)
  await expect(
    serveMetrics(
      createMetrics(() => START),
      { host: '127.0.0.1', port: Number(server.address.split(':')[1]) },
    ),
  ).rejects.toThrow('EADDRINUSE')
  server.close()
  expect(bindAddress(':8080')).toEqual({ port: 8080 })
  expect(bindAddress('[::1]:1')).toEqual({ host: '::1', port: 1 })
  expect(bindAddress('0')).toBeUndefined()
  expect(() => bindAddress('localhost')).toThrow('is not an address')
})
