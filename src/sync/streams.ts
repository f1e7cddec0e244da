/** The streams, as data: where each is read, how its pages follow one another, and what its records are. */
import { z } from 'zod'
import type { StreamName } from '../connector/schema.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { type EndpointLimit, INCREMENTAL_USERS } from '../zendesk/limits.ts'
import { isoTime } from './clock.ts'
import { type Bounds, type Kind, log, upserts } from './kinds.ts'
import { mapAuditLog } from './ocsf/audit-log.ts'
import type { Mapper } from './ocsf/event.ts'
import { mapUser } from './ocsf/user.ts'

export type Stream = {
  readonly name: StreamName
  readonly kind: Kind
  /** Name of the array in a page that holds the records. */
  readonly records: string
  /** Name of the field that holds a record's time. */
  readonly timeField: string
  /** Zendesk's own limit of the endpoint. */
  readonly limit?: EndpointLimit
  firstPage(position: string | undefined, bounds: Bounds): string
  /** The page behind a cursor. Built here, never taken from the answer: that could lead to another host. */
  pageAfter(cursor: string, bounds: Bounds): string
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
  limit: INCREMENTAL_USERS,
  firstPage: (position, bounds) =>
    position === undefined
      ? pathOf('incremental/users/cursor', { start_time: '0', per_page: '1000' })
      : users.pageAfter(position, bounds),
  pageAfter: (cursor) => pathOf('incremental/users/cursor', { cursor, per_page: '1000' }),
  follow: (envelope) => {
    const { after_cursor, end_of_stream } = understood(users.records, exportEnvelope, envelope)
    return { cursor: after_cursor ?? undefined, more: !end_of_stream }
  },
  map: mapUser,
}

const auditLogs: Stream = {
  name: 'AuditLogs',
  kind: log,
  records: 'audit_logs',
  timeField: 'created_at',
  firstPage: (_position, bounds) => pathOf('audit_logs', auditLogQuery(bounds)),
  pageAfter: (cursor, bounds) => pathOf('audit_logs', { ...auditLogQuery(bounds), 'page[after]': cursor }),
  follow: (envelope) => {
    const { meta } = understood(auditLogs.records, listEnvelope, envelope)
    return { cursor: meta.after_cursor ?? undefined, more: meta.has_more }
  },
  map: mapAuditLog,
}

export const STREAM: Readonly<Record<StreamName, Stream>> = { Users: users, AuditLogs: auditLogs }

/** The default order is descending (D). The filter's name is what production clients send (T): we filter as well. */
function auditLogQuery({ from, to }: Bounds): Query {
  const bounds = [from, to].map((time) => isoTime(Math.floor(time / 1000) * 1000))
  return { 'page[size]': '100', sort: 'created_at', 'filter[created_at][]': bounds }
}

const exportEnvelope = z.object({ after_cursor: z.string().nullish(), end_of_stream: z.boolean() })
const listEnvelope = z.object({ meta: z.object({ has_more: z.boolean(), after_cursor: z.string().nullish() }) })

function understood<T>(records: string, schema: z.ZodType<T>, envelope: unknown): T {
  const read = schema.safeParse(envelope)
  if (read.success) return read.data
  throw new ZendeskError('ZendeskUnavailable', `Zendesk sent a page of ${records} that does not say what follows it.`)
}

type Query = Readonly<Record<string, string | readonly string[]>>

function pathOf(endpoint: string, query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, values] of Object.entries(query))
    for (const value of [values].flat()) parameters.append(name, value)
  return `/api/v2/${endpoint}?${parameters}`
}
