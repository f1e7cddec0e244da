import { describe, expect, it } from 'vitest'
import { mapAuditLog } from '../../src/sync/ocsf/audit-log.ts'
import { baseKind, eventLine, type Mapper } from '../../src/sync/ocsf/event.ts'
import { mapUser } from '../../src/sync/ocsf/user.ts'
import { readRecord } from '../../src/sync/record.ts'

const origin = { account: 'acme', stream: 'AuditLogs', displayName: 'Acme support' }

type Event = Record<string, unknown> & { metadata: Record<string, unknown> }

function eventOf(map: Mapper, raw: string, timeField: string): Event {
  const record = readRecord(raw, timeField)
  const kind = map(record, origin) ?? baseKind
  return JSON.parse(eventLine(kind, record, `${record.id}`, record.time ?? 0, origin)) as Event
}
const auditLog = (fields: object) =>
  eventOf(mapAuditLog, JSON.stringify({ id: 7, created_at: '2026-11-20T10:00:00Z', ...fields }), 'created_at')
const user = (fields: object) =>
  eventOf(mapUser, JSON.stringify({ id: 7, updated_at: '2026-11-20T10:00:00Z', ...fields }), 'updated_at')

const by = { actor_id: 5, actor_name: 'Ada' }
const source = (source_type: string) => ({ ...by, source_id: 9, source_label: 'Nine', source_type })
const nine = { uid: '9', name: 'Nine' }

describe('an activity in OCSF', () => {
  it.each([
    [
      'login of a user',
      { action: 'login', ...source('user') },
      3002,
      1,
      { user: nine, service: { name: 'Zendesk' }, status_id: 0 },
    ],
    ['user created', { action: 'create', ...source('user') }, 3001, 1, { user: nine }],
    ['user deleted', { action: 'destroy', ...source('user') }, 3001, 6, { user: nine }],
    ['user changed', { action: 'update', ...source('user') }, 3001, 99, { user: nine, activity_name: 'update' }],
    ['group created', { action: 'create', ...source('group') }, 3006, 6, { group: nine }],
    ['group deleted', { action: 'destroy', ...source('group') }, 3006, 5, { group: nine }],
    ['group changed', { action: 'update', ...source('group') }, 3006, 99, { group: nine, activity_name: 'update' }],
    ['rule created', { action: 'create', ...source('rule') }, 3004, 1, { entity: { ...nine, type: 'rule' } }],
    ['setting changed', { action: 'update', ...source('setting') }, 3004, 3, { entity: { ...nine, type: 'setting' } }],
    [
      'API token deleted',
      { action: 'destroy', ...source('apitoken') },
      3004,
      4,
      { entity: { ...nine, type: 'apitoken' } },
    ],
    ['export', { action: 'exported', ...source('user') }, 6001, 7, { web_resources: [{ ...nine, type: 'user' }] }],
    ['something new', { action: 'teleported', ...source('user') }, 0, 99, {}],
    ['a record without its kind', { ...by }, 0, 99, {}],
  ])('%s', (_, fields, class_uid, activity_id, attributes) => {
    const event = auditLog(fields)
    expect(event).toMatchObject({
      time: Date.parse('2026-11-20T10:00:00Z'),
      severity_id: 1,
      class_uid,
      category_uid: Math.floor(class_uid / 1000),
      activity_id,
      type_uid: class_uid * 100 + activity_id,
      metadata: {
        version: '1.8.0',
        uid: 'acme/AuditLogs/7',
        product: { name: 'Zendesk', vendor_name: 'Zendesk' },
        tenant_uid: 'acme',
        log_name: 'AuditLogs',
        original_time: '2026-11-20T10:00:00Z',
      },
      raw_data: JSON.stringify({ id: 7, created_at: '2026-11-20T10:00:00Z', ...fields }),
      ...attributes,
    })
    if (class_uid !== 0) expect(event).toMatchObject({ actor: { user: { uid: '5', name: 'Ada' } } })
  })

  it.each([{ actor_id: -1, actor_name: 'Zendesk' }, { actor_id: null }, {}])(
    'of Zendesk itself appears under the account’s name: %j',
    (actor) => {
      const event = auditLog({ action: 'update', ...source('rule'), actor_id: undefined, ...actor })
      expect(event.actor).toEqual({ user: { name: 'Acme support', type_id: 3 } })
    },
  )

  it('is decided without the localised labels', () => {
    const english = auditLog({
      action: 'update',
      ...source('user'),
      action_label: 'Suspended',
      change_description: 'Suspended',
    })
    const german = auditLog({
      action: 'update',
      ...source('user'),
      action_label: 'Gesperrt',
      change_description: 'Gesperrt',
    })
    expect([english.type_uid, english.activity_name]).toEqual([german.type_uid, german.activity_name])
  })

  it('names the address it came from, if it is one', () => {
    const of = (ip_address: unknown) => auditLog({ action: 'login', ...source('user'), ip_address }).src_endpoint
    expect(of('198.51.100.7')).toEqual({ ip: '198.51.100.7' })
    expect(of('2001:db8::1')).toEqual({ ip: '2001:db8::1' })
    expect([of('unknown'), of(null), of(7)]).toEqual([undefined, undefined, undefined])
  })

  it('survives fields of another shape than documented', () => {
    const event = auditLog({
      action: 'update',
      source_type: 'user',
      source_id: { a: 1 },
      source_label: 7,
      actor_id: [],
      actor_name: 5,
    })
    expect(event).toMatchObject({
      class_uid: 3004,
      entity: { name: 'user', type: 'user' },
      actor: { user: { name: 'Acme support' } },
    })
  })

  it('keeps every digit of an id and every character of the text', () => {
    const raw = `{ "id":9223372036854775807 ,"action":"update","source_type":"user","source_id":9223372036854775806,"actor_id":9007199254740993,
      "change_description":"\\ud83d \\" \\u0000 👩‍💻 \u2028 ${'é'.repeat(5000)}","created_at":"2026-11-20T10:00:00Z"}`
    const event = eventOf(mapAuditLog, raw, 'created_at')
    expect(event.raw_data).toBe(raw)
    expect(event.metadata.uid).toBe('acme/AuditLogs/9223372036854775807')
    expect(event).toMatchObject({ user: { uid: '9223372036854775806' }, actor: { user: { uid: '9007199254740993' } } })
  })
})

describe('a user in OCSF', () => {
  it('is an inventory record', () => {
    const event = user({
      name: 'Ada',
      email: 'ada@example.com',
      role: 'admin',
      active: true,
      suspended: false,
      two_factor_auth_enabled: true,
    })
    expect(event).toMatchObject({
      class_uid: 5003,
      category_uid: 5,
      activity_id: 2,
      type_uid: 500302,
      user: {
        uid: '7',
        name: 'Ada',
        email_addr: 'ada@example.com',
        type_id: 2,
        has_mfa: true,
        account: { uid: '7', is_disabled: false },
      },
    })
    expect(event.metadata.labels).toBeUndefined()
  })

  it.each([
    [{ active: true, suspended: true }, ['suspended']],
    [{ active: false, suspended: false }, ['deleted']],
    [{ active: false, suspended: true }, ['deleted', 'suspended']],
    [{ active: false, permanently_deleted: true }, ['permanently deleted']],
  ])('tells apart why one is disabled: %j', (fields, labels) => {
    expect(user(fields)).toMatchObject({ metadata: { labels }, user: { account: { is_disabled: true } } })
  })

  it('has no address where OCSF would refuse it', () => {
    expect(user({ email: 'müller@exämple' }).user).not.toHaveProperty('email_addr')
  })
})
