import { type Answer, badRequest, forbidden } from './answers.ts'
import { isoSeconds } from './clock.ts'
import type { RawRecord } from './ledger.ts'
import { type AccountSettings, toSeconds } from './options.ts'
import { decodeCursor, encodeCursor, recordsAnswer, takePage, wholeNumber, withParameters } from './paging.ts'
import { mix, pick } from './random.ts'
import { spread } from './timeline.ts'
import type { Call, World } from './world.ts'

/** An entry and its place, counted from the newest. */
type Entry = RawRecord & { readonly place: number; readonly at: number }

/** Who looked at what: computed, and the same for the life of the account. */
export type AccessLog = {
  /** Newest first, from this place on. */
  from(place: number): Generator<Entry>
}

const visits = [
  ['GET', '/api/v2/tickets.json?page=1', 'Tickets', 'List tickets'],
  ['GET', '/api/v2/users/360000000001.json', 'Users', 'Show user'],
  ['POST', '/graphql', 'Search', 'GraphQL query'],
] as const

/** Spread over the days before now, two entries to a second. */
export function createAccessLog(settings: AccountSettings, nowSeconds: number): AccessLog {
  const { count, days } = settings.accessLogs ?? { count: 0, days: 1 }
  const first = nowSeconds - Math.floor(days * 86_400)
  return {
    *from(place) {
      for (let next = place; next < count; next++) {
        const index = count - 1 - next
        const random = mix(settings.seed + 99, index)
        const at = spread(index, count, first, nowSeconds - 300, 2)
        const id = `01J${index.toString(36).toUpperCase().padStart(23, '0')}`
        yield { id, place: next, at, raw: entryText(id, at, random, settings.users.firstId) }
      }
    },
  }
}

function entryText(id: string, at: number, random: number, firstUser: bigint): string {
  const [method, url, category, summary] = pick(visits, random)
  const graphql = url === '/graphql' ? '{"operation_name":"search","query":"query search { id }"}' : 'null'
  return (
    `{"id":"${id}","timestamp":"${isoSeconds(at)}","user_id":"${firstUser + BigInt(random % 20)}"` +
    `,"ip_address":"198.51.100.${random % 256}","method":"${method}","url":"${url}","status":200` +
    `,"authorization_type":"bearer","client":"Mozilla/5.0","referer":null,"bytes_sent":${random % 9000}` +
    `,"category":"${category}","summary":"${summary}","graphql":${graphql}}`
  )
}

/** Its cursor travels as `filter[after]`. That it is newest first is not documented: clients should not rely on it. */
export function listAccessLogs(world: World, { url }: Call): Answer {
  if (!world.settings.accessLogs) return forbidden()
  const size = wholeNumber(url.searchParams.get('page[size]') ?? '1000')
  if (size === undefined || size > 2500) {
    return badRequest('InvalidPaginationParameter', 'page[size] must be between 1 and 2500')
  }
  const cursor = url.searchParams.get('filter[after]')
  const place = Number(cursor === null ? '0' : decodeCursor(cursor))
  const start = url.searchParams.get('filter[start]')
  const end = url.searchParams.get('filter[end]')
  const wrong = [start, end].some((time) => time !== null && !Number.isFinite(Date.parse(time)))
  if (wrong || !Number.isInteger(place))
    return badRequest('InvalidFilter', 'filter[start], [end] or [after] is not valid')
  const from = start === null ? 0 : toSeconds(start, Math.ceil)
  const to = end === null ? Number.POSITIVE_INFINITY : toSeconds(end)

  const wanted = world.accessLog.from(place).filter(({ at }) => at >= from && at <= to)
  const page = takePage(
    wanted,
    size,
    (entry) => entry,
    (entry) => `${entry.place + 1}`,
  )
  const after = page.last === undefined ? null : encodeCursor(page.last)
  const next = page.more && after ? withParameters(url, { 'filter[after]': after }) : null
  const rest = { meta: { has_more: page.more, after_cursor: after }, links: { next } }
  return recordsAnswer('access_logs', page.records, JSON.stringify(rest).slice(1, -1))
}
