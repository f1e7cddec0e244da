/**
 * What a user sees of sinks that are reached over the network: the records, and what is wrong when none arrive. Side by
 * side on one cluster, each connector with an account, a bucket or a collector of its own.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, type ExpectStatic, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { startCollector } from '../support/collector.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { scrape } from '../support/metrics.ts'
import { raws, runEnded, sorted } from '../support/records.ts'
import { type S3Server, startS3 } from '../support/s3/server.ts'
import { readRecords, type Served, type SinkRecord, type Stage, startStage } from '../support/stage.ts'

const TOKEN = 'Splunk 11111111-2222-3333-4444-555555555555'

let stage: Stage
let s3: S3Server
beforeAll(async () => {
  ;[stage, s3] = await Promise.all([startStage({ name: 'sinks' }), startS3()])
  await stage.startOperator()
})
afterAll(async () => {
  await s3?.stop()
  await stage?.stop()
})

/** A bucket of its own, and a spec that publishes into it. */
async function toS3(name: string, more: object = {}) {
  const folder = await s3.bucket(name)
  const secretRef = { name: `${name}-sink-zendesk` }
  const sink = { s3: { bucket: name, prefix: 'zendesk/raw', endpoint: s3.endpoint, pathStyle: true, secretRef } }
  const records = (stream: string) => readRecords(join(folder, 'zendesk', 'raw', 'security', name, stream))
  return { spec: { sync: { sink, ...more } }, records }
}

const sinkSecret = (name: string, data: Readonly<Record<string, string>>) => secretYaml(`${name}-sink`, data)
const missing =
  "The sink's Secret is missing or empty: create it with the keys that the sink needs, or correct the sink's secretRef."
const rightKey = () => ({ accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey })

