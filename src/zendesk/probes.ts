/** How each stream shows, with one small request, whether it may be read. */
import type { StreamName } from '../connector/schema.ts'
import { ACCESS_LOGS, type EndpointLimit, INCREMENTAL_USERS } from './limits.ts'

export type Probe = {
  readonly path: string
  readonly limit?: EndpointLimit
  /** Scopes any of which is enough. Which finer ones cover what is unproven but for users and audit logs (I). */
  readonly scopes: readonly string[]
  /** Plans that offer the stream, as Zendesk names them; undefined: every plan. */
  readonly plans?: string
}

const enterprise = 'Suite Enterprise or Enterprise Plus'

export const PROBES: Readonly<Record<StreamName, Probe>> = {
  Users: {
    path: '/api/v2/incremental/users/cursor?start_time=0&per_page=1',
    limit: INCREMENTAL_USERS,
    scopes: ['read', 'users:read'],
  },
  DeletedUsers: { path: '/api/v2/deleted_users?page[size]=1', scopes: ['read', 'users:read'] },
  Groups: { path: '/api/v2/groups?page[size]=1', scopes: ['read', 'groups:read'] },
  GroupMemberships: { path: '/api/v2/group_memberships?page[size]=1', scopes: ['read', 'groups:read'] },
  CustomRoles: { path: '/api/v2/custom_roles', scopes: ['read', 'custom_roles:read'], plans: enterprise },
  AuditLogs: { path: '/api/v2/audit_logs?page[size]=1', scopes: ['read', 'auditlogs:read'], plans: enterprise },
  AccessLogs: {
    path: '/api/v2/access_logs?page[size]=1',
    limit: ACCESS_LOGS,
    scopes: ['read', 'accesslogs:read'],
    plans: 'a plan with the add-on Advanced Data Privacy and Protection',
  },
  OAuthClients: { path: '/api/v2/oauth/clients?page[size]=1', scopes: ['read', 'oauth:read'] },
  OAuthTokens: { path: '/api/v2/oauth/tokens?all=true&page[size]=1', scopes: ['read', 'oauth:read'] },
}
