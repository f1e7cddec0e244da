/** Reading a stream page by page, to its end or until told to stop. */
import type { ZendeskClient } from '../zendesk/client.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { type Records, splitPage } from '../zendesk/pages.ts'
import type { Bounds } from './kinds.ts'
import type { Stream } from './streams.ts'

export type Page = {
  readonly records: Records
  /** Bytes of the page. */
  readonly size: number
  readonly cursor: string | undefined
  /** Everything up to this time, in ms, has been read; only of the last page of a slice of time. */
  readonly upTo?: number
}

/** Why there are no more pages. */
export type Ending =
  | { readonly why: 'end' | 'stopped' }
  /** What was read before holds all the same. */
  | { readonly why: 'failed'; readonly error: unknown }

/** What reading needs of a client. */
export type Source = Pick<ZendeskClient, 'get' | 'sideBySide'>

/** The pages of one range of time, in order, and last of all why there are no more. */
export async function* readPages(
  stream: Stream,
  cursor: string | undefined,
  bounds: Bounds,
  source: Pick<Source, 'get'>,
  signal: AbortSignal,
): AsyncGenerator<Page | Ending> {
  const seen = new Set<string>()
  let after = cursor
  let size = stream.pageSize.most
  const options = {
    stream: stream.name,
    signal,
    ...(stream.limit && { limit: stream.limit }),
    onTooLarge: () => {
      size = Math.max(stream.pageSize.least, Math.floor(size / 2))
    },
  }
  try {
    for (;;) {
      const body = await source.get(() => stream.path(after, bounds, size), options)
      const { records, envelope } = splitPage(body, stream.records)
      const { cursor: next, more } = stream.follow(envelope)
      if (more && (next === undefined || next === after || seen.has(next))) throw leadsNowhere(stream)
      const isLast = !more || next === undefined
      yield { records, size: body.length, cursor: next, ...(isLast && { upTo: bounds.to }) }
      if (isLast) {
        yield { why: 'end' }
        return
      }
      seen.add(next)
      after = next
    }
  } catch (error) {
    yield signal.aborted ? { why: 'stopped' } : { why: 'failed', error }
  }
}

function leadsNowhere({ records }: Stream): ZendeskError {
  return new ZendeskError(
    'ZendeskUnavailable',
    `Zendesk sent a page of ${records} that links back to an earlier one: contact Zendesk support if it happens again.`,
  )
}