describe.concurrent('side by side', { timeout: 200_000 }, () => {
  test('S3: every record arrives once, byte for byte, in objects named by namespace, connector, stream and number', async ({
    expect,
  }) => {
    const name = 'bucket'
    const account = stage.simulator.account(name)
    const { spec, records } = await toS3(name)
    await stage.apply(documents(secretYaml(name), sinkSecret(name, rightKey()), connectorYaml({ name, spec })))
    const connector = await stage.until(name, runEnded(1), { seconds: 60 })
    expect(connector.status.sync.lastRun).toMatchObject({ result: 'Succeeded' })

    const streams = ['AuditLogs', 'CustomRoles', 'DeletedUsers', 'GroupMemberships', 'Groups', 'Users']
    const keys = (await s3.objects(name)).map(({ key }) => key)
    expect(keys.filter((key) => !key.endsWith('/.conditional-writes'))).toEqual(
      streams.map((stream) => `zendesk/raw/security/bucket/${stream}/000000000000.ndjson.gz`),
    )
    expect(sorted(raws(await records('Users')))).toEqual(sorted(account.users()))
    expectTheActivities(expect, account, await records('AuditLogs'))
    expect(sorted(raws(await records('Groups')))).toEqual(sorted(account.records('groups')))
    expect(sorted(raws(await records('GroupMemberships')))).toEqual(sorted(account.records('group_memberships')))
    expect(sorted(raws(await records('CustomRoles')))).toEqual(sorted(account.records('custom_roles')))
    expect(await records('DeletedUsers')).toHaveLength(2)
    await expectMetrics(expect, connector, connector.status.sync.lastRun.requests)
  })

  test('S3: a wrong secretAccessKey is a sentence, and correcting the Secret alone makes everything arrive', async ({
    expect,
  }) => {
    const name = 'wrong-key'
    const account = stage.simulator.account(name)
    const { spec, records } = await toS3(name, { streams: ['AuditLogs'] })
    const wrong = { ...rightKey(), secretAccessKey: 'not-that-one' }
    await stage.apply(documents(secretYaml(name), sinkSecret(name, wrong), connectorYaml({ name, spec })))
    await expectCured(expect, name, {
      message: `${new URL(s3.endpoint).host} rejects the access key: check accessKeyId and secretAccessKey in the sink's Secret.`,
      cure: sinkSecret(name, rightKey()),
    })
    expectTheActivities(expect, account, await records('AuditLogs'))
  })

  test('S3: a Secret that is not there is said by the run, and making it is enough', async ({ expect }) => {
    const name = 'no-key'
    const account = stage.simulator.account(name)
    const { spec, records } = await toS3(name, { streams: ['AuditLogs'] })
    await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
    await expectCured(expect, name, { message: missing, cure: sinkSecret(name, rightKey()) })
    expectTheActivities(expect, account, await records('AuditLogs'))
  })

  test('http: so is one with the headers, and nothing is sent without them', async ({ expect, onTestFinished }) => {
    const name = 'no-header'
    const account = stage.simulator.account(name)
    const collector = await startCollector()
    onTestFinished(() => collector.stop())
    const http = { url: collector.url, secretRef: { name: `${name}-sink-zendesk` } }
    const spec = { sync: { sink: { http }, streams: ['AuditLogs'] } }
    await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
    await expectCured(expect, name, { message: missing, cure: sinkSecret(name, { Authorization: TOKEN }) })
    expectTheActivities(expect, account, parsed(collector.events))
    expect(collector.requests.map(({ headers }) => headers.authorization)).toEqual([TOKEN])
  })

  test.for([
    {
      format: 'NDJSON',
      refusal: (host: string) => `${host} rejects the credentials (401): check the headers in the Secret of the sink.`,
    },
    {
      format: 'SplunkHEC',
      refusal: (host: string) =>
        `Splunk at ${host} rejects the token (403): set the key Authorization in the Secret of the sink to the word Splunk, a space and the token.`,
    },
  ])(
    'http, $format: a wrong token is a sentence, and correcting the Secret alone makes every record arrive once',
    async ({ format, refusal }, { expect, onTestFinished }) => {
      const name = format.toLowerCase()
      const account = stage.simulator.account(name)
      const collector = await startCollector({ authorization: TOKEN, acknowledgesAfter: 1 })
      onTestFinished(() => collector.stop())
      const isSplunk = format === 'SplunkHEC'
      const secretRef = { name: `${name}-sink-zendesk` }
      const http = { url: isSplunk ? collector.splunkUrl : collector.url, format, acknowledge: isSplunk, secretRef }
      const spec = { sync: { sink: { http }, streams: ['AuditLogs'] } }
      const wrong = sinkSecret(name, { Authorization: 'Splunk wrong' })
      await stage.apply(documents(secretYaml(name), wrong, connectorYaml({ name, spec })))
      await expectCured(expect, name, {
        message: refusal(collector.host),
        cure: sinkSecret(name, { Authorization: TOKEN }),
      })
      expectTheActivities(expect, account, parsed(collector.events))
      expect(collector.requests.filter(({ status }) => status === 200).map(({ headers }) => headers)).toMatchObject([
        { authorization: TOKEN, 'content-encoding': 'gzip' },
      ])
      expect(collector.looks.length > 0).toBe(isSplunk)
    },
  )

  test('a run that takes its time shows how far it is, and what it waits for while Zendesk answers 429', async ({
    expect,
  }) => {
    const name = 'slow'
    const account = stage.simulator.account(name)
    const { spec } = await toS3(name, { streams: ['Groups', 'AuditLogs'] })
    account.addFault({ path: 'audit_logs.+size.+100', times: 1, effect: { kind: 'latency', milliseconds: 12_000 } })
    const refusing = account.addFault({
      path: 'audit_logs.+size.+100',
      after: 1,
      effect: { kind: 'status', status: 429, retryAfter: 20 },
    })
    await stage.apply(documents(secretYaml(name), sinkSecret(name, rightKey()), connectorYaml({ name, spec })))
    const begun = await stage.until(name, ({ status }) => status?.sync?.activeRun?.progress !== undefined, {
      seconds: 60,
    })
    expect(begun.status.sync.activeRun.progress).toMatch(/^Groups: [03] records; AuditLogs: 0 records$/)
    expect(begun.status.sync.activeRun.percent).toBeLessThanOrEqual(50)

    const waiting = await stage.until(name, ({ status }) => status.sync.activeRun?.waitingFor !== undefined, {
      seconds: 60,
    })
    expect(waiting.status.sync.activeRun).toMatchObject({
      percent: 50,
      progress: 'Groups: 3 records; AuditLogs: 0 records',
    })
    expect(waiting.status.sync.activeRun.waitingFor).toBe(
      "slow.zendesk.com returns HTTP 429: other clients exhaust the account's rate limit, so lower spec.rateLimit or their usage.",
    )
    const labels = { namespace: 'security', name }
    expect((await scrape(stage.operatorLog))('run_progress_ratio', labels)).toBe(0.5)

    account.removeFault(refusing)
    const ended = await stage.until(name, runEnded(1), { seconds: 60 })
    expect(ended.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 203 })
    const { throttled, throttledSeconds, requests } = ended.status.sync.lastRun
    expect(throttled).toBeGreaterThan(0)
    expect(throttledSeconds).toBeGreaterThanOrEqual(20)
    const metrics = await expectMetrics(expect, ended, requests)
    expect(metrics('throttled_requests_total', labels)).toBe(throttled)
    expect(Math.round(metrics('throttled_seconds_total', labels) ?? 0)).toBe(throttledSeconds)
    expect(metrics('retries_total', { ...labels, kind: '429' })).toBe(throttled)
    expect(metrics('run_progress_ratio', labels)).toBeUndefined()
  })
})

