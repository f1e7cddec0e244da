/** Reading a stream page by page, to its end or until told to stop. */
import type { ZendeskClient } from '../zendesk/client.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { splitPage } from '../zendesk/pages.ts'
import type { Bounds } from './kinds.ts'
import type { Stream } from './streams.ts'

export type Page = {
  readonly records: readonly string[]
  /** Length of the page's text. */
  readonly size: number
  readonly cursor: string | undefined
}

/** Why there are no more pages. */
export type Ending =
  | { readonly why: 'end' | 'stopped' }
  /** What was read before holds all the same. */
  | { readonly why: 'failed'; readonly error: unknown }

/** The pages behind a position, in order, and last of all why there are no more. */
export async function* readPages(
  stream: Stream,
  position: string | undefined,
  bounds: Bounds,
  client: Pick<ZendeskClient, 'get'>,
  signal: AbortSignal,
): AsyncGenerator<Page | Ending> {
  const seen = new Set<string>()
  let path = stream.firstPage(position, bounds)
  const options = { stream: stream.name, signal, ...(stream.limit && { limit: stream.limit }) }
  try {
    for (;;) {
      const body = await client.get(path, options)
      const { records, envelope } = splitPage(body, stream.records)
      const { cursor, more } = stream.follow(envelope)
      if (more && (cursor === undefined || seen.has(cursor))) throw leadsNowhere(stream)
      yield { records, size: body.length, cursor }
      if (!more || cursor === undefined) {
        yield { why: 'end' }
        return
      }
      seen.add(cursor)
      path = stream.pageAfter(cursor, bounds)
    }
  } catch (error) {
    yield signal.aborted ? { why: 'stopped' } : { why: 'failed', error }
  }
}

function leadsNowhere({ records }: Stream): ZendeskError {
  return new ZendeskError(
    'ZendeskUnavailable',
    `Zendesk sent a page of ${records} that leads back to an earlier one: if it happens again, ask Zendesk's support.`,
  )
}
