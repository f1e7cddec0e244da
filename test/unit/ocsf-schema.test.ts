import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { STREAMS, type StreamName } from '../../src/connector/schema.ts'
import { baseKind, eventLine, type Kind, type Origin, removedKind } from '../../src/sync/ocsf/event.ts'
import { readRecord, type SourceRecord } from '../../src/sync/record.ts'
import { STREAM, type Stream } from '../../src/sync/streams.ts'
import { splitPage } from '../../src/zendesk/pages.ts'
import { createProbe, type Probe } from '../simulator/probe.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { type OcsfEvent, ocsfErrors } from '../support/ocsf/validate.ts'

const NOW = Date.parse('2026-11-23T10:00:00Z')
const originOf = (stream: StreamName): Origin => ({ account: 'acme', stream, displayName: 'Acme "support"' })

function eventOf(stream: Stream, raw: string, kindOf = mapped): OcsfEvent {
  const record = readRecord(raw, stream.timeField)
  const line = eventLine(kindOf(stream, record), record, `${record.id}`, record.time ?? NOW, originOf(stream.name))
  expect(line).not.toContain('\n')
  return JSON.parse(line)
}
function mapped({ map, name }: Stream, record: SourceRecord): Kind {
  return map(record, originOf(name)) ?? baseKind
}
const removed = (stream: Stream, record: SourceRecord) => removedKind(stream.map(record, originOf(stream.name)))

/** Nothing, when the event is valid and says truly where it comes from. */
function faultsOf(event: OcsfEvent, stream: Stream, raw: string): unknown {
  const { metadata, raw_data, time } = event
  const { id, time: at = NOW } = readRecord(raw, stream.timeField)
  expect({ raw_data, time, ...metadata }).toMatchObject({
    raw_data: raw,
    time: at,
    version: '1.8.0',
    uid: `acme/${stream.name}/${id}`,
    tenant_uid: 'acme',
    log_name: stream.name,
  })
  return ocsfErrors(event)
}

describe('every record that Zendesk serves is a valid event', () => {
  let simulator: Simulator
  let probe: Probe
  beforeAll(async () => {
    simulator = await startSimulator()
    probe = createProbe(simulator)
    simulator.account('acme', {
      users: { count: 400, deleted: 20, firstId: 2n ** 60n },
      activities: { lastSevenDays: 1000, firstId: 2n ** 61n },
      accessLogs: { count: 200 },
      limit: { requests: 1_000_000, incremental: 1_000_000, accessLogs: 1_000_000 },
      hostileStrings: true,
    })
    await probe.signIn()
  })
  afterAll(async () => {
    await probe.close()
    await simulator.stop()
  })

  async function recordsOf(stream: Stream): Promise<string[]> {
    const bounds = { from: Date.now() - 30 * 86_400_000, to: Date.now() }
    const records: string[] = []
    for (let cursor: string | undefined; ; ) {
      const { text } = await probe.get(stream.path(cursor, bounds, stream.pageSize.most))
      const page = splitPage(Buffer.from(text), stream.records)
      records.push(...page.records)
      const next = stream.follow(page.envelope)
      if (!next.more) return records
      cursor = next.cursor
    }
  }

  it.each(STREAMS)('of %s, and when it is gone', async (name) => {
    const stream = STREAM[name]
    const records = await recordsOf(stream)
    expect(records.length).toBeGreaterThan(0)
    for (const raw of records) {
      expect(faultsOf(eventOf(stream, raw), stream, raw), raw).toEqual([])
      expect(faultsOf(eventOf(stream, raw, removed), stream, raw), raw).toEqual([])
    }
    const kinds = records.map((raw) => stream.map(readRecord(raw, stream.timeField), originOf(name)))
    expect(kinds).not.toContain(undefined)
  })
})

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const quoted = (text: fc.Arbitrary<string>) => text.map((one) => JSON.stringify(one))

