import type { Clock } from './clock.ts'
import type { RawRecord } from './ledger.ts'
import { type Id, type Moment, toSeconds } from './options.ts'
import { createTimeline, type Key, type Timeline } from './timeline.ts'
import type { UserBase, UserFields } from './user-records.ts'

/** What a test may set on a user; `updatedAt` defaults to now. */
export type UserChange = Partial<
  Pick<
    UserFields,
    'name' | 'email' | 'role' | 'roleType' | 'customRoleId' | 'active' | 'suspended' | 'twoFactor' | 'notes'
  >
> & { readonly updatedAt?: Moment; readonly id?: Id }

/** A user that is no longer, or never was, what the base says. */
export type ChangedUser = Key & { readonly versions: readonly UserFields[] }

/** A user at its latest version. */
export type User = { readonly id: bigint; readonly fields: UserFields }

/** All users of an account: computed ones, and the changes to them. */
export type UserStore = {
  readonly timeline: Timeline<ChangedUser>
  /** Moves with every change, so that kept pages are known to be old. */
  revision(): number
  find(id: bigint): User | undefined
  /** How often it was changed; 0 is the first version. */
  text(id: bigint, version?: number): string | undefined
  /** Ascending ids after this one. */
  byId(after: bigint): Generator<User>
  /** The deleted ones of these, without looking at a million others. */
  deletedById(after: bigint): Generator<User>
  activeCount(): number
  add(change: UserChange): bigint
  update(id: bigint, change: UserChange): void
  remove(id: bigint, permanently: boolean): void
  count(): number
  raw(user: User): RawRecord
}

/** Starts with the base alone. */
export function createUserStore(base: UserBase, clock: Clock): UserStore {
  const timeline = createTimeline<ChangedUser>(base)
  const changed = new Map<bigint, ChangedUser>()
  const added: bigint[] = []
  let revision = 0
  let active = base.count - base.deletedCount

  function baseIndex(id: bigint): number | undefined {
    const index = Number(id - base.firstId)
    return index >= 0 && index < base.count ? index : undefined
  }

  function versionsOf(id: bigint): readonly UserFields[] {
    const known = changed.get(id)?.versions
    if (known) return known
    const index = baseIndex(id)
    return index === undefined ? [] : [base.fieldsAt(index)]
  }

  function find(id: bigint): User | undefined {
    const fields = versionsOf(id).at(-1)
    return fields && { id, fields }
  }

  function store(id: bigint, versions: readonly UserFields[], fields: UserFields): void {
    const before = changed.get(id)
    const index = baseIndex(id)
    if (before) timeline.remove(before)
    else if (index !== undefined) timeline.hide(index)
    const entry = { at: fields.updatedAt, id, versions: [...versions, fields] }
    changed.set(id, entry)
    timeline.insert(entry)
    active += Number(fields.active) - Number(versions.at(-1)?.active ?? false)
    revision++
  }

  function update(id: bigint, change: Partial<UserFields>, updatedAt?: Moment): void {
    const versions = versionsOf(id)
    const fields = versions.at(-1)
    if (!fields) throw new Error(`no user ${id}`)
    store(id, versions, { ...fields, ...change, updatedAt: toSeconds(updatedAt ?? clock.now()) })
  }

  return {
    timeline,
    find,
    revision: () => revision,
    activeCount: () => active,
    text(id, version) {
      const versions = versionsOf(id)
      const fields = version === undefined ? versions.at(-1) : versions[version]
      return fields && base.textOf(id, fields)
    },
    *byId(after) {
      for (let index = Math.max(0, Number(after + 1n - base.firstId)); index < base.count; index++) {
        const id = base.firstId + BigInt(index)
        yield { id, fields: changed.get(id)?.versions.at(-1) ?? base.fieldsAt(index) }
      }
      for (const id of added) {
        const user = id > after && find(id)
        if (user) yield user
      }
    },
    *deletedById(after) {
      const ids = new Set(changed.keys())
      for (let index = 1; index <= base.deletedCount; index++) ids.add(base.firstId + BigInt(index))
      for (const id of [...ids].sort((left, right) => (left < right ? -1 : 1))) {
        const user = id > after && find(id)
        if (user && !user.fields.active) yield user
      }
    },
    add(change) {
      const last = added.at(-1) ?? base.firstId + BigInt(base.count) - 1n
      const id = change.id === undefined ? last + 1n : BigInt(change.id)
      // List Users is ordered by id, and `added` stays sorted by being appended to only.
      if (id <= last) throw new Error(`a new user's id must be above ${last}`)
      const at = toSeconds(change.updatedAt ?? clock.now())
      added.push(id)
      store(id, [], { ...newcomer(id, at), ...withoutIdAndTime(change) })
      return id
    },
    update: (id, change) => update(id, withoutIdAndTime(change), change.updatedAt),
    remove(id, permanently) {
      const scrubbed = { name: 'Permanently Deleted User', email: null }
      update(id, { active: false, ...(permanently ? scrubbed : {}) })
    },
    count: () => base.count + added.length,
    raw: ({ id, fields }) => ({ id: `${id}`, raw: base.textOf(id, fields) }),
  }
}

function withoutIdAndTime({ id: _id, updatedAt: _updatedAt, ...change }: UserChange): Partial<UserFields> {
  return change
}

function newcomer(id: bigint, now: number): UserFields {
  return {
    name: `New User ${id}`,
    email: `user-${id}@example.com`,
    role: 'end-user',
    roleType: null,
    customRoleId: null,
    active: true,
    suspended: false,
    twoFactor: null,
    notes: null,
    createdAt: now,
    updatedAt: now,
    lastLoginAt: null,
  }
}
