import type { FoundActivity } from './activities.ts'
import type { ActivityFields } from './activity-records.ts'
import { type Answer, badRequest } from './answers.ts'
import { toSeconds } from './options.ts'
import type { PageAnswer } from './page-cache.ts'
import { cursorAnswer, keyFromText, keyToText, offsetAnswer, readListPage, takePage } from './paging.ts'
import { beginningOf, type Key } from './timeline.ts'
import type { Call, World } from './world.ts'

const filters: Readonly<Record<string, keyof ActivityFields>> = {
  'filter[action]': 'action',
  'filter[actor_id]': 'actorId',
  'filter[ip_address]': 'ipAddress',
  'filter[source_id]': 'sourceId',
  'filter[source_type]': 'sourceType',
}

type Question = { readonly ascending: boolean; readonly from: number; readonly to: number }

/** The audit log, newest first unless `sort=created_at`; records in the same second are in order of their ids. */
export function listAuditLogs(world: World, { url }: Call): PageAnswer {
  const question = readQuestion(url.searchParams)
  if ('status' in question) return question
  const page = readListPage(url.searchParams)
  if ('status' in page) return page
  let onlyBase = true

  function* walk(after: Key | undefined): Generator<FoundActivity> {
    const { from, to, ascending } = question as Question
    const start = after ?? beginningOf(ascending ? from : to + 1)
    const all = ascending ? world.activities.timeline.ascending(start) : world.activities.timeline.descending(start)
    for (const found of all) {
      if (ascending ? found.key.at > to : found.key.at < from) return
      // A cursor of another question may stand before this one's range.
      if (found.key.at < from || found.key.at > to) continue
      if ('entry' in found) onlyBase = false
      if (world.activities.visible(found) && matches(world.activities.fields(found))) yield found
    }
  }
  const wanted = [...url.searchParams].flatMap(([name, value]) => {
    const field = filters[name]
    return field ? [{ field, value }] : []
  })
  const matches = (fields: ActivityFields) => wanted.every(({ field, value }) => fields[field] === value)

  const raw = (found: FoundActivity) => ({ id: `${found.key.id}`, raw: world.activities.text(found) })
  const cursor = (found: FoundActivity) => keyToText(found.key)
  if (page.mode === 'cursor') {
    const after = keyFromText(page.after)
    if (page.after && !after) return badRequest('InvalidPaginationParameter', 'page[after] is not valid')
    const records = takePage(walk(after), page.size, raw, cursor)
    return { ...cursorAnswer('audit_logs', url, records, page.after), cacheable: records.more && onlyBase }
  }
  const skipped = walk(undefined).drop((page.page - 1) * page.size)
  const count = walk(undefined).reduce((total) => total + 1, 0)
  return offsetAnswer('audit_logs', url, takePage(skipped, page.size, raw, cursor), page.page, count)
}

function readQuestion(query: URLSearchParams): Question | Answer {
  const sort = query.get('sort') ?? '-created_at'
  if (sort !== 'created_at' && sort !== '-created_at') return badRequest('InvalidSort', 'sort is not valid')
  // The documentation gives the filter twice under its bare name; production clients write it as an array.
  const times = [...query.getAll('filter[created_at]'), ...query.getAll('filter[created_at][]')]
  const [from, to] = times
  if (from === undefined) return { ascending: sort === 'created_at', from: 0, to: 1e11 }
  if (to === undefined || times.length > 2 || times.some((time) => !Number.isFinite(Date.parse(time)))) {
    return badRequest('InvalidFilter', 'filter[created_at] takes a start and an end time')
  }
  return { ascending: sort === 'created_at', from: toSeconds(from, Math.ceil), to: toSeconds(to) }
}