/** A first run that ends as SinkUnavailable, and a second one that begins by itself once the sink is mended. */
async function expectCured(expect: ExpectStatic, name: string, { message, cure }: { message: string; cure: string }) {
  const failed = await stage.until(name, runEnded(1), { seconds: 120 })
  const why = { reason: 'SinkUnavailable', message }
  expect(failed.status).toMatchObject({ connection: 'Connected', sync: { lastRun: { result: 'Failed', ...why } } })
  const conditions = Object.fromEntries(failed.status.conditions.map((one: { type: string }) => [one.type, one]))
  const told = { reason: why.reason, message: `${message} See docs/reasons.md#sinkunavailable.` }
  expect(conditions).toMatchObject({
    Connected: { status: 'True', reason: 'Connected' },
    Ready: { status: 'False', ...told },
    Stalled: { status: 'True', ...told },
    Synced: { status: 'False', ...told },
  })
  expect(conditions).not.toHaveProperty('Reconciling')

  await stage.apply(cure)
  await stage.until(name, ({ status }) => status.sync.lastSlot === 2, { seconds: 30 })
  const cured = await stage.until(name, runEnded(2), { seconds: 60 })
  expect(cured.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 200 })
  expect(cured.status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }))
  await expectMetrics(expect, cured, failed.status.sync.lastRun.requests + cured.status.sync.lastRun.requests)
}

const parsed = (events: readonly string[]): SinkRecord[] => events.map((event) => JSON.parse(event))

function expectTheActivities(expect: ExpectStatic, account: Account, records: readonly SinkRecord[]): void {
  const { subdomain } = account
  const idOf = (raw: string) => /"id":(\d+)/.exec(raw)?.[1] ?? ''
  expect(records).toHaveLength(200)
  expect(new Set(raws(records)).size).toBe(200)
  expect(raws(records).every((raw) => raw === account.rawActivity(idOf(raw)))).toBe(true)
  expect(records.map(({ metadata }) => metadata.uid)).toEqual(
    raws(records).map((raw) => `${subdomain}/AuditLogs/${idOf(raw)}`),
  )
}

/** Counters began with the operator, so before any run: they must be what the status says. */
async function expectMetrics(expect: ExpectStatic, { metadata: { name }, status }: Served, requests: number) {
  const metrics = await scrape(stage.operatorLog)
  const labels = { namespace: 'security', name }
  expect(metrics('run_requests_total', labels)).toBe(requests)
  for (const { name: stream, records } of status.sync.streams) {
    expect([stream, metrics('records_total', { ...labels, stream })]).toEqual([stream, records])
  }
  return metrics
}
