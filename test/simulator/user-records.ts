import { isoSeconds } from './clock.ts'
import type { AccountSettings } from './options.ts'
import { mix, pick } from './random.ts'
import { hostileOf, nameOf, quote, quoteOrNull } from './texts.ts'
import { type Key, spread } from './timeline.ts'

/** What can change about a user. */
export type UserFields = {
  readonly name: string
  readonly email: string | null
  readonly role: 'end-user' | 'agent' | 'admin'
  /** 0 custom agent, 1 light, 2 chat, 3 contributor, 4 admin, 5 billing admin. */
  readonly roleType: number | null
  readonly customRoleId: string | null
  readonly active: boolean
  readonly suspended: boolean
  readonly twoFactor: boolean | null
  readonly notes: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastLoginAt: number | null
}

/** Computes the users of an account from their index. */
export type UserBase = {
  readonly count: number
  readonly firstId: bigint
  /** Those at index 1, 2, 3 … */
  readonly deletedCount: number
  keyAt(index: number): Key
  fieldsAt(index: number): UserFields
  /** The exact source text, as every endpoint serves it. */
  textOf(id: bigint, fields: UserFields): string
}

const day = 86_400

/** The population before anything changes: an admin, some agents, the rest end users, a few deleted or suspended. */
export function createUserBase(subdomain: string, settings: AccountSettings, nowSeconds: number): UserBase {
  const { count, firstId, days, deleted } = settings.users
  // Two minutes back: an incremental export leaves out the last one, and a base record must not appear later.
  const end = nowSeconds - 120
  const first = end - Math.floor(days * day)
  const updatedAt = (index: number) => spread(index, count, first, end, 3)

  function roleAt(index: number): Pick<UserFields, 'role' | 'roleType'> {
    if (index === 0 || index % 500 === 9) return { role: 'admin', roleType: 4 }
    if (index % 50 === 7) return { role: 'agent', roleType: index % 3 === 0 ? 1 : 0 }
    return { role: 'end-user', roleType: null }
  }

  return {
    count,
    firstId,
    deletedCount: Math.min(deleted, count - 1),
    keyAt: (index) => ({ at: updatedAt(index), id: firstId + BigInt(index) }),
    fieldsAt(index) {
      const random = mix(settings.seed, index)
      const permanentlyDeleted = index === 1 && deleted > 0
      const updated = updatedAt(index)
      return {
        name: permanentlyDeleted ? 'Permanently Deleted User' : `${nameOf(random)} ${index}`,
        email: permanentlyDeleted ? null : `user${index}@example.com`,
        ...roleAt(index),
        customRoleId: null,
        active: index === 0 || index > deleted,
        suspended: index % 89 === 13,
        twoFactor: index % 50 === 7 ? random % 2 === 0 : null,
        notes: settings.hostileStrings && index % 5 === 2 ? hostileOf(random) : null,
        createdAt: updated - (random % (90 * day)),
        updatedAt: updated,
        lastLoginAt: random % 3 === 0 ? null : updated,
      }
    },
    textOf: (id, fields) => userText(subdomain, id, fields),
  }
}

function userText(subdomain: string, id: bigint, fields: UserFields): string {
  const escaped = id % 2n === 1n
  const zone = pick(['Berlin', 'Pacific Time (US & Canada)', 'Tokyo'], Number(id % 3n))
  const login = fields.lastLoginAt === null ? null : isoSeconds(fields.lastLoginAt)
  return (
    `{"id":${id},"url":"https://${subdomain}.zendesk.com/api/v2/users/${id}.json","name":${quote(fields.name, escaped)}` +
    `,"email":${quoteOrNull(fields.email, escaped)},"created_at":"${isoSeconds(fields.createdAt)}"` +
    `,"updated_at":"${isoSeconds(fields.updatedAt)}","time_zone":"${zone}","phone":null,"photo":null` +
    `,"locale_id":1,"locale":"en-US","organization_id":${id % 4n === 0n ? 'null' : `${id + 1_000_000_007n}`}` +
    `,"role":"${fields.role}","verified":${fields.email !== null},"external_id":null,"tags":[],"alias":""` +
    `,"active":${fields.active},"shared":false,"shared_agent":false,"last_login_at":${quoteOrNull(login, false)}` +
    `,"two_factor_auth_enabled":${fields.twoFactor},"signature":null,"details":null` +
    `,"notes":${quoteOrNull(fields.notes, escaped)},"role_type":${fields.roleType}` +
    `,"custom_role_id":${fields.customRoleId},"moderator":${fields.role !== 'end-user'}` +
    `,"ticket_restriction":${fields.role === 'end-user' ? '"requested"' : 'null'},"only_private_comments":false` +
    `,"restricted_agent":${fields.role !== 'admin'},"suspended":${fields.suspended}` +
    `,"report_csv":false,"user_fields":{}}`
  )
}
