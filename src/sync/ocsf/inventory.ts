/**
 * What stands in Zendesk beside its users, in OCSF: base events. What is worth a query stands in `unmapped` under Zendesk's
 * own names.
 */
import { baseKind, type Mapper } from './event.ts'
import { flag, id, text, texts, whole } from './fields.ts'

type Readers = Readonly<Record<string, (value: unknown) => unknown>>
type Read<R extends Readers> = { readonly [Name in keyof R]: ReturnType<R[Name]> }

/** Reads these fields, and says in `message` what it is. Without an id it is of no known kind. */
function inventory<R extends Readers>(readers: R, message: (read: Read<R>) => string): Mapper {
  const names = Object.entries(readers)
  return ({ fields }) => {
    if (fields === undefined || id(fields.id) === undefined) return undefined
    const read = Object.fromEntries(names.map(([name, reader]) => [name, reader(fields[name])])) as Read<R>
    return { ...baseKind, activity_name: 'Collect', attributes: { message: message(read), unmapped: read } }
  }
}

export const mapGroup = inventory(
  { id, name: text, default: flag, is_public: flag, deleted: flag },
  (group) => `Group ${group.name ?? group.id}`,
)

export const mapGroupMembership = inventory(
  { id, user_id: id, group_id: id, default: flag },
  ({ user_id = 'unknown', group_id = 'unknown' }) => `User ${user_id} in group ${group_id}`,
)

export const mapCustomRole = inventory(
  { id, name: text, role_type: whole },
  (role) => `Custom role ${role.name ?? role.id}`,
)

export const mapOAuthClient = inventory(
  { id, name: text, identifier: text, kind: text, global: flag, user_id: id },
  (client) => `OAuth client ${client.name ?? client.identifier ?? client.id}`,
)

/** Never the token itself, though it comes cut to ten characters (D). */
export const mapOAuthToken = inventory(
  { id, user_id: id, client_id: id, scopes: texts, expires_at: text, used_at: text },
  ({ user_id = 'unknown', client_id = 'unknown' }) => `OAuth token of user ${user_id} for client ${client_id}`,
)
