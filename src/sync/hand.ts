/** The segment in hand: what was read and not yet published. Until it is published, none of it has happened. */
import type { ChainState } from '../connector/run.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { RECENT_IN_CHECKPOINT } from './chain.ts'
import { type Clock, isoTime } from './clock.ts'
import type { Reading } from './kinds.ts'
import { baseKind, eventLine, type Kind, type Origin, removedKind } from './ocsf/event.ts'
import type { Page } from './reading.ts'
import type { Recent } from './recent.ts'
import { readRecord, type SourceRecord, unreadable } from './record.ts'
import type { Redactor } from './redact.ts'
import { type Segment, writeSegment } from './segment.ts'
import type { Missing } from './snapshots.ts'
import type { Stream } from './streams.ts'

export type Hand = {
  /** Takes what is new and wanted of a page. @throws ZendeskError when the page is far out of order. */
  add(page: Page): Promise<void>
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

/** An empty hand at the chain's end; `begin` is the position that the reading has come to. */
export function openHand(chain: ChainState, begin: string | undefined, options: HandOptions): Hand {
  const { stream, reading, recent, redact, origin, publisher, clock, limits, keepKeys } = options
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

  const lineOf = (record: SourceRecord, mapped: Kind | undefined, key: string, time: number): string => {
    if (mapped === undefined) counts.unmapped += 1
    return eventLine(mapped ?? baseKind, record, key, time, origin)
  }
  // A record without a time that can be read takes its neighbour's: it must stand somewhere.
  const earliest = Math.max(Date.parse(chain.lowerBound), bounds.from)

  const start = () => {
    since = clock.monotonic()
    void clock.wait(limits.milliseconds, closed.signal).then(ripe.resolve)
  }

  return {
    counts,
    add: async (page) => {
      const lines: string[] = []
      let newestOfPage: number | undefined
      let time = earliest
      for (const text of page.records) {
        const raw = redact(text)
        const record = raw === undefined ? unreadable(text) : readRecord(raw, stream.timeField)
        time = record.time ?? time
        if (time < bounds.from || time > bounds.to) continue
        if (time < newest - kind.disorderMs) throw outOfOrder(stream)
        newest = Math.max(newest, time)
        newestOfPage = Math.max(newestOfPage ?? time, time)
        const key = kind.key(record, reading)
        if (recent.has(key)) continue
        recent.add(key, time)
        if (time < reading.lateBefore) counts.late += 1
        lines.push(lineOf(record, stream.map(record, origin), key, time), '\n')
        characters += text.length
        counts.records += 1
      }
      position = kind.position(position, { cursor: page.cursor, newest: newestOfPage, upTo: page.upTo })
      recent.forget(kind.settledBefore(position))
      if (lines.length === 0) return
      if (position === undefined) throw withoutPosition(stream)
      if (since === Number.POSITIVE_INFINITY) start()
      await writer.add(lines.join(''))
    },
    end: async (missing) => {
      if (kind.ended === undefined) return
      for await (const { raw: text, key, time } of missing) {
        const raw = redact(text)
        const record = raw === undefined ? unreadable(text) : readRecord(raw, stream.timeField)
        const removed = removedKind(stream.map(record, origin))
        await writer.add(`${lineOf({ ...record, originalTime: undefined }, removed, key, time)}\n`)
        counts.records += 1
      }
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

function outOfOrder({ records }: Stream): ZendeskError {
  return new ZendeskError(
    'ZendeskUnavailable',
    `Zendesk served ${records} out of order, so that a part could be missed: if it happens again, ask Zendesk's support.`,
  )
}

function withoutPosition({ records }: Stream): ZendeskError {
  return new ZendeskError('ZendeskUnavailable', `Zendesk sent a page of ${records} without a cursor to go on from.`)
}
