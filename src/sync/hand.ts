/** The segment in hand: what was read and not yet published. Until it is published, none of it has happened. */
import type { ChainState } from '../connector/run.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { RECENT_IN_CHECKPOINT } from './chain.ts'
import { type Clock, isoTime } from './clock.ts'
import type { Reading } from './kinds.ts'
import type { Lines } from './lines.ts'
import { baseKind, eventLine, type Origin, removedKind } from './ocsf/event.ts'
import type { Ending, Page } from './reading.ts'
import type { Recent } from './recent.ts'
import { readRecord, unreadable } from './record.ts'
import type { Redactor } from './redact.ts'
import { type Segment, writeSegment } from './segment.ts'
import type { Missing } from './snapshots.ts'
import type { Stream } from './streams.ts'

export type Hand = {
  /** Takes what is new and wanted of a page; or nothing of it, and says why, when it is far out of order. */
  add(page: Page): Promise<Ending | undefined>
  /** Takes the end of the reading, and what it did not find again. */
  end(missing: AsyncIterable<Missing>): Promise<void>
  /** So far; `late` older than what was published before, `unmapped` of no known kind. */
  readonly counts: { readonly records: number; readonly late: number; readonly unmapped: number }
  /** Whether there is anything in it that must be published. */
  isWorthIt(): boolean
  /** Large or old enough to be published. */
  isDue(): boolean
  /** Resolves when it is old enough; never while it is empty. */
  readonly due: Promise<void>
  /** The segment, and where the chain stands once it is published. It must be worth it. */
  close(complete: boolean): Promise<{ readonly segment: Segment; readonly chain: ChainState }>
  abandon(): void
}

export type HandOptions = {
  readonly stream: Stream
  readonly reading: Reading
  /** Keys of what is published or in hand; grows with what is added. */
  readonly recent: Recent
  readonly redact: Redactor
  /** Gathers what is to be written: of the stream, for all its hands one after another. */
  readonly lines: Lines
  readonly origin: Origin
  readonly publisher: { readonly run: string; readonly pod: string }
  readonly clock: Clock
  readonly limits: SegmentLimits
  /** Whether the keys must be kept in the checkpoint, the sink being unable to tell them. */
  readonly keepKeys: boolean
}

/** A segment is closed at this much source text or this many records, or this long after its first record came. */
export type SegmentLimits = { readonly characters: number; readonly records: number; readonly milliseconds: number }

/** Some pages of users, and no more than a minute, so that a slow account makes progress, too. */
export const SEGMENT_LIMITS: SegmentLimits = { characters: 8 * 1024 * 1024, records: 10_000, milliseconds: 60_000 }

/** Bytes that are written at once of what is not found again. */
const PIECE = 1024 * 1024

