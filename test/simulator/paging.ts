import { type Answer, badRequest } from './answers.ts'
import type { RawRecord } from './ledger.ts'
import type { Key } from './timeline.ts'

/** Zendesk's two ways through a list. `page[size]` asks for cursors, its absence for numbered pages. */
export type ListPage =
  | { readonly mode: 'cursor'; readonly size: number; readonly after: string | undefined }
  | { readonly mode: 'offset'; readonly page: number; readonly size: number }

/** Numbered pages end here, with 400 beyond. */
const offsetEnd = 10_000

/** Reads the page asked for, or answers 400. */
export function readListPage(query: URLSearchParams): ListPage | Answer {
  const size = query.get('page[size]')
  if (size !== null || query.has('page[after]')) {
    const wanted = size === null ? 100 : wholeNumber(size)
    if (wanted === undefined || wanted > 100) {
      return badRequest('InvalidPaginationParameter', 'page[size] must be between 1 and 100')
    }
    const after = query.get('page[after]')
    const cursor = after === null ? undefined : decodeCursor(after)
    if (after !== null && cursor === undefined)
      return badRequest('InvalidPaginationParameter', 'page[after] is not valid')
    return { mode: 'cursor', size: wanted, after: cursor }
  }
  const page = wholeNumber(query.get('page') ?? '1')
  const perPage = wholeNumber(query.get('per_page') ?? '100')
  if (page === undefined || perPage === undefined || perPage > 100) {
    return badRequest('InvalidPaginationParameter', 'page must be positive and per_page between 1 and 100')
  }
  if (page * perPage > offsetEnd) {
    return badRequest('InvalidPaginationDepth', `Offset paging ends at ${offsetEnd} records. Use cursor pagination.`)
  }
  return { mode: 'offset', page, size: perPage }
}

/** A positive whole number, or undefined. */
export function wholeNumber(text: string): number | undefined {
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
}

/** Opaque to clients, as Zendesk's cursors are. */
export function encodeCursor(text: string): string {
  return Buffer.from(`o:${text}`).toString('base64url')
}

/** The text again, or undefined for something that was never a cursor. */
export function decodeCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString()
  return text.startsWith('o:') ? text.slice(2) : undefined
}

/** A key as part of a cursor. */
export function keyToText(key: Key): string {
  return `${key.at}.${key.id}`
}

/** And back. */
export function keyFromText(text: string | undefined): Key | undefined {
  const match = /^(\d+)\.(-?\d+)$/.exec(text ?? '')
  return match?.[1] && match[2] ? { at: Number(match[1]), id: BigInt(match[2]) } : undefined
}

/** A page of records, its last cursor, and whether there are more. */
export type Records = {
  readonly records: readonly RawRecord[]
  readonly last: string | undefined
  readonly more: boolean
}

/** Takes one page from a walk. */
export function takePage<T>(
  walk: Iterable<T>,
  size: number,
  raw: (item: T) => RawRecord,
  cursor: (item: T) => string,
): Records {
  const records: RawRecord[] = []
  let last: string | undefined
  for (const item of walk) {
    if (records.length === size) return { records, last, more: true }
    records.push(raw(item))
    last = cursor(item)
  }
  return { records, last, more: false }
}

/** The answer of a list endpoint: the records under their name, then what leads to the next page. */
export function cursorAnswer(name: string, url: URL, page: Records, before: string | undefined): Answer {
  const cursor = page.last ?? before
  const after = cursor === undefined ? null : encodeCursor(cursor)
  const meta = { has_more: page.more, after_cursor: after, before_cursor: null }
  const links = { prev: null, next: page.more && after ? withParameters(url, { 'page[after]': after }) : null }
  return recordsAnswer(name, page.records, `"meta":${JSON.stringify(meta)},"links":${JSON.stringify(links)}`)
}

/** The same for numbered pages. */
export function offsetAnswer(name: string, url: URL, page: Records, number: number, count: number): Answer {
  const next = page.more ? withParameters(url, { page: `${number + 1}` }) : null
  const previous = number > 1 ? withParameters(url, { page: `${number - 1}` }) : null
  const rest = { next_page: next, previous_page: previous, count }
  return recordsAnswer(name, page.records, JSON.stringify(rest).slice(1, -1))
}

/** Records go into the body as the very text they are, never through a parser. */
export function recordsAnswer(name: string, records: readonly RawRecord[], rest: string): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: bytesOf(`{"${name}":[`, records, `],${rest}}`),
    served: { stream: name, count: records.length, records },
  }
}

/** Written record by record: one string of a thousand users, Cyrillic ones among them, takes twice its bytes. */
function bytesOf(head: string, records: readonly RawRecord[], tail: string): Buffer {
  const size = records.reduce((sum, record) => sum + Buffer.byteLength(record.raw) + 1, 0)
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(head) + size + Buffer.byteLength(tail))
  let end = bytes.write(head)
  for (const [index, { raw }] of records.entries()) {
    if (index > 0) end += bytes.write(',', end)
    end += bytes.write(raw, end)
  }
  end += bytes.write(tail, end)
  return bytes.subarray(0, end)
}

/** The same URL with other parameters. */
export function withParameters(url: URL, parameters: Readonly<Record<string, string>>): string {
  const changed = new URL(url)
  for (const [name, value] of Object.entries(parameters)) changed.searchParams.set(name, value)
  return changed.href
}
