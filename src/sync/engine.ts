/**
 * One stream of one run: fetch ahead, publish segment, move checkpoint. Only a published segment moves the position, so
 * whatever dies between two lines of this file, the next reading goes on where the chain ends.
 */
import type { ChainState } from '../connector/run.ts'
import { readAhead } from './ahead.ts'
import { findChain, recall } from './chain.ts'
import type { Hold } from './checkpoint.ts'
import type { Clock } from './clock.ts'
import { type Hand, openHand, type SegmentLimits } from './hand.ts'
import type { Occasion, Reading } from './kinds.ts'
import { gatherLines } from './lines.ts'
import type { Source } from './reading.ts'
import type { Redactor } from './redact.ts'
import type { Sink } from './sinks/sink.ts'
import { readSlices, sizeOf } from './slices.ts'
import { missingSince } from './snapshots.ts'
import type { Stream } from './streams.ts'
import type { Tally } from './tally.ts'

/** What all streams of a run share. */
export type Run = Occasion & {
  readonly account: string
  readonly displayName: string
  readonly run: string
  readonly pod: string
  readonly source: Source
  readonly sink: Sink
  readonly redact: Redactor
  readonly hold: Pick<Hold, 'confirm' | 'move'>
  readonly clock: Clock
  readonly segmentLimits: SegmentLimits
  /** Where streams without a chain begin. */
  readonly lowerBound: string
  /** Ends the reading: what was read by then is published. */
  readonly stop: AbortSignal
}

/** Bytes of pages fetched ahead of publishing, for each stream: one page of users, or some of the others. */
const AHEAD = 512 * 1024

/**
 * Reads a stream from its chain's end to its own: 'end', or 'stopped' when the signal came first.
 * @throws ZendeskError, SinkError, Fenced: what was read before Zendesk failed is published first.
 */
export async function syncStream(stream: Stream, run: Run, tally: Tally): Promise<'end' | 'stopped'> {
  for (;;) {
    tally.chain = await findChain(stream.name, tally.chain, run.lowerBound, run)
    run.hold.move(stream.name, tally.chain)
    tally.reading = stream.kind.reading(tally.chain, run)
    if (tally.reading === undefined) return 'end'
    const outcome = await extendChain(stream, tally.chain, tally.reading, run, tally)
    if (outcome !== 'overtaken') return outcome
    // Somebody published the number that was to be ours: go on behind it, if we are still the holder.
    await run.hold.confirm()
  }
}

async function extendChain(stream: Stream, begin: ChainState, reading: Reading, run: Run, tally: Tally) {
  const recent = await recall(stream, begin, reading, run, run.stop)
  const options = {
    stream,
    reading,
    recent,
    redact: run.redact,
    lines: gatherLines(),
    origin: { account: run.account, stream: stream.name, displayName: run.displayName },
    publisher: { run: run.run, pod: run.pod },
    clock: run.clock,
    limits: run.segmentLimits,
    keepKeys: run.sink.readBack === undefined,
  }
  const given = new AbortController()
  const signal = AbortSignal.any([run.stop, given.signal])
  const pages = readAhead(readSlices(stream, reading, tally.counted(run.source), signal), sizeOf, AHEAD)
  const readTo = stream.kind.readTo?.(reading)
  let chain = begin
  let hand = openHand(chain, reading.position, options)
  const move = (to: ChainState) => {
    chain = to
    tally.chain = to
    run.hold.move(stream.name, to)
  }

  try {
    for (;;) {
      const item = (await pages.take(hand.due)) ?? { why: 'stopped' as const }
      const refused = item !== 'later' && 'records' in item ? await hand.add(item) : undefined
      if (item !== 'later' && 'records' in item) item.records.release()
      const ending = refused ?? (item !== 'later' && 'why' in item ? item : undefined)
      if (ending?.why === 'end') await hand.end(until(run.stop, missingSince(stream, reading, recent, run)))
      const complete = chain.complete || ending?.why === 'end'

      if (hand.isWorthIt() && (ending !== undefined || item === 'later' || hand.isDue())) {
        const next = await publish(hand, complete, run, tally)
        if (next === 'overtaken') return next
        move(next)
        hand = openHand(chain, chain.position, options)
      }

      if (ending?.why === 'failed') throw ending.error
      if (ending === undefined) continue
      if (ending.why === 'end') move({ ...chain, complete, ...(readTo && { readTo }) })
      return ending.why
    }
  } finally {
    given.abort()
    hand.abandon()
    await pages.drain()
  }
}

/** The chain with the hand's segment at its end, or 'overtaken' when another's stands there. @throws SinkError */
async function publish(hand: Hand, complete: boolean, run: Run, tally: Tally): Promise<ChainState | 'overtaken'> {
  const { segment, chain } = await hand.close(complete)
  const outcome = await run.sink.publish(segment)
  if (outcome !== 'published' && 'taken' in outcome) {
    const { run: byRun, pod, end } = outcome.taken
    const isOurs = byRun === run.run && pod === run.pod && end === segment.header.end
    if (!isOurs) return 'overtaken'
  }
  tally.published(hand.counts, outcome !== 'published' && 'rejected' in outcome ? outcome.rejected : [])
  return chain
}

/** The items, until the signal ends them by its reason. */
async function* until<T>(stop: AbortSignal, items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    stop.throwIfAborted()
    yield item
  }
}