/** An empty hand at the chain's end; `begin` is the position that the reading has come to. */
export function openHand(chain: ChainState, begin: string | undefined, options: HandOptions): Hand {
  const { stream, reading, recent, redact, lines, origin, publisher, clock, limits, keepKeys } = options
  const { bounds } = reading
  const { kind } = stream
  const writer = writeSegment()
  const counts = { records: 0, late: 0, unmapped: 0 }
  let characters = 0
  let since = Number.POSITIVE_INFINITY
  let position = begin
  let isEnd = false
  let newest = chain.newestRecordTime === undefined ? Number.NEGATIVE_INFINITY : Date.parse(chain.newestRecordTime)
  const ripe = Promise.withResolvers<void>()
  const closed = new AbortController()

  // A record without a time that can be read takes its neighbour's: it must stand somewhere.
  const earliest = Math.max(Date.parse(chain.lowerBound), bounds.from)

  const start = () => {
    since = clock.monotonic()
    void clock.wait(limits.milliseconds, closed.signal).then(ripe.resolve)
  }

  return {
    counts,
    add: async (page) => {
      lines.drop()
      const fresh = new Map<string, number>()
      let newestOfPage: number | undefined
      let late = 0
      let unmapped = 0
      let length = 0
      let time = Math.max(earliest, newest)
      for (const text of page.records) {
        const raw = redact(text)
        const record = raw === undefined ? unreadable(text) : readRecord(raw, stream.timeField)
        time = record.time ?? time
        if (time < bounds.from || time > bounds.to) continue
        if (time < Math.max(newest, newestOfPage ?? time) - kind.disorderMs) return failed(outOfOrder(stream))
        newestOfPage = Math.max(newestOfPage ?? time, time)
        const key = kind.key(record, reading)
        if (recent.has(key) || fresh.has(key)) continue
        fresh.set(key, time)
        if (time < reading.lateBefore) late += 1
        const mapped = stream.map(record, origin)
        if (mapped === undefined) unmapped += 1
        lines.add(eventLine(mapped ?? baseKind, record, key, time, origin))
        length += text.length
      }
      const after = kind.position(position, { cursor: page.cursor, newest: newestOfPage, upTo: page.upTo })
      if (fresh.size > 0 && after === undefined) return failed(withoutPosition(stream))
      // From here on the page is in hand.
      position = after
      newest = Math.max(newest, newestOfPage ?? newest)
      counts.records += fresh.size
      counts.late += late
      counts.unmapped += unmapped
      characters += length
      for (const [key, at] of fresh) recent.add(key, at)
      recent.forget(kind.settledBefore(position))
      if (fresh.size === 0) return undefined
      if (since === Number.POSITIVE_INFINITY) start()
      await writer.add(lines.take())
      return undefined
    },
    end: async (missing) => {
      if (kind.ended === undefined) return
      lines.drop()
      for await (const { raw: text, key, time } of missing) {
        const raw = redact(text)
        const record = raw === undefined ? unreadable(text) : readRecord(raw, stream.timeField)
        const removed = removedKind(stream.map(record, origin))
        lines.add(eventLine(removed, { ...record, originalTime: undefined }, key, time, origin))
        if (lines.size > PIECE) await writer.add(lines.take())
        counts.records += 1
      }
      await writer.add(lines.take())
      position = kind.ended(position)
      isEnd = true
    },
    isWorthIt: () => counts.records > 0 || isEnd,
    isDue: () =>
      characters >= limits.characters ||
      counts.records >= limits.records ||
      clock.monotonic() - since >= limits.milliseconds,
    due: ripe.promise,
    close: async (complete) => {
      closed.abort()
      const end = position ?? chain.lowerBound
      const newestRecordTime = Number.isFinite(newest) ? isoTime(newest) : undefined
      const total = chain.records + counts.records
      const segment = await writer.close({
        v: 1,
        account: origin.account,
        stream: stream.name,
        number: chain.next,
        ...publisher,
        ...(chain.position !== undefined && { start: chain.position }),
        end,
        lowerBound: chain.lowerBound,
        records: counts.records,
        total,
        ...(newestRecordTime !== undefined && { newest: newestRecordTime }),
        complete,
      })
      const after: ChainState = {
        next: chain.next + 1,
        position: end,
        lowerBound: chain.lowerBound,
        records: total,
        ...(newestRecordTime !== undefined && { newestRecordTime }),
        ...(chain.readTo !== undefined && { readTo: chain.readTo }),
        complete,
        ...(keepKeys && { recent: recent.last(RECENT_IN_CHECKPOINT) }),
      }
      return { segment, chain: after }
    },
    abandon: () => {
      closed.abort()
      writer.abandon()
    },
  }
}

function failed(error: ZendeskError): Ending {
  return { why: 'failed', error }
}

function outOfOrder({ records }: Stream): ZendeskError {
  return new ZendeskError(
    'ZendeskUnavailable',
    `Zendesk served ${records} out of order, so some could be missed: contact Zendesk support if it happens again.`,
  )
}

function withoutPosition({ records }: Stream): ZendeskError {
  return new ZendeskError('ZendeskUnavailable', `Zendesk sent a page of ${records} without a cursor to continue from.`)
}
