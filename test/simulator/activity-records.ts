import { isoSeconds } from './clock.ts'
import type { AccountSettings } from './options.ts'
import { mix, pick } from './random.ts'
import { hostileOf, nameOf, quote, quoteOrNull } from './texts.ts'
import { type Key, spread } from './timeline.ts'

/** One audit-log record, before it becomes text. */
export type ActivityFields = {
  readonly action: string
  readonly actionLabel: string | null
  readonly actorId: string | null
  readonly actorName: string
  readonly sourceId: string
  readonly sourceType: string
  readonly sourceLabel: string
  readonly changeDescription: string
  readonly ipAddress: string | null
}

/** Computes the activities of an account from their index. */
export type ActivityBase = {
  readonly count: number
  readonly firstId: bigint
  keyAt(index: number): Key
  fieldsAt(index: number): ActivityFields
  textOf(key: Key, fields: ActivityFields): string
}

type Kind = readonly [action: string, label: string, sourceType: string, source: string, change: string]

/** Every action Zendesk documents, over the sources a security team meets. */
const kinds: readonly Kind[] = [
  ['login', 'Signed in', 'user', 'Team member: ', 'Successful sign-in using Zendesk password from Berlin'],
  ['login', 'Sign-in failed', 'user', 'Team member: ', 'Failed sign-in, password was wrong'],
  ['create', 'Created', 'user', 'Team member: ', 'Role set to Administrator\nGroup set to Support'],
  ['update', 'Updated', 'user', 'Team member: ', 'Role changed from Agent to Administrator'],
  ['destroy', 'Deleted', 'user', 'Team member: ', 'Deleted'],
  ['exported', 'Exported', 'user', 'Export: ', 'User list exported'],
  ['create', 'Created', 'group', 'Group: ', 'Group created'],
  ['update', 'Updated', 'group', 'Group: ', 'Member added'],
  ['destroy', 'Deleted', 'group', 'Group: ', 'Group deleted'],
  ['create', 'Created', 'rule', 'Trigger: ', 'Condition added: Status is New'],
  ['update', 'Updated', 'rule', 'Automation: ', 'Position changed from 3 to 1'],
  ['destroy', 'Deleted', 'rule', 'View: ', 'Deleted'],
  ['destroy', 'Deleted', 'ticket', 'Ticket #', 'Ticket permanently deleted'],
  ['exported', 'Exported', 'ticket', 'Export: ', 'Full JSON export of tickets'],
  ['create', 'Created', 'apitoken', 'API token: ', 'Token created'],
  ['destroy', 'Deleted', 'apitoken', 'API token: ', 'Token revoked'],
  ['update', 'Updated', 'setting', 'Account setting: ', 'Session expiration changed from 480 to 5 minutes'],
  ['update', 'Updated', 'account_setting', 'Security: ', 'Two-factor authentication turned off'],
  ['create', 'Created', 'custom_role', 'Role: ', 'Custom role created'],
  ['update', 'Updated', 'custom_role', 'Role: ', 'Permission changed: may delete tickets'],
  ['create', 'Created', 'oauth/client', 'OAuth client: ', 'Client created'],
  ['update', 'Updated', 'sms/phone_number', 'Number: ', 'Renamed'],
]

const hour = 3600
const day = 24 * hour

/** Activities until five minutes ago: `lastSevenDays` of them in the seven days before now, the rest before that. */
export function createActivityBase(subdomain: string, settings: AccountSettings, nowSeconds: number): ActivityBase {
  const { days, lastSevenDays, perEarlierDay, firstId, sharing } = settings.activities
  const earlier = Math.round(Math.max(0, days - 7) * perEarlierDay)
  const edge = nowSeconds - 7 * day
  // An hour of silence around the edge: "the last seven days" means the same records for the length of a test.
  const atOf = (index: number) =>
    index < earlier
      ? spread(index, earlier, nowSeconds - Math.floor(days * day), edge - hour, sharing)
      : spread(index - earlier, lastSevenDays, edge + hour, nowSeconds - 300, sharing)

  return {
    count: earlier + lastSevenDays,
    firstId,
    keyAt: (index) => ({ at: atOf(index), id: firstId + BigInt(index) }),
    fieldsAt(index) {
      const random = mix(settings.seed + 77, index)
      const [action, label, sourceType, source, change] = pick(kinds, random)
      const system = random % 11 === 0
      const actor = random % Math.min(50, settings.users.count)
      const hostile = settings.hostileStrings && index % 3 === 1
      return {
        action,
        actionLabel: random % 4 === 0 ? null : label,
        actorId: system ? (random % 5 === 0 ? null : '-1') : `${settings.users.firstId + BigInt(actor)}`,
        actorName: system ? 'Zendesk' : `${nameOf(actor)} ${actor}`,
        sourceId: `${settings.users.firstId + BigInt(random % 1000)}`,
        sourceType,
        sourceLabel: hostile && random % 2 === 0 ? hostileOf(random + 3) : `${source}${nameOf(random >>> 3)}`,
        changeDescription: hostile ? hostileOf(random >>> 5) : change,
        ipAddress: system ? null : `198.51.100.${random % 256}`,
      }
    },
    textOf: (key, fields) => activityText(subdomain, key, fields),
  }
}

function activityText(subdomain: string, key: Key, fields: ActivityFields): string {
  const escaped = key.id % 2n === 0n
  const label = fields.actionLabel === null ? '' : `,"action_label":${quote(fields.actionLabel, escaped)}`
  return (
    `{"id":${key.id},"url":"https://${subdomain}.zendesk.com/api/v2/audit_logs/${key.id}.json"` +
    `,"action":${quote(fields.action, false)}${label},"actor_id":${fields.actorId}` +
    `,"actor_name":${quote(fields.actorName, escaped)},"source_id":${fields.sourceId}` +
    `,"source_type":${quote(fields.sourceType, false)},"source_label":${quote(fields.sourceLabel, escaped)}` +
    `,"change_description":${quote(fields.changeDescription, escaped)}` +
    `,"ip_address":${quoteOrNull(fields.ipAddress, false)},"created_at":"${isoSeconds(key.at)}"}`
  )
}
