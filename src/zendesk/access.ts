/** Who the OAuth client acts as, and why something is forbidden: Zendesk answers both questions only indirectly. */
import type { Reason } from '../connector/reasons.ts'
import type { HttpAnswer } from './http.ts'
import type { Probe } from './probes.ts'
import { currentTokenAnswer, meAnswer, parseBody } from './schemas.ts'

export type Refusal = { readonly reason: Reason; readonly message: string }
export type Actor = { readonly userId: string; readonly role: string }

/** Judges a 200 of `users/me`. Anonymous callers get one too (D), so an id, role, active and not suspended are required (I). */
export function readActor(answer: HttpAnswer): Actor | Refusal {
  const user = parseBody(meAnswer, answer.body)?.user
  if (user?.id === undefined || user.id === null) {
    return {
      reason: 'InvalidClient',
      message:
        'The OAuth client has no user in Zendesk: create it as a confidential client while signed in as an admin.',
    }
  }
  if (user.suspended === true || user.active === false) {
    return {
      reason: 'UserSuspended',
      message:
        'The Zendesk user of the OAuth client is suspended or deactivated: reinstate the user, or use a client of another admin.',
    }
  }
  if (user.role !== 'admin') {
    return {
      reason: 'NotAdmin',
      message: `The Zendesk user of the OAuth client is ${described(user.role)}, not an admin: give the user the Administrator role, or use a client of an admin.`,
    }
  }
  return { userId: String(user.id), role: user.role }
}

/** Roles are Zendesk's three words (D); anything else is not repeated in a message. */
function described(role: string | null | undefined): string {
  if (role === 'agent') return 'an agent'
  if (role === 'end-user') return 'an end user'
  return 'in another role'
}

/**
 * Tells apart what a 403 can mean (D/I): role from `users/me`, scopes from `oauth/tokens/current`, else the plan.
 * `read` fetches one path. When Zendesk does not answer these questions, the refusal is one that passes.
 */
export async function explainForbidden(
  stream: string,
  probe: Probe,
  read: (path: string) => Promise<HttpAnswer>,
): Promise<Refusal> {
  const me = await read('/api/v2/users/me')
  if (passes(me)) return unexplained(stream)
  if (me.status !== 200) return outOfScope(stream, probe)
  const actor = readActor(me)
  if ('reason' in actor) return actor
  const current = await read('/api/v2/oauth/tokens/current')
  if (passes(current)) return unexplained(stream)
  const scopes = parseBody(currentTokenAnswer, current.body)?.token.scopes
  if (scopes !== undefined && !probe.scopes.some((one) => scopes.includes(one))) return outOfScope(stream, probe)
  if (probe.plans === undefined) {
    return {
      reason: 'NotAdmin',
      message: `Zendesk does not allow the user of the OAuth client to read ${stream}: give the user the Administrator role.`,
    }
  }
  return notInPlan(stream, probe)
}

const passes = ({ status }: HttpAnswer) => status === 429 || status >= 500

function unexplained(stream: string): Refusal {
  return {
    reason: 'ZendeskUnavailable',
    message: `Zendesk denies access to ${stream} and currently gives no reason: it will be retried.`,
  }
}

function outOfScope(stream: string, probe: Probe): Refusal {
  return {
    reason: 'InvalidScope',
    message: `The OAuth client may not read ${stream}: give it the scope ${probe.scopes.join(' or ')}.`,
  }
}

/** Nothing stands at the address of a stream: the plan lacks it, or, where every plan has it, the account is closed. */
export function absence(stream: string, probe: Probe, { message }: { readonly message: string }): Refusal {
  return probe.plans === undefined ? { reason: 'AccountNotFound', message } : notInPlan(stream, probe)
}

function notInPlan(stream: string, probe: Probe): Refusal {
  return {
    reason: 'PlanNotSupported',
    message: `The account's plan does not include ${stream}: remove ${stream} from spec.sync.streams, or upgrade to ${probe.plans ?? 'a plan that has it'}.`,
  }
}
