/**
 * One stream of one run: fetch ahead, publish segment, move checkpoint. Only a published segment moves the position, so
 * whatever dies between two lines of this file, the next reading goes on where the chain ends.
 */
import type { ChainState } from '../connector/run.ts'
import type { ZendeskClient } from '../zendesk/client.ts'
import { readAhead } from './ahead.ts'
import { findChain, recall } from './chain.ts'
import type { Hold } from './checkpoint.ts'
import type { Clock } from './clock.ts'
import { type Hand, openHand, type SegmentLimits } from './hand.ts'
import { readPages } from './reading.ts'
import type { Sink } from './sinks/sink.ts'
import type { Stream } from './streams.ts'

/** What all streams of a run share. */
export type Run = {
  readonly account: string
  readonly displayName: string
  readonly run: string
  readonly pod: string
  readonly client: Pick<ZendeskClient, 'get'>
  readonly sink: Sink
  readonly hold: Pick<Hold, 'confirm' | 'move'>
  readonly clock: Clock
  readonly segmentLimits: SegmentLimits
  /** Zendesk's clock when the run began. */
  readonly zendeskNow: Date
  /** Where streams without a chain begin. */
  readonly lowerBound: string
  /** Ends the reading: what was read by then is published. */
  readonly stop: AbortSignal
}

/** What a stream has done in this run so far, beginning with the chain as the checkpoint knows it; kept up to date. */
export type Tally = { chain: ChainState | undefined; records: number; late: number; unmapped: number }

/** Characters of pages fetched ahead of publishing, for each stream. */
const AHEAD = 4 * 1024 * 1024

/**
 * Reads a stream from its chain's end to its own: 'end', or 'stopped' when the signal came first.
 * @throws ZendeskError, SinkError, Fenced: what was read before Zendesk failed is published first.
 */
export async function syncStream(stream: Stream, run: Run, tally: Tally): Promise<'end' | 'stopped'> {
  for (;;) {
    tally.chain = await findChain(stream.name, tally.chain, run.lowerBound, run)
    run.hold.move(stream.name, tally.chain)
    const outcome = await extendChain(stream, tally.chain, run, tally)
    if (outcome !== 'overtaken') return outcome
    // Somebody published the number that was to be ours: go on behind it, if we are still the holder.
    await run.hold.confirm()
  }
}

async function extendChain(stream: Stream, begin: ChainState, run: Run, tally: Tally) {
  const bounds = stream.kind.bounds(begin.position, begin.lowerBound, run.zendeskNow)
  const options = {
    stream,
    bounds,
    recent: await recall(stream, begin, bounds, run),
    origin: { account: run.account, stream: stream.name, displayName: run.displayName },
    publisher: { run: run.run, pod: run.pod },
    clock: run.clock,
    limits: run.segmentLimits,
    keepKeys: run.sink.readBack === undefined,
  }
  const given = new AbortController()
  const signal = AbortSignal.any([run.stop, given.signal])
  const pages = readAhead(
    readPages(stream, begin.position, bounds, run.client, signal),
    (item) => ('why' in item ? 0 : item.size),
    AHEAD,
  )
  let chain = begin
  let hand = openHand(chain, options)
  const move = (to: ChainState) => {
    chain = to
    tally.chain = to
    run.hold.move(stream.name, to)
  }

  try {
    for (;;) {
      const item = (await pages.take(hand.due)) ?? { why: 'stopped' as const }
      const ending = item !== 'later' && 'why' in item ? item : undefined
      if (item !== 'later' && 'records' in item) await hand.add(item)
      const complete = chain.complete || ending?.why === 'end'

      if (hand.counts.records > 0 && (ending !== undefined || item === 'later' || hand.isDue())) {
        const next = await publish(hand, complete, run)
        if (next === 'overtaken') return next
        count(tally, hand)
        move(next)
        hand = openHand(chain, options)
      }

      if (ending?.why === 'failed') throw ending.error
      if (ending === undefined) continue
      if (complete && !chain.complete) move({ ...chain, complete })
      return ending.why
    }
  } finally {
    given.abort()
    hand.abandon()
    await pages.drain()
  }
}

/** The chain with the hand's segment at its end, or 'overtaken' when another's stands there. @throws SinkError */
async function publish(hand: Hand, complete: boolean, run: Run): Promise<ChainState | 'overtaken'> {
  const { segment, chain } = await hand.close(complete)
  const outcome = await run.sink.publish(segment)
  if (outcome === 'published') return chain
  const { run: byRun, pod, end } = outcome.taken
  const isOurs = byRun === run.run && pod === run.pod && end === segment.header.end
  return isOurs ? chain : 'overtaken'
}

function count(tally: Tally, { counts }: Hand): void {
  tally.records += counts.records
  tally.late += counts.late
  tally.unmapped += counts.unmapped
}
