import { createAccessLog } from './access-logs.ts'
import { type ActivityRange, createActivityStore, type NewActivity } from './activities.ts'
import { createActivityBase } from './activity-records.ts'
import type { Clock } from './clock.ts'
import { type CollectionName, createCollections } from './collections.ts'
import { createFaults, type FaultOptions, type FaultState, type Faults, onConnection } from './faults.ts'
import { createLedger, type Ledger, type LedgerWriter } from './ledger.ts'
import { createLimiter, type Limiter } from './limits.ts'
import { createOAuth } from './oauth.ts'
import {
  type AccountOptions,
  type AccountSettings,
  accountSchema,
  type Id,
  type LimitOptions,
  limitSchema,
  planLimits,
} from './options.ts'
import { createPageCache } from './page-cache.ts'
import { createUserBase } from './user-records.ts'
import { createUserStore, type UserChange } from './users.ts'
import type { World } from './world.ts'

/** An account as tests hold it. Ids come and go as strings of digits; moments as milliseconds or ISO dates. */
export type Account = {
  readonly subdomain: string
  readonly ledger: Ledger

  /** Adds a client, or replaces the one with this id; acts as the first user unless told otherwise. */
  setClient(client: { clientId: string; clientSecret: string; actingUserId?: Id }): void
  removeClient(clientId: string): void
  /** The old secret stops working at once; tokens live on. */
  rotateSecret(clientId: string, secret: string): void
  revokeTokens(): number
  /** Gives the acting user of a client (default: the first client) another role. */
  changeRole(role: 'end-user' | 'agent' | 'admin', clientId?: string): void
  suspendActingUser(suspended?: boolean, clientId?: string): void
  actingUserId(clientId?: string): string

  addUser(user?: UserChange): string
  updateUser(id: Id, change: UserChange): void
  /** Deleted users stay in the incremental export as inactive; permanent deletion scrubs name and address. */
  deleteUser(id: Id, options?: { permanently?: boolean }): void
  userCount(): number
  /** The exact source text of a user; version 0 is the first, default the latest. */
  rawUser(id: Id, version?: number): string | undefined
  /** The latest text of every user, deleted ones included, by id. */
  users(): Iterable<string>

  appendActivity(activity?: NewActivity): string
  /** The exact source text of an activity, surfaced or not. */
  rawActivity(id: Id): string | undefined
  /** Texts in order of (created_at, id), both ends inclusive. */
  activities(range?: ActivityRange): Iterable<string>

  /** Texts of the access log, newest first as the API serves them. */
  accessLogs(): Iterable<string>

  /** Adds a record to a small stream, or replaces the one with this id. */
  putRecord(stream: CollectionName, fields: Record<string, unknown>, id?: Id): string
  removeRecord(stream: CollectionName, id: Id): boolean
  /** The exact source texts of a small stream. */
  records(stream: CollectionName): string[]

  setPlan(plan: AccountSettings['plan']): void
  setLimit(limit: LimitOptions): void
  /** Another client of the account uses so many requests of its limit; false when there was no room for them. */
  spend(requests: number): boolean

  /** Faults on connections close those that stand. */
  addFault(fault: FaultOptions): number
  removeFault(id: number): void
  clearFaults(): void
  faults(): FaultState[]
  closeConnections(): void
}

/** The same account as the server holds it. */
export type AccountState = {
  readonly account: Account
  readonly world: World
  readonly ledger: LedgerWriter
  readonly faults: Faults
  /** Limits can be replaced, so they are asked for each time. */
  limiters(): Limiters
}

type Limiters = { readonly account: Limiter; readonly incremental: Limiter; readonly accessLogs: Limiter }