/** JSON that a field of that kind of meaning holds on good days and bad ones. */
const id = pick('0', '-1', '9007199254740993', '9223372036854775807', '""', '"360000000001"', '1e999', '1.5')
const words = quoted(fc.oneof(fc.string({ unit: 'binary' }), pick('', '\ud83d', '"\\', 'é'.repeat(6000), '__proto__')))
const address = quoted(
  fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    pick('::ffff:198.51.100.7', '0000:0000:0000:0000:0000:ffff:255.255.255.255', 'fe80::1%eth0', '1.2.3', 'unknown'),
  ),
)
const mail = quoted(fc.oneof(fc.emailAddress(), pick('müller@exämple', 'a@b', '"a b"@example.com', '@', 'a@b.c\n')))
const moment = quoted(
  fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    pick('2026-11-20T10:00:00Z', '2026-11-20T10:00:00+0100', '2026-13-40T99:00:00Z', 'yesterday', '7'),
  ),
)
const action = quoted(
  pick('create', 'update', 'destroy', 'exported', 'login', 'suspend', 'unsuspend', 'teleported', 'constructor'),
)
const sourceType = quoted(pick('user', 'group', 'rule', 'apitoken', 'oauth/client', 'custom_role', '__proto__', 'new'))
const method = quoted(pick('GET', 'head', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'constructor', ''))
const url = quoted(fc.oneof(fc.webPath(), fc.webUrl(), pick('', '/', '?', '/a?b?c', 'a b')))
const flag = pick('true', 'false')
const number = pick('0', '200', '404', '-1', '1.5', '1e999', '12345678901234567890')
const odd = fc.oneof(
  pick('null', '{}', '[]', '[null,{"id":1}]', '{"operation_name":7}', '{"operation_name":"search"}'),
  words,
  number,
  flag,
)

const meant: Readonly<Record<string, fc.Arbitrary<string>>> = {
  ...{ id, user_id: id, actor_id: id, source_id: id, group_id: id, client_id: id },
  ...{ name: words, actor_name: words, source_label: words, change_description: words, identifier: words, kind: words },
  ...{ ip_address: address, email: mail, action, source_type: sourceType, method, url, referer: url, client: words },
  ...{ created_at: moment, updated_at: moment, timestamp: moment, expires_at: moment, used_at: moment },
  ...{ active: flag, suspended: flag, permanently_deleted: flag, two_factor_auth_enabled: flag, default: flag },
  ...{ role: quoted(pick('admin', 'agent', 'end-user', 'emperor')), role_type: number, global: flag, deleted: flag },
  ...{ status: number, bytes_sent: number, category: words, summary: words, authorization_type: words, graphql: odd },
  ...{ scopes: pick('["read"]', '[]', '[1]', '"read"') },
}

/** Texts of objects in which each field is as it is meant to be, of any other shape, or missing. */
const record = fc
  .tuple(
    ...Object.entries(meant).map(([name, good]) =>
      fc.option(
        fc.oneof({ arbitrary: good, weight: 4 }, odd).map((value) => `${JSON.stringify(name)}:${value}`),
        { freq: 5, nil: undefined },
      ),
    ),
  )
  .map((fields) => `{${fields.filter((field) => field !== undefined).join(', ')}}`)

describe('whatever becomes of a record, it is a valid event', () => {
  it.each(STREAMS)('of %s', (name) => {
    const stream = STREAM[name]
    fc.assert(
      fc.property(fc.oneof({ arbitrary: record, weight: 20 }, odd, pick('', '{', '{"id":oops}')), (raw) => {
        expect(faultsOf(eventOf(stream, raw), stream, raw)).toEqual([])
        expect(faultsOf(eventOf(stream, raw, removed), stream, raw)).toEqual([])
      }),
      { numRuns: 400 },
    )
  })
})

describe('the schema', () => {
  const valid = eventOf(STREAM.AccessLogs, '{"id":"01J","method":"GET","status":200}')
  it.each([
    [{ time: 'noon' }],
    [{ activity_id: 7 }],
    [{ type_uid: 600303 }],
    [{ src_endpoint: {} }],
    [{ actor: { user: {} } }],
    [{ color: 'red' }],
    [{ class_uid: 4001 }],
    [{ metadata: { ...valid.metadata, profiles: ['host'] } }],
  ])('is one that refuses %j', (wrong) => {
    expect(ocsfErrors(valid)).toEqual([])
    expect(ocsfErrors({ ...valid, ...wrong })).not.toEqual([])
  })
})
