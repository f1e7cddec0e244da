/** Complete, once, and within the budget. The minutes are real: the product knows no others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { type Served, type SinkRecord, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'budget' })
  await stage.apply(claimYaml('data'))
  await stage.startOperator()
})
afterAll(() => stage?.stop())

const toFile = (claimName: string, more: object = {}) => ({ sync: { sink: { file: { claimName } }, ...more } })
const runEnded = (slot: number) => (one: Served) =>
  one.status?.sync?.lastSlot === slot &&
  one.status.sync.activeRun === undefined &&
  one.status.sync.lastRun !== undefined
const raws = (records: readonly SinkRecord[]) => records.map((record) => record.raw_data)
const sorted = (texts: Iterable<string>) => [...texts].sort()

let requested = 0
async function syncNow(name: string): Promise<void> {
  requested += 1
  const annotation = `cloudapps.security/sync-requested-at=${requested}`
  await stage.cluster.kubectl('annotate', 'zdc', name, '-n', 'security', '--overwrite', annotation)
}

describe('1,000 users on 20 pages, 40 days of activity with 8,000 in the last seven, 60 requests per minute', () => {
  const name = 'busy'
  const day = 24 * 3600 * 1000
  let account: Account
  let first: Served
  let lowerBound: number

  beforeAll(async () => {
    account = stage.simulator.account(name, {
      users: { count: 1000, exportPageSize: 50 },
      activities: { days: 40, lastSevenDays: 8000, perEarlierDay: 100 },
      recordServed: true,
    })
    lowerBound = stage.simulator.clock.now() - 7 * day
    const spec = { rateLimit: { requestsPerMinute: 60 }, ...toFile('data') }
    await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
    first = await stage.until(name, runEnded(1), { seconds: 240 })
  })

  test('the run ends well, and says what it did', () => {
    expect(first.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 9000, throttled: 0 })
    expect(first.status.sync.streams).toMatchObject([
      { name: 'Users', records: 1000, complete: true },
      { name: 'AuditLogs', records: 8000, complete: true },
    ])
  })

  test('the sink holds each user and each activity of the last seven days, byte for byte, exactly once, and nothing older', async () => {
    const users = await stage.records('data', name, 'Users')
    expect(sorted(raws(users))).toEqual(sorted(account.users()))
    const activities = await stage.records('data', name, 'AuditLogs')
    expect(sorted(raws(activities))).toEqual(sorted(account.activities({ from: lowerBound })))
    expect(activities).toHaveLength(8000)
    expect(new Set([...users, ...activities].map((record) => record.metadata.uid)).size).toBe(9000)
  })

  test('no window of 60 s, wherever it begins, saw more than 60 requests, and none was refused', () => {
    expect(account.ledger.maxInAnyWindow(60_000)).toBeLessThanOrEqual(60)
    expect(account.ledger.count()).toBeGreaterThan(100)
    expect(account.ledger.tooManyRequests()).toBe(0)
  })

  test('the second run brings what is new, what surfaced late, and each new version of a user, once', async () => {
    const before = {
      users: await stage.records('data', name, 'Users'),
      logs: await stage.records('data', name, 'AuditLogs'),
    }
    const newest = Math.max(...before.logs.map((record) => Number(record.time)))
    const late = account.appendActivity({ createdAt: newest - 10 * 60_000 })
    const fresh = account.appendActivity({ createdAt: newest + 1000 })
    const changed = JSON.parse(account.users()[Symbol.iterator]().next().value ?? '').id
    account.updateUser(`${changed}`, { name: 'Someone Else' })
    const added = account.addUser({ name: 'Newcomer' })
    // The incremental export holds back the last minute, and so does the run for activities.
    stage.simulator.clock.advance(120_000)
    await syncNow(name)
    const second = await stage.until(name, runEnded(2), { seconds: 120 })
    expect(second.status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 4 })
    const users = (await stage.records('data', name, 'Users')).slice(before.users.length)
    const logs = (await stage.records('data', name, 'AuditLogs')).slice(before.logs.length)
    expect(sorted(raws(users))).toEqual(sorted([account.rawUser(`${changed}`) ?? '', account.rawUser(added) ?? '']))
    expect(sorted(raws(logs))).toEqual(sorted([account.rawActivity(late) ?? '', account.rawActivity(fresh) ?? '']))
    expect(account.ledger.maxInAnyWindow(60_000)).toBeLessThanOrEqual(60)
  })
})