/** A new account, its population ending now. */
export function createAccount(
  subdomain: string,
  options: AccountOptions,
  clock: Clock,
  closeConnections: () => void,
): AccountState {
  const settings = accountSchema.parse(options)
  const now = Math.floor(clock.now() / 1000)
  const userBase = createUserBase(subdomain, settings, now)
  const users = createUserStore(userBase, clock)
  const activities = createActivityStore(createActivityBase(subdomain, settings, now), clock)
  const collections = createCollections(subdomain, settings, now)
  const oauth = createOAuth(clock)
  const accessLog = createAccessLog(settings, now)
  const ledger = createLedger(settings.recordServed)
  const faults = createFaults(settings.seed)
  const cacheBytes = settings.recordServed ? 0 : settings.pageCacheBytes
  const pages = createPageCache(cacheBytes, () => users.revision() + activities.revision())
  const world: World = { subdomain, settings, clock, users, activities, accessLog, collections, oauth, pages }

  const firstUser = settings.users.firstId
  const clients = settings.clients ?? [{ clientId: 'zendesk-connector', clientSecret: `${subdomain}-secret` }]
  for (const { actingUserId = firstUser, ...client } of clients) oauth.setClient({ ...client, actingUserId })

  function acting(clientId?: string): bigint {
    const found = oauth.clients().find((client) => clientId === undefined || client.clientId === clientId)
    if (!found) throw new Error(`no client ${clientId ?? ''}`)
    return found.actingUserId
  }

  function limiters(limit: LimitOptions): Limiters {
    const { kind, windowMs, incremental, accessLogs, requests } = limitSchema.parse(limit)
    return {
      account: createLimiter({ kind, windowMs, requests: requests ?? planLimits[settings.plan] }, clock),
      incremental: createLimiter({ kind, windowMs, requests: incremental }, clock),
      accessLogs: createLimiter({ kind, windowMs, requests: accessLogs }, clock),
    }
  }
  let current = limiters(settings.limit)

  const account: Account = {
    subdomain,
    ledger,
    setClient: ({ actingUserId = firstUser, ...client }) =>
      oauth.setClient({ ...client, actingUserId: BigInt(actingUserId) }),
    removeClient: oauth.removeClient,
    rotateSecret: oauth.rotateSecret,
    revokeTokens: oauth.revokeAll,
    changeRole: (role, clientId) =>
      users.update(acting(clientId), { role, roleType: role === 'admin' ? 4 : role === 'agent' ? 0 : null }),
    suspendActingUser: (suspended = true, clientId) => users.update(acting(clientId), { suspended }),
    actingUserId: (clientId) => `${acting(clientId)}`,

    addUser: (user = {}) => `${users.add(user)}`,
    updateUser: (id, change) => users.update(BigInt(id), change),
    deleteUser: (id, { permanently = false } = {}) => users.remove(BigInt(id), permanently),
    userCount: users.count,
    rawUser: (id, version) => users.text(BigInt(id), version),
    users: () => users.byId(-1n).map((user) => users.raw(user).raw),

    appendActivity: (activity = {}) => `${activities.append(activity)}`,
    rawActivity: (id) => activities.textOfId(BigInt(id)),
    activities: (range = {}) => activities.range(range),

    accessLogs: () => accessLog.from(0).map((record) => record.raw),

    putRecord: (stream, fields, id) => `${collections[stream].put(fields, id === undefined ? undefined : BigInt(id))}`,
    removeRecord: (stream, id) => collections[stream].remove(BigInt(id)),
    records: (stream) => [...collections[stream].after(-1n)].map((record) => record.raw),

    setPlan(plan) {
      settings.plan = plan
      current = limiters(settings.limit)
    },
    setLimit(limit) {
      current = limiters(limit)
    },
    spend: (requests) => current.account.take(requests).allowed,

    addFault(fault) {
      const id = faults.add(fault)
      if (onConnection(fault.effect.kind)) closeConnections()
      return id
    },
    removeFault: faults.remove,
    clearFaults: faults.clear,
    faults: faults.states,
    closeConnections,
  }
  return {
    account,
    world,
    ledger,
    faults,
    limiters: () => current,
  }
}
