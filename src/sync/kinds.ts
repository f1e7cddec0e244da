/**
 * What kinds of stream there are: a log, whose position is a time; a feed of upserts, whose position is a cursor; and a
 * snapshot, which is taken whole and then rests for a day. What differs between them stands here, and nowhere else.
 */
import { z } from 'zod'
import type { ChainState } from '../connector/run.ts'
import { isoTime } from './clock.ts'
import { type Recent, recentByCount, recentByTime, recentOfSnapshot } from './recent.ts'
import { type SourceRecord, versionOf } from './record.ts'
import type { SegmentHeader } from './segment.ts'

/** Times, in ms since 1970. */
export type Bounds = {
  /** Oldest and newest record wanted, both inclusive. */
  readonly from: number
  readonly to: number
}

/** What a run reads of a stream. */
export type Reading = {
  readonly bounds: Bounds
  /** Position before the first page: the chain's, or the beginning of something new. */
  readonly position: string | undefined
  /** Where Zendesk is asked to go on. */
  readonly cursor?: string | undefined
  /** Whatever is older, in ms, and new to us has surfaced late. */
  readonly lateBefore: number
  /** Number of the first segment of what is being read: its records are told apart from those before. */
  readonly firstSegment?: number
}

/** What a page tells of how far the reading has come. */
export type PageEnd = {
  readonly cursor: string | undefined
  /** Time, in ms, of the newest record of it that was wanted. */
  readonly newest: number | undefined
  /** Everything up to this time, in ms, has been read. */
  readonly upTo: number | undefined
}

export type Occasion = {
  /** Zendesk's clock when the run began. */
  readonly zendeskNow: Date
  /** Snapshots that began before are taken anew. */
  readonly snapshotsSince: Date | undefined
}

export type Kind = {
  /** What is to be read; undefined: nothing is due. */
  reading(chain: ChainState, occasion: Occasion): Reading | undefined
  /** How a range of time is read: in one go, in slices side by side when there is budget to spare, or always in slices. */
  readonly slices: 'never' | 'to spare' | 'always'
  /** Tells a record, or a version of it, apart within its stream. */
  key(record: SourceRecord, reading: Reading): string
  /** Position after a page. */
  position(before: string | undefined, page: PageEnd): string | undefined
  /** Of a log: what the chain remembers of a reading that came to its end, so that a quiet stretch is not read again. */
  readonly readTo?: (reading: Reading) => string
  /** The position that marks the end of a reading, which is published even if no record is left; absent: none does. */
  readonly ended?: (position: string | undefined) => string
  /** How far back in time a page may reach behind what was read before it, in ms, before it is an error. */
  readonly disorderMs: number
  recent(): Recent
  /** Nothing older, in ms, is served again once the position stands there. */
  settledBefore(position: string | undefined): number
  /** Whether the keys of this segment must be known, `records` of later ones being so already. */
  mustRemember(header: SegmentHeader, reading: Reading, records: number): boolean
  /** Segments read back at most. */
  readonly readBackMost: number
  /** How much of the reading is behind the position, from 0 to 1; undefined: it does not show. */
  fraction(position: string | undefined, reading: Reading): number | undefined
  /** How far the chain has come, for people. */
  progress(chain: ChainState | undefined): string
}

function recordsOf(chain: ChainState | undefined): string {
  // With toLocaleString the first such sentence, which is in the way of the first request, takes 13 ms and 8 MB.
  return `${String(chain?.records ?? 0).replace(/\B(?=(\d{3})+$)/g, ',')} records`
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
  reading: ({ position, lowerBound, readTo }, { zendeskNow }) => {
    const lower = Date.parse(lowerBound)
    const begun = Math.max(lower, ...[position, readTo].flatMap((time) => (time === undefined ? [] : Date.parse(time))))
    const bounds = { from: Math.max(lower, begun - OVERLAP_MS), to: zendeskNow.getTime() - BEHIND_MS }
    return { bounds, position: position ?? lowerBound, lateBefore: begun }
  },
  slices: 'to spare',
  key: ({ id, raw }) => id ?? `unreadable-${versionOf(raw)}`,
  position: (before, { newest }) => laterOf(before, newest),
  readTo: ({ bounds }) => isoTime(bounds.to),
  disorderMs: OVERLAP_MS,
  recent: recentByTime,
  settledBefore: (position) => (position === undefined ? Number.NEGATIVE_INFINITY : Date.parse(position) - OVERLAP_MS),
  mustRemember: ({ end, newest = end }, { bounds }) => Date.parse(newest) >= bounds.from,
  readBackMost: Number.POSITIVE_INFINITY,
  fraction: (position, { bounds: { from, to } }) =>
    position === undefined ? 0 : Math.max(0, (Date.parse(position) - from) / Math.max(1, to - from)),
  progress: (chain) => (chain?.position === undefined ? '' : `up to ${chain.position}, `) + recordsOf(chain),
}

