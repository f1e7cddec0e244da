/** The streams, as data: where each is read, how its pages follow one another, and what its records are. */
import { z } from 'zod'
import type { StreamName } from '../connector/schema.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { ACCESS_LOGS, type EndpointLimit, INCREMENTAL_USERS } from '../zendesk/limits.ts'
import { isoTime } from './clock.ts'
import { type Bounds, type Kind, log, snapshot, unorderedLog, upserts } from './kinds.ts'
import { mapAccessLog } from './ocsf/access-log.ts'
import { mapAuditLog } from './ocsf/audit-log.ts'
import type { Mapper } from './ocsf/event.ts'
import { mapCustomRole, mapGroup, mapGroupMembership, mapOAuthClient, mapOAuthToken } from './ocsf/inventory.ts'
import { mapDeletedUser, mapUser } from './ocsf/user.ts'

export type Stream = {
  readonly name: StreamName
  readonly kind: Kind
  /** Name of the array in a page that holds the records. */
  readonly records: string
  /** Name of the field that holds a record's time. */
  readonly timeField: string
  /** Records of a page: what is asked for, and how few when Zendesk takes too long over a page. */
  readonly pageSize: { readonly most: number; readonly least: number }
  /** Zendesk's own limit of the endpoint. */
  readonly limit?: EndpointLimit
  /** Where Zendesk estimates how many records there are. */
  readonly count?: string
  /** The page behind a cursor, or the first. Built here, never taken from an answer: that could lead to another host. */
  path(cursor: string | undefined, bounds: Bounds, size: number): string
  /** What a page says of the next. @throws ZendeskError when it says nothing that we understand. */
  follow(envelope: unknown): Follow
  readonly map: Mapper
}

export type Follow = { readonly cursor: string | undefined; readonly more: boolean }

const users: Stream = {
  name: 'Users',
  kind: upserts,
  records: 'users',
  timeField: 'updated_at',
  pageSize: { most: 1000, least: 50 },
  limit: INCREMENTAL_USERS,
  count: '/api/v2/users/count',
  path: (cursor, _bounds, size) =>
    pathOf('incremental/users/cursor', {
      ...(cursor === undefined ? { start_time: '0' } : { cursor }),
      per_page: String(size),
    }),
  follow: (envelope) => {
    const { after_cursor, end_of_stream } = understood('users', exportEnvelope, envelope)
    return { cursor: after_cursor || undefined, more: !end_of_stream }
  },
  map: mapUser,
}

/** A list in pages of a hundred (D). */
function list(
  endpoint: string,
  records: string,
  queryOf: (bounds: Bounds) => Query = () => ({}),
): Pick<Stream, 'records' | 'pageSize' | 'path' | 'follow'> {
  return {
    records,
    pageSize: { most: 100, least: 10 },
    path: (cursor, bounds, size) =>
      pathOf(endpoint, {
        'page[size]': String(size),
        ...queryOf(bounds),
        ...(cursor !== undefined && { 'page[after]': cursor }),
      }),
    follow: followList(records),
  }
}

const STREAMS: readonly Stream[] = [
  users,
  {
    ...list('deleted_users', 'deleted_users'),
    name: 'DeletedUsers',
    kind: snapshot,
    timeField: 'updated_at',
    map: mapDeletedUser,
  },
  { ...list('groups', 'groups'), name: 'Groups', kind: snapshot, timeField: 'updated_at', map: mapGroup },
  {
    ...list('group_memberships', 'group_memberships'),
    name: 'GroupMemberships',
    kind: snapshot,
    timeField: 'updated_at',
    map: mapGroupMembership,
  },
  {
    name: 'CustomRoles',
    kind: snapshot,
    records: 'custom_roles',
    timeField: 'updated_at',
    // All at once (D): there is nothing to make smaller.
    pageSize: { most: 1, least: 1 },
    path: () => '/api/v2/custom_roles',
    follow: (envelope) => {
      understood('custom_roles', wholeEnvelope, envelope)
      return { cursor: undefined, more: false }
    },
    map: mapCustomRole,
  },
  {
    // The default order is descending (D). The filter's name is what production clients send (T): we filter as well.
    ...list('audit_logs', 'audit_logs', (bounds) => ({
      sort: 'created_at',
      'filter[created_at][]': secondsOf(bounds),
    })),
    name: 'AuditLogs',
    kind: log,
    timeField: 'created_at',
    map: mapAuditLog,
  },
  {
    name: 'AccessLogs',
    // Nothing is said of their order (I).
    kind: unorderedLog,
    records: 'access_logs',
    timeField: 'timestamp',
    pageSize: { most: 2500, least: 100 },
    limit: ACCESS_LOGS,
    path: (cursor, bounds, size) => {
      const [start = '', end = ''] = secondsOf(bounds)
      return pathOf('access_logs', {
        'page[size]': String(size),
        'filter[start]': start,
        'filter[end]': end,
        ...(cursor !== undefined && { 'filter[after]': cursor }),
      })
    },
    follow: followList('access_logs'),
    map: mapAccessLog,
  },
  {
    ...list('oauth/clients', 'clients'),
    name: 'OAuthClients',
    kind: snapshot,
    timeField: 'updated_at',
    map: mapOAuthClient,
  },
  {
    ...list('oauth/tokens', 'tokens', () => ({ all: 'true' })),
    name: 'OAuthTokens',
    kind: snapshot,
    timeField: 'created_at',
    map: mapOAuthToken,
  },
]

/** The row of each stream. */
export const STREAM = Object.fromEntries(STREAMS.map((stream) => [stream.name, stream])) as Readonly<
  Record<StreamName, Stream>
>

/** Both ends of a range in whole seconds, outwards: whether a filter takes in its last second is not said (I). */
function secondsOf({ from, to }: Bounds): string[] {
  return [Math.floor(from / 1000), Math.ceil(to / 1000)].map((seconds) => isoTime(seconds * 1000))
}

/** What a segment's header has room for: two, of whose characters each may take seven bytes. */
const afterCursor = z.string().max(4096).nullish()
const exportEnvelope = z.object({ after_cursor: afterCursor, end_of_stream: z.boolean() })
const listEnvelope = z.object({ meta: z.object({ has_more: z.boolean(), after_cursor: afterCursor }) })
const wholeEnvelope = z.object({ next_page: z.null().optional() })

function followList(records: string): Stream['follow'] {
  return (envelope) => {
    const { meta } = understood(records, listEnvelope, envelope)
    return { cursor: meta.after_cursor || undefined, more: meta.has_more }
  }
}

function understood<T>(records: string, schema: z.ZodType<T>, envelope: unknown): T {
  const read = schema.safeParse(envelope)
  if (read.success) return read.data
  throw new ZendeskError('ZendeskUnavailable', `Zendesk sent a page of ${records} without a link to the next one.`)
}

type Query = Readonly<Record<string, string | readonly string[]>>

function pathOf(endpoint: string, query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, values] of Object.entries(query))
    for (const value of [values].flat()) parameters.append(name, value)
  return `/api/v2/${endpoint}?${parameters}`
}
