import { describe, expect, it } from 'vitest'
import { mapAccessLog } from '../../src/sync/ocsf/access-log.ts'
import { mapAuditLog } from '../../src/sync/ocsf/audit-log.ts'
import { baseKind, eventLine, type Mapper, removedKind } from '../../src/sync/ocsf/event.ts'
import {
  mapCustomRole,
  mapGroup,
  mapGroupMembership,
  mapOAuthClient,
  mapOAuthToken,
} from '../../src/sync/ocsf/inventory.ts'
import { mapDeletedUser, mapUser } from '../../src/sync/ocsf/user.ts'
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
const user = (fields: object, map = mapUser) =>
  eventOf(map, JSON.stringify({ id: 7, updated_at: '2026-11-20T10:00:00Z', ...fields }), 'updated_at')

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
    ['user suspended', { action: 'suspend', ...source('user') }, 3001, 5, { user: nine }],
    ['user unsuspended', { action: 'unsuspend', ...source('user') }, 3001, 2, { user: nine }],
    ['app disabled', { action: 'disable', ...source('app') }, 3004, 9, { entity: { ...nine, type: 'app' } }],
    ['app suspended', { action: 'suspend', ...source('app') }, 3004, 12, { entity: { ...nine, type: 'app' } }],
    [
      'custom role changed',
      { action: 'update', ...source('custom_role') },
      3004,
      3,
      { entity: { ...nine, type: 'custom_role' } },
    ],
    ['something of an old name', { action: 'constructor', ...source('user') }, 0, 99, {}],
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
    const longer = '0000:0000:0000:0000:0000:ffff:255.255.255.255'
    expect([of('unknown'), of(null), of(7), of(longer)]).toEqual([undefined, undefined, undefined, undefined])
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

  it('is told apart when nothing but the scrubbed name is left of one', () => {
    const scrubbed = { name: 'Permanently Deleted User', email: null, active: false }
    expect(user(scrubbed).metadata.labels).toEqual(['permanently deleted'])
    expect(user({ ...scrubbed, active: true }).metadata.labels).toBeUndefined()
    expect(user({ ...scrubbed, email: 'joker@example.com' }).metadata.labels).toEqual(['deleted'])
  })

  it('is deleted when it stands among the deleted', () => {
    expect(user({}, mapDeletedUser)).toMatchObject({
      type_uid: 500302,
      metadata: { labels: ['deleted'] },
      user: { uid: '7', account: { is_disabled: true } },
    })
  })

  it('has a type only if it has a role', () => {
    const typeOf = (role: unknown) => (user({ role }).user as { type_id?: number }).type_id
    expect([typeOf('admin'), typeOf('agent'), typeOf('end-user'), typeOf(null)]).toEqual([2, 1, 1, undefined])
  })

  it('has no address where OCSF would refuse it', () => {
    expect(user({ email: 'müller@exämple' }).user).not.toHaveProperty('email_addr')
  })
})

describe('an access in OCSF', () => {
  const access = (fields: object) =>
    eventOf(mapAccessLog, JSON.stringify({ id: '01J', timestamp: '2026-11-20T10:00:00Z', ...fields }), 'timestamp')

  it('is an API activity', () => {
    const event = access({
      user_id: '9007199254740993',
      ip_address: '198.51.100.7',
      method: 'GET',
      url: '/api/v2/tickets.json?page=1?',
      status: 200,
      authorization_type: 'bearer',
      client: 'Mozilla/5.0',
      referer: 'https://acme.zendesk.com/agent',
      bytes_sent: 4096,
      category: 'Tickets',
      summary: 'List tickets',
      graphql: null,
    })
    expect(event).toMatchObject({
      time: Date.parse('2026-11-20T10:00:00Z'),
      class_uid: 6003,
      category_uid: 6,
      type_uid: 600302,
      status_id: 1,
      status_code: '200',
      message: 'List tickets',
      actor: { user: { uid: '9007199254740993' } },
      src_endpoint: { ip: '198.51.100.7' },
      api: {
        operation: 'List tickets',
        service: { name: 'Zendesk' },
        group: { name: 'Tickets' },
        request: { uid: '01J' },
        response: { code: 200 },
      },
      http_request: {
        http_method: 'GET',
        url: { path: '/api/v2/tickets.json', query_string: 'page=1?' },
        user_agent: 'Mozilla/5.0',
        referrer: 'https://acme.zendesk.com/agent',
      },
      http_response: { code: 200, length: 4096 },
      unmapped: { authorization_type: 'bearer' },
    })
  })

  it.each([
    ['POST', 1],
    ['GET', 2],
    ['head', 2],
    ['PUT', 3],
    ['PATCH', 3],
    ['DELETE', 4],
    ['OPTIONS', 99, 'OPTIONS'],
    ['PURGE', 99, 'PURGE'],
    ['constructor', 99, 'CONSTRUCTOR'],
    [undefined, 0],
  ])('by %s is activity %i', (method, activity_id, activity_name?: string) => {
    const event = access({ method })
    expect(event).toMatchObject({ activity_id, type_uid: 600300 + activity_id })
    expect(event.activity_name).toBe(activity_name)
  })

  it('that was refused has failed', () => {
    expect(access({ status: 403 })).toMatchObject({ status_id: 2, status_code: '403' })
    expect(access({ status: 304 }).status_id).toBe(1)
    expect(access({ status: 'fine' })).not.toHaveProperty('status_id')
  })

  it('by GraphQL is called by the name of its query', () => {
    expect(access({ method: 'POST', graphql: { operation_name: 'search' }, summary: 'GraphQL query' })).toMatchObject({
      api: { operation: 'search' },
    })
  })

  it('says unknown where OCSF wants something that Zendesk does not say', () => {
    expect(access({})).toMatchObject({
      actor: { user: { name: 'Unknown', type_id: 0 } },
      src_endpoint: { name: 'Unknown' },
      api: { operation: 'Unknown' },
    })
  })
})