/** A log that promises no order: only a slice of time that was read to its end moves the position. */
export const unorderedLog: Kind = {
  ...log,
  slices: 'always',
  position: (before, { upTo }) => laterOf(before, upTo),
  disorderMs: Number.POSITIVE_INFINITY,
}

function laterOf(before: string | undefined, time: number | undefined): string | undefined {
  return time === undefined || (before !== undefined && Date.parse(before) >= time) ? before : isoTime(time)
}

const anyTime: Bounds = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

/** Zendesk repeats users around a page's end (D): keys of ten pages are kept. */
const UPSERTS_REMEMBERED = 10_000

/** Each version of a record as it is served; the position is the cursor behind the page. */
export const upserts: Kind = {
  reading: ({ position }) => ({
    bounds: anyTime,
    position,
    cursor: position,
    lateBefore: Number.NEGATIVE_INFINITY,
  }),
  slices: 'never',
  key: versionKey,
  position: (before, { cursor }) => cursor ?? before,
  disorderMs: Number.POSITIVE_INFINITY,
  recent: () => recentByCount(UPSERTS_REMEMBERED),
  settledBefore: () => Number.NEGATIVE_INFINITY,
  mustRemember: (_header, _reading, records) => records < UPSERTS_REMEMBERED,
  readBackMost: 20,
  fraction: () => undefined,
  progress: recordsOf,
}

function versionKey({ id, raw }: SourceRecord): string {
  // Joined, it is one text; a template is its parts, three times as large for as long as it is remembered.
  return [id ?? 'unreadable', versionOf(raw)].join('/')
}

/** A snapshot rests this long after it began. */
const SNAPSHOT_MS = 24 * 3_600_000

/** Position in a snapshot. */
const snapshotPosition = z.object({
  /** Number of its first segment, which names it. */
  snapshot: z.int(),
  /** Zendesk's clock when it began. */
  begun: z.iso.datetime(),
  cursor: z.string().optional(),
  /** It is whole. */
  ended: z.literal(true).optional(),
})
type SnapshotPosition = z.output<typeof snapshotPosition>

/** Position of a snapshot; undefined for a text that is none. */
export function readSnapshotPosition(position: string | undefined): SnapshotPosition | undefined {
  if (position === undefined) return undefined
  try {
    return snapshotPosition.safeParse(JSON.parse(position)).data
  } catch {
    return undefined
  }
}

/** Everything as it stands, once a day; one that was begun is brought to its end, whoever has died on the way. */
export const snapshot: Kind = {
  reading: (chain, { zendeskNow, snapshotsSince }) => {
    const last = readSnapshotPosition(chain.position)
    const begun = last === undefined ? Number.NEGATIVE_INFINITY : Date.parse(last.begun)
    const isAsked = begun < Number(snapshotsSince ?? begun)
    const isDue = isAsked || zendeskNow.getTime() - begun >= SNAPSHOT_MS
    if (last?.ended === true && !isDue) return undefined
    const current =
      last === undefined || last.ended === true || isAsked
        ? { snapshot: chain.next, begun: isoTime(Math.floor(zendeskNow.getTime() / 1000) * 1000) }
        : last
    return {
      bounds: anyTime,
      position: JSON.stringify(current),
      cursor: current.cursor,
      lateBefore: Number.NEGATIVE_INFINITY,
      firstSegment: current.snapshot,
    }
  },
  slices: 'never',
  key: (record, { firstSegment }) => `${firstSegment}/${versionKey(record)}`,
  position: (before, { cursor }) => {
    const current = readSnapshotPosition(before)
    return current === undefined || cursor === undefined ? before : JSON.stringify({ ...current, cursor })
  },
  ended: (position) => {
    const { cursor: _, ...current } = readSnapshotPosition(position) ?? {}
    return JSON.stringify({ ...current, ended: true })
  },
  disorderMs: Number.POSITIVE_INFINITY,
  recent: recentOfSnapshot,
  settledBefore: () => Number.NEGATIVE_INFINITY,
  mustRemember: ({ number }, { firstSegment = 0 }) => number >= firstSegment,
  readBackMost: Number.POSITIVE_INFINITY,
  fraction: () => undefined,
  progress: recordsOf,
}
