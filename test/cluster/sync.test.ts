/** From Connected to records in the sink, and what ends a run or a connector. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { raws, runEnded, sorted } from '../support/records.ts'
import { type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'sync' })
  await stage.apply(documents(claimYaml('data'), claimYaml('huge-data')))
  await stage.startOperator()
})
afterAll(() => stage?.stop())

const toFile = (claimName: string, more: object = {}) => ({ sync: { sink: { file: { claimName } }, ...more } })

test('ids above 2^53 and strings with control characters, quotes, emoji and 5,000 characters arrive byte for byte', async () => {
  const account = stage.simulator.account('huge', {
    users: { count: 200, firstId: '9007199254740993' },
    activities: { lastSevenDays: 300, firstId: '9223372036854770000' },
    hostileStrings: true,
  })
  const spec = toFile('huge-data')
  await stage.apply(documents(secretYaml('huge'), connectorYaml({ name: 'huge', spec })))
  await stage.until('huge', runEnded(1), { seconds: 60 })
  const users = await stage.records('huge-data', 'huge', 'Users')
  expect(sorted(raws(users))).toEqual(sorted(account.users()))
  const logs = await stage.records('huge-data', 'huge', 'AuditLogs')
  expect(raws(logs)).toHaveLength(300)
  const idOf = (raw: string) => /"id":(\d+)/.exec(raw)?.[1] ?? ''
  expect(logs.map((record) => record.metadata.uid)).toEqual(raws(logs).map((raw) => `huge/AuditLogs/${idOf(raw)}`))
  expect(raws(logs).every((raw) => raw === account.rawActivity(idOf(raw)) && BigInt(idOf(raw)) > 2n ** 62n)).toBe(true)
})

test('every stream that can be asked for arrives, and a resync takes the snapshots anew', async () => {
  const account = stage.simulator.account('all', {
    accessLogs: { count: 6000, days: 6 },
    activities: { lastSevenDays: 50 },
  })
  const streams = [
    'Users',
    'DeletedUsers',
    'Groups',
    'GroupMemberships',
    'CustomRoles',
    'AuditLogs',
    'AccessLogs',
    'OAuthClients',
    'OAuthTokens',
  ]
  const spec = toFile('data', { streams, redact: ['email', 'ip_address'] })
  await stage.apply(documents(secretYaml('all'), connectorYaml({ name: 'all', spec })))
  const { status } = await stage.until('all', runEnded(1), { seconds: 90 })
  expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded', throttled: 0 })
  const counts = Object.fromEntries(
    status.sync.streams.map(({ name, records }: { name: string; records: number }) => [name, records]),
  )
  expect(counts).toMatchObject({ Users: 25, DeletedUsers: 2, Groups: 3, GroupMemberships: 5, CustomRoles: 4 })
  expect(counts).toMatchObject({ AuditLogs: 50, AccessLogs: 6000, OAuthClients: 1 })
  expect(counts.OAuthTokens).toBeGreaterThan(0)
  const visits = await stage.records('data', 'all', 'AccessLogs')
  expect(new Set(visits.map((record) => record.metadata.uid)).size).toBe(6000)
  const users = JSON.stringify(await stage.records('data', 'all', 'Users'))
  expect(users).toContain('\\"email\\":null')
  expect(users).not.toMatch(/@[a-z-]+\.example|@example/)

  const resync = 'cloudapps.security/resync-requested-at=now'
  await stage.cluster.kubectl('annotate', 'zdc', 'all', '-n', 'security', resync)
  const again = await stage.until('all', runEnded(2), { seconds: 90 })
  expect(again.status).toMatchObject({ lastHandledResyncRequest: 'now', sync: { lastRun: { result: 'Succeeded' } } })
  expect(await stage.records('data', 'all', 'Groups')).toHaveLength(6)
  expect(await stage.records('data', 'all', 'AccessLogs')).toHaveLength(6000)
  expect(account.ledger.tooManyRequests()).toBe(0)
})

test('deleting the connector removes all that it owned, and leaves what was published', async () => {
  stage.simulator.account('gone')
  await stage.apply(documents(secretYaml('gone'), connectorYaml({ name: 'gone', spec: toFile('data') })))
  await stage.until('gone', runEnded(1), { seconds: 60 })
  const owned = async () =>
    (
      await stage.cluster.kubectl(
        'get',
        'jobs,pods,configmaps,serviceaccounts,roles,rolebindings',
        '-n',
        'security',
        '-l',
        'cloudapps.security/connector=gone',
        '-o',
        'name',
      )
    )
      .split('\n')
      .filter((line) => line !== '')
  expect((await owned()).length).toBeGreaterThanOrEqual(6)
  await stage.cluster.kubectl('delete', 'zdc', 'gone', '-n', 'security')
  await expect.poll(owned, { timeout: 60_000, interval: 200 }).toEqual([])
  expect(await stage.records('data', 'gone', 'Users')).toHaveLength(25)
})

test('suspending ends a running run cleanly; what it had read is published, and the rest comes later', async () => {
  const account = stage.simulator.account('paused', { activities: { lastSevenDays: 3000 } })
  account.addFault({ path: 'audit_logs.+size.+100', effect: { kind: 'latency', milliseconds: 700 } })
  await stage.apply(
    documents(
      secretYaml('paused'),
      connectorYaml({ name: 'paused', spec: toFile('data', { streams: ['AuditLogs'] }) }),
    ),
  )
  await expect.poll(() => account.ledger.requests('audit_logs').length, { timeout: 60_000 }).toBeGreaterThan(4)
  const suspend = (value: boolean) =>
    stage.cluster.kubectl(
      'patch',
      'zdc',
      'paused',
      '-n',
      'security',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { suspend: value } }),
    )
  await suspend(true)
  const stopped = await stage.until('paused', ({ status }) => status?.sync?.lastRun !== undefined, { seconds: 60 })
  expect(stopped.status.connection).toBe('Connected')
  const soFar = await stage.records('data', 'paused', 'AuditLogs')
  expect(soFar.length).toBeGreaterThanOrEqual(100)
  expect(soFar.length).toBeLessThan(3000)
  account.clearFaults()
  await suspend(false)
  await expect
    .poll(async () => (await stage.records('data', 'paused', 'AuditLogs')).length, { timeout: 90_000, interval: 200 })
    .toBe(3000)
  expect(new Set((await stage.records('data', 'paused', 'AuditLogs')).map((record) => record.metadata.uid)).size).toBe(
    3000,
  )
})
