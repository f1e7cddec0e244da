import { type Answer, json } from './answers.ts'
import { type CollectionName, jsonText } from './collections.ts'
import type { RawRecord } from './ledger.ts'
import type { Token } from './oauth.ts'
import { cursorAnswer, offsetAnswer, readListPage, recordsAnswer, takePage } from './paging.ts'
import type { User } from './users.ts'
import type { Call, World } from './world.ts'

/** A list in order of ids, in either of Zendesk's two ways of paging. */
function listById(name: string, url: URL, after: (id: bigint) => Iterable<RawRecord>, count: () => number): Answer {
  const page = readListPage(url.searchParams)
  if ('status' in page) return page
  const raw = (record: RawRecord) => record
  const cursor = (record: RawRecord) => record.id
  if (page.mode === 'cursor') {
    const records = takePage(after(BigInt(page.after ?? '-1')), page.size, raw, cursor)
    return cursorAnswer(name, url, records, page.after)
  }
  const skipped = Iterator.from(after(-1n)).drop((page.page - 1) * page.size)
  return offsetAnswer(name, url, takePage(skipped, page.size, raw, cursor), page.page, count())
}

/** All users but the deleted ones; `role` and `role[]` choose. */
export function listUsers(world: World, { url }: Call): Answer {
  const roles = [...url.searchParams.getAll('role'), ...url.searchParams.getAll('role[]')]
  function* users(after: bigint): Generator<RawRecord> {
    for (const user of world.users.byId(after)) {
      const wanted = user.fields.active && (roles.length === 0 || roles.includes(user.fields.role))
      if (wanted) yield world.users.raw(user)
    }
  }
  return listById('users', url, users, world.users.activeCount)
}

/** Deleted users, permanently deleted ones with their names scrubbed. */
export function listDeletedUsers(world: World, { url }: Call): Answer {
  const deleted = (after: bigint) => world.users.deletedById(after).map(world.users.raw)
  return listById('deleted_users', url, deleted, () => deleted(-1n).reduce((total) => total + 1, 0))
}

/** An estimate, capped. */
export function countUsers(world: World): Answer {
  const value = Math.min(world.users.activeCount(), world.settings.countCap)
  return json(200, { count: { value, refreshed_at: new Date(world.clock.now()).toISOString() } })
}

/** Groups and memberships. */
export function listCollection(name: CollectionName): (world: World, call: Call) => Answer {
  return (world, { url }) => listById(name, url, world.collections[name].after, world.collections[name].size)
}

/** Custom roles are few and come all at once. */
export function listCustomRoles(world: World): Answer {
  const records = [...world.collections.custom_roles.after(-1n)]
  return recordsAnswer('custom_roles', records, `"next_page":null,"previous_page":null,"count":${records.length}`)
}

/** Who the caller is. Anonymous callers get 200 and a user without id, as in reality. */
export function showMe(world: World, { caller }: Call): Answer {
  const user = caller ? world.users.raw(caller.user).raw : anonymous
  // A real session secret in reality: a client that logs it shows in a test by this text.
  const body = `{"user":${user.slice(0, -1)},"authenticity_token":"never-log-this-authenticity-token"}}`
  return { ...json(200, null), body }
}

const anonymous =
  '{"id":null,"url":null,"name":"Anonymous user","email":"invalid@example.com","role":"end-user","role_type":null' +
  ',"active":false,"verified":false,"suspended":false,"created_at":null,"updated_at":null}'

/** The caller's token, so that a missing scope can be told from a missing role. */
export function showToken(world: World, { caller }: Call): Answer {
  if (!caller) throw new Error('only for callers with a token')
  return { ...json(200, null), body: `{"token":${tokenText(world, caller.token)}}` }
}

/** Tokens of all users with `all=true`, else of the caller; each cut to ten characters. */
export function listOAuthTokens(world: World, { url, caller }: Call): Answer {
  const all = url.searchParams.get('all') === 'true'
  const mine = () => world.oauth.tokens().filter((token) => all || token.userId === caller?.user.id)
  function* tokens(after: bigint): Generator<RawRecord> {
    for (const token of mine()) if (token.id > after) yield { id: `${token.id}`, raw: tokenText(world, token) }
  }
  return listById('tokens', url, tokens, () => mine().length)
}

/** OAuth clients, numbered in the order they were made; `identifier` is what tokens are asked for with. */
export function listOAuthClients(world: World, { url }: Call): Answer {
  function* clients(after: bigint): Generator<RawRecord> {
    for (const { clientId, actingUserId } of world.oauth.clients()) {
      const id = clientNumber(world, clientId)
      const fields = { id, name: clientId, identifier: clientId, kind: 'confidential', global: false }
      if (id > after) yield { id: `${id}`, raw: jsonText({ ...fields, user_id: actingUserId, redirect_uri: [] }) }
    }
  }
  return listById('clients', url, clients, () => world.oauth.clients().length)
}

function clientNumber(world: World, clientId: string): number {
  return 4_100_001 + world.oauth.clients().findIndex((client) => client.clientId === clientId)
}

function tokenText(world: World, token: Token): string {
  const time = (milliseconds: number | null) => (milliseconds === null ? null : new Date(milliseconds).toISOString())
  return jsonText({
    id: token.id,
    user_id: token.userId,
    client_id: clientNumber(world, token.clientId),
    token: token.value.slice(0, 10),
    scopes: token.scopes,
    created_at: time(token.createdAt),
    expires_at: time(token.expiresAt),
    refresh_token: null,
    refresh_token_expires_at: null,
    used_at: time(token.createdAt),
  })
}

/** Whether this user may do anything at all. */
export function mayAct(user: User): boolean {
  return user.fields.active && !user.fields.suspended
}
