/** What `npm run chaos` would find if it were there: a judge that finds nothing proves nothing. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { segmentHeader, writeSegment } from '../../src/sync/segment.ts'
import { comparison, parseCheckpoint } from '../chaos/checkpoints.ts'
import { type Arrival, folderShelf, hashOf, startConsumer } from '../chaos/consumer.ts'
import { judgeArrivals, judgeChains, judgeRemovals, windowsOver } from '../chaos/judge.ts'
import { createAccount } from '../simulator/account.ts'
import { createClock } from '../simulator/clock.ts'

const idOf = (raw: string) => /"id":(\d+)/.exec(raw)?.[1] ?? ''

/** An account that has served all there is of it, and arrivals of exactly that. */
function perfect() {
  const options = {
    recordServed: true,
    activities: { days: 7, lastSevenDays: 5, perEarlierDay: 0 },
    users: { count: 4 },
  }
  const { account, ledger } = createAccount('acme', options, createClock(), () => {})
  const arrivals: Arrival[] = []
  const serve = (stream: string, served: string, texts: Iterable<string>, keyOf: (raw: string) => string) => {
    const records = [...texts].map((raw) => ({ id: idOf(raw), raw }))
    ledger.sent({ stream: served, count: records.length, records })
    for (const { raw } of records) {
      arrivals.push({ uid: `acme/${stream}/${keyOf(raw)}`, raw: hashOf(raw), where: `${stream}/0` })
    }
  }
  const versionOf = (raw: string) => `${idOf(raw)}/${hashOf(raw).slice(0, 8)}`
  serve('AuditLogs', 'audit_logs', account.activities(), idOf)
  serve('Users', 'users', account.users(), versionOf)
  const deleted = [...account.users()].filter((raw) => raw.includes('"active":false'))
  serve('DeletedUsers', 'deleted_users', deleted, (raw) => `0/${versionOf(raw)}`)
  for (const [stream, served] of [
    ['Groups', 'groups'],
    ['GroupMemberships', 'group_memberships'],
    ['CustomRoles', 'custom_roles'],
  ] as const) {
    serve(stream, served, account.records(served), (raw) => `0/${versionOf(raw)}`)
  }
  return { account, arrivals }
}

const laneOf = ({ account, arrivals }: ReturnType<typeof perfect>) => ({
  name: 'acme',
  account,
  sink: { kind: 'file' as const, consumer: { arrivals: () => arrivals } },
})

describe('of what arrived the judge', () => {
  it('has nothing to say when all of it did, once and as it was served', () => {
    expect(judgeArrivals(laneOf(perfect()))).toEqual({ lost: [], repeated: [], changed: [] })
  })

  it.each(['AuditLogs', 'Users', 'DeletedUsers', 'Groups', 'CustomRoles'])('misses a record of %s', (stream) => {
    const given = perfect()
    const index = given.arrivals.findIndex(({ uid }) => uid.includes(`/${stream}/`))
    given.arrivals.splice(index, 1)
    expect(judgeArrivals(laneOf(given)).lost).toEqual([expect.stringContaining(`${stream} {"id":`)])
  })

  it('misses a change, and an activity that has not surfaced yet', () => {
    const given = perfect()
    given.account.updateUser(given.account.actingUserId(), { name: 'Another' })
    given.account.appendActivity({ surfaceAt: Date.now() + 60_000 })
    expect(judgeArrivals(laneOf(given)).lost).toHaveLength(2)
  })

  it('finds what came twice, also under another name', () => {
    const given = perfect()
    const [first] = given.arrivals as [Arrival]
    given.arrivals.push(first, { ...first, uid: 'acme/AuditLogs/another', where: 'AuditLogs/1' })
    expect(judgeArrivals(laneOf(given)).repeated).toHaveLength(2)
  })

  it('finds a text that was never served', () => {
    const given = perfect()
    given.arrivals.push({ uid: 'acme/Users/1/x', raw: hashOf('{"id": 1}'), where: 'Users/1' })
    expect(judgeArrivals(laneOf(given)).changed).toEqual(['acme/Users/1/x in Users/1 was never served so'])
  })

  it('finds a removal that was not told, and one that was none', () => {
    const arrivals = ['0/1/a', '0/2/a', '0/3/a', '4/1/a', '4/2/removed', '4/1/removed'].map((key) => ({
      uid: `acme/Groups/${key}`,
      raw: key,
      where: 'Groups/0',
    }))
    const wrong = judgeRemovals(laneOf({ ...perfect(), arrivals }))
    expect(wrong.map((sentence) => sentence.at(-1)).sort()).toEqual(['1', '3'])
  })
})