describe('what stands beside users in OCSF', () => {
  const inventory = (map: Mapper, fields: object) =>
    eventOf(map, JSON.stringify({ id: 7, updated_at: '2026-11-20T10:00:00Z', ...fields }), 'updated_at')

  it.each<[string, Mapper, object, string, object]>([
    ['a group', mapGroup, { name: 'Support', deleted: false }, 'Group Support', { name: 'Support', deleted: false }],
    [
      'a membership',
      mapGroupMembership,
      { user_id: 5, group_id: 9 },
      'User 5 in group 9',
      { user_id: '5', group_id: '9' },
    ],
    ['a custom role', mapCustomRole, { name: 'Lead', role_type: 0 }, 'Custom role Lead', { role_type: 0 }],
    [
      'an OAuth client',
      mapOAuthClient,
      { identifier: 'siem', user_id: 5 },
      'OAuth client siem',
      { identifier: 'siem', user_id: '5' },
    ],
    [
      'an OAuth token',
      mapOAuthToken,
      { user_id: 5, client_id: 9, scopes: ['read'] },
      'OAuth token of user 5 for client 9',
      { user_id: '5', client_id: '9', scopes: ['read'] },
    ],
  ])('%s is a base event that was collected', (_, map, fields, message, unmapped) => {
    const event = inventory(map, fields)
    expect(event).toMatchObject({ class_uid: 0, type_uid: 99, activity_id: 99, activity_name: 'Collect', message })
    expect(event.unmapped).toEqual({ id: '7', ...fields, ...unmapped })
  })

  it('shows what Zendesk shows of a token in the source text only', () => {
    const { raw_data, ...event } = inventory(mapOAuthToken, { token: '0123456789' })
    expect(raw_data).toContain('0123456789')
    expect(JSON.stringify(event)).not.toContain('0123456789')
  })

  it('leaves out what has another shape than documented', () => {
    const { unmapped } = inventory(mapOAuthToken, { user_id: {}, client_id: [], scopes: [1], expires_at: 7 })
    expect(unmapped).toEqual({ id: '7' })
  })

  it('is of no known kind without an id', () => {
    expect(mapGroup(readRecord('{"name":"Support"}', 'updated_at'), origin)).toBeUndefined()
  })

  it('says that it is gone, and not that anybody has deleted it', () => {
    const gone =
      (map: Mapper): Mapper =>
      (record) =>
        removedKind(map(record, origin))
    const base = { class_uid: 0, activity_id: 99, activity_name: 'Removed' }
    expect(inventory(gone(mapGroup), { name: 'Support' })).toMatchObject({
      ...base,
      message: 'Group Support',
      unmapped: { id: '7', name: 'Support' },
    })
    expect(inventory(gone(mapDeletedUser), { name: 'Ada' })).toMatchObject({
      ...base,
      unmapped: { user: { uid: '7', name: 'Ada' } },
    })
    expect(
      inventory(
        gone(() => undefined),
        {},
      ),
    ).toMatchObject(base)
  })
})

describe('a record', () => {
  it.each(['7', 'yesterday', 'Fri Nov 20 2026', '2026-13-40T10:00:00Z', 7, null])(
    'has no time when it says %j',
    (at) => {
      const { time, originalTime } = readRecord(JSON.stringify({ created_at: at }), 'created_at')
      expect([time, originalTime]).toEqual([undefined, undefined])
    },
  )

  it('keeps every digit of an id, wherever in the text it stands', () => {
    for (const id of ['9007199254740993', '-9007199254740993', '9223372036854775807', '12345678901234567890'])
      for (let padding = 0; padding < 40; padding++)
        expect(readRecord(`{${' '.repeat(padding)}"id":${id},"a":1}`, 'at').id).toBe(id)
  })
})
