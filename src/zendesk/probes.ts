/** How each stream shows, with one small request, whether it may be read. */
import type { StreamName } from '../connector/schema.ts'
import { type EndpointLimit, INCREMENTAL_USERS } from './limits.ts'

export type Probe = {
  readonly path: string
  readonly limit?: EndpointLimit
  /** Scopes any of which is enough. */
  readonly scopes: readonly string[]
  /** Plans that offer the stream, as Zendesk names them; undefined: every plan. */
  readonly plans?: string
}

export const PROBES: Readonly<Record<StreamName, Probe>> = {
  Users: {
    path: '/api/v2/incremental/users/cursor?start_time=0&per_page=1',
    limit: INCREMENTAL_USERS,
    scopes: ['read', 'users:read'],
  },
  AuditLogs: {
    path: '/api/v2/audit_logs?page[size]=1',
    scopes: ['read', 'auditlogs:read'],
    plans: 'Suite Enterprise or Enterprise Plus',
  },
}
