import { listAccessLogs } from './access-logs.ts'
import { type Answer, badRequest, forbidden, json, noEndpoint, unauthenticated } from './answers.ts'
import { listAuditLogs } from './audit-logs.ts'
import {
  countUsers,
  listCollection,
  listCustomRoles,
  listDeletedUsers,
  listOAuthClients,
  listOAuthTokens,
  listUsers,
  mayAct,
  showMe,
  showToken,
} from './lists.ts'
import { allows } from './oauth.ts'
import type { PageAnswer } from './page-cache.ts'
import { exportUsers } from './user-export.ts'
import type { Call, World } from './world.ts'

/** An endpoint and who may use it. What Zendesk documents about each stands here and nowhere else. */
type Route = {
  readonly answer: (world: World, call: Call) => PageAnswer
  /** The resource of a scope `<resource>:read`; none: any token will do. */
  readonly scope?: string
  /** Open to suspended users and to agents, or to admins only; default: any team member. */
  readonly who?: 'anyone' | 'token' | 'admin'
  readonly enterprise?: boolean
}

const routes: Readonly<Record<string, Route>> = {
  '/api/v2/users/me': { answer: showMe, scope: 'users', who: 'anyone' },
  '/api/v2/oauth/tokens/current': { answer: showToken, who: 'token' },
  '/api/v2/incremental/users/cursor': { answer: exportUsers, scope: 'users', who: 'admin' },
  '/api/v2/users': { answer: listUsers, scope: 'users' },
  '/api/v2/users/count': { answer: countUsers, scope: 'users' },
  '/api/v2/deleted_users': { answer: listDeletedUsers, scope: 'users' },
  // Whether these three have scopes of their own is not documented; `read` covers them for certain.
  '/api/v2/groups': { answer: listCollection('groups'), scope: 'groups' },
  '/api/v2/group_memberships': { answer: listCollection('group_memberships'), scope: 'groups' },
  '/api/v2/custom_roles': { answer: listCustomRoles, scope: 'custom_roles', enterprise: true },
  '/api/v2/access_logs': { answer: listAccessLogs, scope: 'accesslogs', who: 'admin' },
  '/api/v2/oauth/clients': { answer: listOAuthClients, scope: 'oauth', who: 'admin' },
  '/api/v2/oauth/tokens': { answer: listOAuthTokens, scope: 'oauth', who: 'admin' },
  '/api/v2/audit_logs': { answer: listAuditLogs, scope: 'auditlogs', who: 'admin', enterprise: true },
}

/** Zendesk answers to the same paths with `.json` behind them. */
export function plainPath(path: string): string {
  return path.endsWith('.json') ? path.slice(0, -5) : path
}

/** The answer of a healthy Zendesk within its limits. */
export function route(world: World, call: Call): PageAnswer {
  const path = plainPath(call.url.pathname)
  if (path === '/oauth/tokens') return call.method === 'POST' ? grantToken(world, call) : notAllowed('POST')
  const found = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (!found) return noEndpoint()
  if (call.method !== 'GET') return notAllowed('GET')
  const refused = refusal(found, world, call)
  if (refused) return refused
  return world.pages.get(`${call.url.pathname}${call.url.search}`, () => found.answer(world, call))
}

function refusal(found: Route, world: World, { caller }: Call): Answer | undefined {
  if (!caller) return found.who === 'anyone' ? undefined : unauthenticated()
  if (found.scope && !allows(caller.token, found.scope)) return forbidden()
  if (found.who === 'anyone' || found.who === 'token') return undefined
  const { user } = caller
  if (!mayAct(user) || user.fields.role === 'end-user') return forbidden()
  if (found.who === 'admin' && user.fields.role !== 'admin') return forbidden()
  if (found.enterprise && !world.settings.plan.startsWith('enterprise')) return forbidden()
  return undefined
}

function notAllowed(allow: string): Answer {
  return json(405, { error: 'MethodNotAllowed', description: `Use ${allow}` }, { allow })
}

function grantToken(world: World, { body, contentType }: Call): Answer {
  const request = readForm(body, contentType)
  if (!request) return badRequest('InvalidBody', 'The body is neither JSON nor a form')
  const grant = world.oauth.grant(request)
  if ('error' in grant) return json(grant.status, { error: grant.error, error_description: grant.description })
  // The expiry is told only to those who asked for one.
  const expiry = grant.expiresIn === undefined ? {} : { expires_in: grant.expiresIn }
  const { token } = grant
  return json(201, { access_token: token.value, token_type: 'bearer', scope: token.scopes.join(' '), ...expiry })
}

function readForm(body: string, contentType: string): Record<string, unknown> | undefined {
  if (contentType.includes('x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(body))
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
