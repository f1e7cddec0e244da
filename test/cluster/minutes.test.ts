/**
 * What takes real minutes, because the product knows no others: the budget, pods that die, and what the operator costs
 * while nothing happens. Side by side on one cluster, each connector with an account of its own.
 */
import { afterAll, beforeAll, describe, type ExpectStatic, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { requestsOf } from '../support/audit.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { raws, runEnded, sorted } from '../support/records.ts'
import { type SinkRecord, type Stage, startStage } from '../support/stage.ts'

const DAY = 24 * 3600 * 1000

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'minutes' })
  await stage.apply(claimYaml('data'))
  await stage.startOperator()
})
afterAll(() => stage?.stop())

const toFile = (more: object = {}) => ({ sync: { sink: { file: { claimName: 'data' } }, ...more } })
const ids = (records: readonly SinkRecord[]) => new Set(records.map((record) => record.metadata.uid))

describe.concurrent('side by side', { timeout: 400_000 }, () => {
  test('1,000 users on 20 pages, 8,000 of 40 days’ activities in the last seven, 60 requests per minute: each once, nothing older, within the budget', async ({
    expect,
  }) => {
    const name = 'busy'
    const account = stage.simulator.account(name, {
      users: { count: 1000, exportPageSize: 50 },
      activities: { days: 40, lastSevenDays: 8000, perEarlierDay: 100 },
    })
    const lowerBound = stage.simulator.clock.now() - 7 * DAY
    const spec = { rateLimit: { requestsPerMinute: 60 }, ...toFile({ streams: ['Users', 'AuditLogs'] }) }
    await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
    const first = await stage.until(name, runEnded(1), { seconds: 240 })
    expect(first.status.sync).toMatchObject({
      lastRun: { result: 'Succeeded', records: 9000, throttled: 0 },
      streams: [
        { name: 'Users', records: 1000, complete: true },
        { name: 'AuditLogs', records: 8000, complete: true },
      ],
    })
    const users = await stage.records('data', name, 'Users')
    const logs = await stage.records('data', name, 'AuditLogs')
    expect(sorted(raws(users))).toEqual(sorted(account.users()))
    expect(sorted(raws(logs))).toEqual(sorted(account.activities({ from: lowerBound })))
    expect(ids([...users, ...logs]).size).toBe(9000)
    expect(account.ledger.count()).toBeGreaterThan(100)
    expectWithinBudget(expect, account)

    await secondRun(expect, name, account, { users, logs })
    expectWithinBudget(expect, account)
  })

  test('a sync pod killed with -9 in the middle: the next one goes on, nothing is lost or repeated, and the budget holds', async ({
    expect,
  }) => {
    const name = 'slain'
    const account = stage.simulator.account(name, { users: { count: 500 }, activities: { lastSevenDays: 4000 } })
    const spec = { rateLimit: { requestsPerMinute: 60 }, ...toFile({ streams: ['Users', 'AuditLogs'] }) }
    account.addFault({ path: 'audit_logs.+size.+100', effect: { kind: 'latency', milliseconds: 200 } })
    const lowerBound = stage.simulator.clock.now() - 7 * DAY
    await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
    await expect.poll(() => account.ledger.requests('audit_logs').length, { timeout: 60_000 }).toBeGreaterThan(15)
    const pods = await stage.cluster.kubectl(
      'get',
      'pods',
      '-n',
      'security',
      '-l',
      `cloudapps.security/connector=${name}`,
      '-o',
      'name',
    )
    process.kill(await stage.cluster.podProcess('security', pods.trim().replace('pod/', '')), 'SIGKILL')
    const ended = await stage.until(name, runEnded(1), { seconds: 240 })
    expect(ended.status.sync.lastRun).toMatchObject({ result: 'Succeeded', throttled: 0 })
    expect(sorted(raws(await stage.records('data', name, 'Users')))).toEqual(sorted(account.users()))
    expect(sorted(raws(await stage.records('data', name, 'AuditLogs')))).toEqual(
      sorted(account.activities({ from: lowerBound })),
    )
    expectWithinBudget(expect, account)
  })

  test('between due times the operator watches and does nothing else; a routine test costs one Secret read and one status patch', async ({
    expect,
  }) => {
    const name = 'calm'
    stage.simulator.account(name)
    await stage.cluster.kubectl('create', 'namespace', 'calm')
    const spec = { connectionTest: { interval: '1m' }, sync: { interval: '168h', sink: { stdout: {} } } }
    const namespace = 'calm'
    await stage.apply(documents(secretYaml(name, undefined, namespace), connectorYaml({ name, namespace, spec })))
    const options = { namespace, seconds: 90 }
    const rested = await stage.until(name, ({ status }) => status?.sync?.lastRun !== undefined, options)
    const requests = async () =>
      (await requestsOf(stage.cluster.auditLog, stage.operatorUser)).filter((one) => one.namespace === namespace)
    // The Event that tells of the run's end is the last thing that the run costs.
    const events = async () => (await requests()).filter(({ what }) => what === 'create events').length
    await expect.poll(events, { timeout: 10_000 }).toBe(3)
    const before = (await requests()).length

    const { lastTime } = rested.status.connectionTest
    const tested = await stage.until(name, ({ status }) => status.connectionTest.lastTime !== lastTime, options)
    expect(tested.status.connection).toBe('Connected')
    const since = async () => (await requests()).slice(before).map(({ what }) => what)
    await expect.poll(async () => (await since()).sort()).toEqual(['get secrets', 'patch zendeskconnectors/status'])
    // Whatever is asked for without a namespace is a list, or a watch, which is logged when it ends.
    const everywhere = (await requestsOf(stage.cluster.auditLog, stage.operatorUser)).filter(
      (one) => one.namespace === undefined,
    )
    expect(everywhere.filter(({ what }) => !/^(list|watch) /.test(what))).toEqual([])
    expect(everywhere.length).toBeGreaterThanOrEqual(5)
  })
})

/** Tests side by side have an `expect` of their own each. */
function expectWithinBudget(expect: ExpectStatic, account: Account): void {
  expect(account.ledger.maxInAnyWindow(60_000)).toBeLessThanOrEqual(60)
  expect(account.ledger.tooManyRequests()).toBe(0)
}

/** Only what is new, what surfaced late, and each new version of a user, once. */
async function secondRun(
  expect: ExpectStatic,
  name: string,
  account: Account,
  before: { users: SinkRecord[]; logs: SinkRecord[] },
) {
  const now = stage.simulator.clock.now()
  const late = account.appendActivity({ createdAt: now - 10 * 60_000 })
  const fresh = account.appendActivity({ createdAt: now })
  const changed = account.actingUserId()
  account.updateUser(changed, { name: 'Someone Else' })
  const added = account.addUser({ name: 'Newcomer' })
  // The incremental export holds back the last minute, and so does the run for activities.
  stage.simulator.clock.advance(120_000)
  await stage.cluster.kubectl('annotate', 'zdc', name, '-n', 'security', 'cloudapps.security/sync-requested-at=now')
  const second = await stage.until(name, runEnded(2), { seconds: 120 })
  expect(second.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 4 })
  const users = (await stage.records('data', name, 'Users')).slice(before.users.length)
  const logs = (await stage.records('data', name, 'AuditLogs')).slice(before.logs.length)
  expect(sorted(raws(users))).toEqual(sorted([account.rawUser(changed) ?? '', account.rawUser(added) ?? '']))
  expect(sorted(raws(logs))).toEqual(sorted([account.rawActivity(late) ?? '', account.rawActivity(fresh) ?? '']))
}
