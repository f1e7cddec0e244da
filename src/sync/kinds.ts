/** What kinds of stream there are: a log, whose position is a time, and a feed of upserts, whose position is a cursor. */
import type { ChainState } from '../connector/run.ts'
import { isoTime } from './clock.ts'
import { type Recent, recentByCount, recentBySpan } from './recent.ts'
import { type SourceRecord, versionOf } from './record.ts'
import type { SegmentHeader } from './segment.ts'

/** What one reading of a stream covers, in ms since 1970. */
export type Bounds = {
  /** Oldest and newest record wanted, both inclusive. */
  readonly from: number
  readonly to: number
  /** Whatever is older and new to us has surfaced late. */
  readonly lateBefore: number
}

/** What a page tells of how far the reading has come. */
export type PageEnd = {
  readonly cursor: string | undefined
  /** Time, in ms, of the newest record of it that was wanted. */
  readonly newest: number | undefined
}

export type Kind = {
  bounds(position: string | undefined, lowerBound: string, zendeskNow: Date): Bounds
  /** Tells a record, or a version of it, apart within its stream. */
  key(record: SourceRecord): string
  /** Position after a page. */
  position(before: string | undefined, page: PageEnd): string | undefined
  /** How far back in time a page may reach behind what was read before it, in ms, before it is an error. */
  readonly disorderMs: number
  recent(): Recent
  /** Whether the keys of this segment must be known, `records` of later ones being so already. */
  mustRemember(header: SegmentHeader, bounds: Bounds, records: number): boolean
  /** Segments read back at most. */
  readonly readBackMost: number
  /** How far the chain has come, for people. */
  progress(chain: ChainState | undefined): string
}

function recordsOf(chain: ChainState | undefined): string {
  return `${(chain?.records ?? 0).toLocaleString('en-US')} records`
}

/** Records have been seen to surface minutes late (T): each run reads again what is at most this much older. */
const OVERLAP_MS = 15 * 60_000
/** And nothing that is so new that others of its second may still be missing (I). */
const BEHIND_MS = 60_000

/**
 * Append-only, in order of time. The position is the time of the newest record, and never ahead of what Zendesk could
 * have shown: `to` lies behind the clock at the run's beginning, so a record missed by this run, which surfaces within
 * the overlap, is read by a later one.
 */
export const log: Kind = {
  bounds: (position, lowerBound, zendeskNow) => {
    const lower = Date.parse(lowerBound)
    const begun = position === undefined ? lower : Date.parse(position)
    return { from: Math.max(lower, begun - OVERLAP_MS), to: zendeskNow.getTime() - BEHIND_MS, lateBefore: begun }
  },
  key: ({ id, raw }) => id ?? `unreadable-${versionOf(raw)}`,
  position: (before, { newest }) => {
    if (newest === undefined || (before !== undefined && Date.parse(before) >= newest)) return before
    return isoTime(newest)
  },
  disorderMs: OVERLAP_MS,
  recent: () => recentBySpan(OVERLAP_MS),
  mustRemember: (header, bounds) => Date.parse(header.end) >= bounds.from,
  readBackMost: Number.POSITIVE_INFINITY,
  progress: (chain) => (chain?.position === undefined ? '' : `up to ${chain.position}, `) + recordsOf(chain),
}

/** Zendesk repeats users around a page's end (D): keys of ten pages are kept. */
const UPSERTS_REMEMBERED = 10_000

/** Each version of a record as it is served; the position is the cursor behind the page. */
export const upserts: Kind = {
  bounds: () => ({
    from: Number.NEGATIVE_INFINITY,
    to: Number.POSITIVE_INFINITY,
    lateBefore: Number.NEGATIVE_INFINITY,
  }),
  key: ({ id, raw }) => `${id ?? 'unreadable'}/${versionOf(raw)}`,
  position: (before, { cursor }) => cursor ?? before,
  disorderMs: Number.POSITIVE_INFINITY,
  recent: () => recentByCount(UPSERTS_REMEMBERED),
  mustRemember: (_header, _bounds, records) => records < UPSERTS_REMEMBERED,
  readBackMost: 20,
  progress: recordsOf,
}
