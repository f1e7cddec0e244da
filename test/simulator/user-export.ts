import { badRequest } from './answers.ts'
import type { RawRecord } from './ledger.ts'
import type { PageAnswer } from './page-cache.ts'
import {
  decodeCursor,
  encodeCursor,
  keyFromText,
  keyToText,
  recordsAnswer,
  wholeNumber,
  withParameters,
} from './paging.ts'
import { beginningOf, compareKeys, type Found, type Key } from './timeline.ts'
import type { ChangedUser } from './users.ts'
import type { Call, World } from './world.ts'

/**
 * The incremental export of users by cursor: ordered by (updated_at, id), without the most recent minute, open-ended:
 * the cursor of the last page serves later what has changed since. It may repeat the end of one page on the next.
 */
export function exportUsers(world: World, { url }: Call): PageAnswer {
  const asked = wholeNumber(url.searchParams.get('per_page') ?? '1000')
  if (asked === undefined || asked > 1000) return badRequest('InvalidValue', 'per_page must be between 1 and 1000')
  const perPage = Math.min(asked, world.settings.users.exportPageSize)
  const start = readStart(url, world.clock.now())
  if (!start) return badRequest('InvalidValue', 'start_time must be at least one minute in the past, or cursor valid')

  const repeat = world.settings.users.repeatAtBoundaries
  const from = repeat < perPage ? start.from : start.position
  const settled = Math.floor(world.clock.now() / 1000) - 60
  const page: RawRecord[] = []
  const keys: Key[] = [start.position]
  let fresh = 0
  let more = false
  let onlyBase = true
  for (const found of world.users.timeline.ascending(from)) {
    if (found.key.at > settled) break
    if (page.length === perPage) {
      more = true
      break
    }
    if ('entry' in found) onlyBase = false
    page.push(read(world, found))
    if (compareKeys(found.key, start.position) <= 0) continue
    fresh++
    keys.push(found.key)
  }
  // Repetitions come in front of something new only: a cursor at its end answers with an empty page.
  const records = fresh > 0 ? page : []
  const position = keys.at(-1) ?? start.position
  const back = keys.at(-1 - Math.min(repeat, keys.length - 1)) ?? position
  const cursor = encodeCursor(`${keyToText(position)}/${keyToText(back)}`)
  const next = new URL(`${url.origin}${url.pathname}`)
  const after = withParameters(next, { cursor, per_page: `${perPage}` })
  const rest = { after_url: after, after_cursor: cursor, before_url: null, before_cursor: null, end_of_stream: !more }
  const answer = recordsAnswer('users', records, JSON.stringify(rest).slice(1, -1))
  return { ...answer, cacheable: more && onlyBase }
}

/** `position`: what was served. `from`: where to begin reading, further back when pages overlap. */
function readStart(url: URL, now: number): { position: Key; from: Key } | undefined {
  const cursor = url.searchParams.get('cursor')
  if (cursor !== null) {
    const [position, from] = (decodeCursor(cursor) ?? '').split('/').map(keyFromText)
    return position && from && { position, from }
  }
  const text = url.searchParams.get('start_time') ?? ''
  const second = Number(text)
  if (!/^\d{1,12}$/.test(text) || second > now / 1000 - 60) return undefined
  return { position: beginningOf(second), from: beginningOf(second) }
}

function read(world: World, found: Found<ChangedUser>): RawRecord {
  const user = world.users.find(found.key.id)
  if (!user) throw new Error(`no user ${found.key.id}`)
  return world.users.raw(user)
}
