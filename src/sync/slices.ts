/**
 * A range of time, read in slices: some of them side by side when latency and not the budget is the limit, and all of
 * them in order of time, so that what comes out is as if it had been read in one go.
 */
import { type Ahead, readAhead } from './ahead.ts'
import type { Bounds, Kind, Reading } from './kinds.ts'
import { type Ending, type Page, readPages, type Source } from './reading.ts'
import type { Stream } from './streams.ts'

/** Records that a slice should hold: about the pages that are worth a request more at their end, which is never full. */
const WANTED_RECORDS = 2000
const SHORTEST_MS = 60_000
/** The first slice, of which nothing is known yet, is this part of a range that could be read in one go. */
const FIRST_PART = 64
/** Bytes of pages that all slices side by side may hold. */
const AHEAD = 1024 * 1024

/** The pages of a reading, in order, and last of all why there are no more. */
export function readSlices(
  stream: Stream,
  { bounds, cursor }: Reading,
  source: Source,
  signal: AbortSignal,
): AsyncGenerator<Page | Ending> {
  if (stream.kind.slices === 'never') return readPages(stream, cursor, bounds, source, signal)
  return inSlices(stream, bounds, source, signal)
}

async function* inSlices(
  stream: Stream,
  bounds: Bounds,
  source: Source,
  signal: AbortSignal,
): AsyncGenerator<Page | Ending> {
  const plan = planSlices(bounds, stream.kind.slices)
  const given = new AbortController()
  const stop = AbortSignal.any([signal, given.signal])
  const open: { slice: Bounds; pages: Ahead<Page | Ending> }[] = []
  const fill = () => {
    const sideBySide = source.sideBySide()
    while (open.length < sideBySide) {
      const slice = plan.next(sideBySide)
      if (slice === undefined) return
      const read = readPages(stream, undefined, slice, source, stop)
      open.push({ slice, pages: readAhead(read, sizeOf, AHEAD / sideBySide) })
    }
  }
  try {
    for (;;) {
      fill()
      const first = open[0]
      if (first === undefined) {
        yield { why: 'end' }
        return
      }
      let records = 0
      for (;;) {
        const item = await first.pages.take()
        if (item === 'later') continue
        if (item === undefined || ('why' in item && item.why === 'end')) break
        yield item
        if ('why' in item) return
        records += item.records.length
      }
      open.shift()
      plan.took(first.slice, records)
    }
  } finally {
    given.abort()
    await Promise.all(open.map(({ pages }) => pages.drain()))
  }
}

/** Bytes that an item holds. */
export function sizeOf(item: Page | Ending): number {
  return 'why' in item ? 0 : item.size
}

/** Cuts a range into slices that follow one another without a gap, second by second. */
export function planSlices({ from, to }: Bounds, slices: Kind['slices']) {
  const begin = Math.floor(from / 1000) * 1000
  let next = begin
  // Where only a whole slice moves the position, one that is too long for a run would be begun for ever.
  let lengthMs = slices === 'always' ? SHORTEST_MS : Math.max(SHORTEST_MS, (to - begin) / FIRST_PART)
  let isFirst = true
  return {
    /** The next slice; undefined: the range is at its end. */
    next(sideBySide: number): Bounds | undefined {
      if (next > to) return undefined
      // A slice costs the rest of a page at its end: with no budget to spare the range is read in one go.
      const wantsAll = slices === 'to spare' && sideBySide === 1 && !(isFirst && to - next > 3_600_000)
      isFirst = false
      const start = next
      const end = wantsAll ? to : Math.min(to, start + Math.ceil(lengthMs / 1000) * 1000 - 1)
      next = end + 1
      return { from: start, to: end }
    },
    /** What a slice turned out to hold decides how long the next one is. */
    took(slice: Bounds, records: number): void {
      const fitting = ((slice.to - slice.from + 1) * WANTED_RECORDS) / Math.max(1, records)
      lengthMs = Math.max(SHORTEST_MS, Math.min(fitting, lengthMs * 4))
    },
  }
}