describe('of chains, budgets and checkpoints the judge', () => {
  const header = (number: number, start: string | undefined, end: string, total: number) =>
    segmentHeader.parse({
      ...{ v: 1, account: 'acme', stream: 'Users', run: 'r', pod: 'p', lowerBound: 'l', records: 2, complete: true },
      ...{ number, end, total, ...(start !== undefined && { start }) },
    })

  it('finds a gap, a beginning that is no end, and a wrong count', () => {
    expect(judgeChains([header(1, 'a', 'b', 4), header(0, undefined, 'a', 2)])).toEqual([])
    expect(judgeChains([header(0, undefined, 'a', 2), header(2, 'a', 'b', 4)])).toHaveLength(1)
    expect(judgeChains([header(0, undefined, 'a', 2), header(1, 'x', 'b', 5)])).toHaveLength(2)
  })

  it('counts each window of a minute that saw more than the limit', () => {
    const requests = [0, 1, 2, 59.9, 60, 130].map((second) => ({
      ...{ at: second * 1000, clock: 0, account: 'acme', method: 'GET', path: '/', status: 200 },
    }))
    expect(windowsOver(requests, 4)).toEqual([])
    expect(windowsOver(requests, 3)).toHaveLength(2)
  })

  it('finds each way in which a checkpoint can move back', () => {
    const at = (slot: number, chain: object) =>
      parseCheckpoint(
        JSON.stringify({
          holder: { pod: 'p', slot, released: false },
          streams: { Groups: { next: 3, records: 9, complete: true, ...chain } },
        }),
      )
    const position = '2026-11-20T10:00:00Z'
    const before = at(2, { position })
    expect(comparison(before, at(3, { position: '2026-11-20T10:00:01Z' }))).toEqual([])
    for (const less of [
      at(1, { position }),
      at(2, { position, next: 2 }),
      at(2, { position, records: 8 }),
      at(2, { position, complete: false }),
      at(2, { position: '2026-11-20T09:59:59Z' }),
      at(2, {}),
      { ...before, streams: {} },
    ]) {
      expect(comparison(before, less)).toHaveLength(1)
    }
    const snapshot = (given: object) => at(2, { position: JSON.stringify(given) })
    expect(comparison(snapshot({ snapshot: 1, ended: true }), snapshot({ snapshot: 2 }))).toEqual([])
    expect(comparison(snapshot({ snapshot: 1, ended: true }), snapshot({ snapshot: 1 }))).toHaveLength(1)
  })
})

it('the consumer notices a segment that changes, vanishes, or cannot be read when it shows', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-consumer-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = (number: number) => join(folder, 'Users', `00000000000${number}.ndjson.gz`)
  const writer = writeSegment()
  await writer.add(Buffer.from('{"raw_data":"{}","metadata":{"uid":"acme/Users/1/a","log_name":"Users"}}\n'))
  const { gzip } = await writer.close({
    ...{ v: 1, account: 'acme', stream: 'Users', run: 'r', pod: 'p', lowerBound: 'l', records: 1, complete: true },
    ...{ number: 0, end: 'e', total: 1 },
  })
  await mkdir(join(folder, 'Users'))
  for (const number of [0, 1, 2]) await writeFile(file(number), gzip)
  await writeFile(file(3), gzip.subarray(0, -1))
  const consumer = startConsumer(folderShelf(folder))
  onTestFinished(consumer.stop)
  await consumer.look()
  expect(consumer.arrivals()).toHaveLength(3)
  await writeFile(file(1), gzipSync(''))
  await rm(file(2))
  const found = await consumer.verify()
  expect(found.map((sentence) => sentence.slice(0, 18))).toEqual([
    'Users/000000000003',
    'Users/000000000001',
    'Users/000000000002',
  ])
})
