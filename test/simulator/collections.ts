import { isoSeconds } from './clock.ts'
import type { RawRecord } from './ledger.ts'
import type { AccountSettings } from './options.ts'

/** The small streams, by Zendesk's names: kept as plain maps, in order of id. */
export type CollectionName = 'groups' | 'group_memberships' | 'custom_roles'

/** A handful of records that tests can add to and take from. */
export type Collection = {
  /** Ascending ids after this one. */
  after(id: bigint): Generator<RawRecord>
  size(): number
  /** Adds a record, or replaces the one with this id; gives back the id. */
  put(fields: Readonly<Record<string, unknown>>, id?: bigint): bigint
  remove(id: bigint): boolean
}

/** The three small collections of a new account. */
export function createCollections(
  subdomain: string,
  settings: AccountSettings,
  nowSeconds: number,
): Record<CollectionName, Collection> {
  const stamp = isoSeconds(nowSeconds - 86_400)
  const make = (name: CollectionName, firstId: bigint) => createCollection(subdomain, name, firstId, stamp)
  const collections = {
    groups: make('groups', 7_000_000_000_001n),
    group_memberships: make('group_memberships', 7_100_000_000_001n),
    custom_roles: make('custom_roles', 7_200_000_000_001n),
  }
  for (let index = 0; index < settings.groups; index++) {
    collections.groups.put({ name: `Group ${index}`, description: '', default: index === 0, deleted: false })
  }
  for (let index = 0; index < settings.groupMemberships; index++) {
    // Agents stand at 7, 57, 107 …; the admin stands in where there are none.
    const agent = 7 + 50 * index
    const user = settings.users.firstId + BigInt(agent < settings.users.count ? agent : 0)
    const group = 7_000_000_000_001n + BigInt(index % Math.max(1, settings.groups))
    collections.group_memberships.put({ user_id: user, group_id: group, default: true })
  }
  for (let index = 0; index < settings.customRoles; index++) {
    const configuration = { ticket_access: 'all', manage_business_rules: index === 0, end_user_profile_access: 'edit' }
    collections.custom_roles.put({ name: `Role ${index}`, description: null, role_type: 0, configuration })
  }
  return collections
}

function createCollection(subdomain: string, name: CollectionName, firstId: bigint, stamp: string): Collection {
  // Insertion order is id order: ids only rise, and a replaced record keeps its place in a Map.
  const records = new Map<bigint, string>()
  let last = firstId - 1n
  return {
    *after(id) {
      for (const [key, raw] of records) if (key > id) yield { id: `${key}`, raw }
    },
    size: () => records.size,
    put(fields, id = last + 1n) {
      if (id > last) last = id
      else if (!records.has(id)) throw new Error(`a new record of ${name} needs an id above ${last}`)
      const url = `https://${subdomain}.zendesk.com/api/v2/${name}/${id}.json`
      records.set(id, jsonText({ id, url, ...fields, created_at: stamp, updated_at: stamp }))
      return id
    },
    remove: (id) => records.delete(id),
  }
}

/** JSON that writes a bigint as a bare number, with all its digits. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `bigint:${part}` : part))
  return text.replace(/"bigint:(-?\d+)"/g, '$1')
}
