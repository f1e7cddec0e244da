/** Where a stream's chain ends: the sink knows best, the checkpoint where the sink cannot be asked. */
import { z } from 'zod'
import type { ChainState } from '../connector/run.ts'
import type { Reading } from './kinds.ts'
import { eventUid } from './ocsf/event.ts'
import type { Recent } from './recent.ts'
import type { SegmentHeader } from './segment.ts'
import { type ReadBack, type Sink, SinkError } from './sinks/sink.ts'
import type { Stream } from './streams.ts'

export type Place = { readonly account: string; readonly sink: Sink }

/** The chain before its first segment. */
export function newChain(lowerBound: string): ChainState {
  return { next: 0, lowerBound, records: 0, complete: false }
}

/**
 * The chain's end. `known` is what the checkpoint says of this sink; segments beyond it were published by someone who
 * did not live to say so, and are adopted. Without it the sink is searched.
 * @throws SinkError also when the chain is another account's.
 */
export async function findChain(
  stream: string,
  known: ChainState | undefined,
  lowerBound: string,
  { account, sink: { readBack } }: Place,
): Promise<ChainState> {
  let chain = known ?? newChain(lowerBound)
  if (readBack === undefined) return chain
  if (known === undefined) {
    const last = await readBack.last(stream)
    if (last !== undefined) chain = { ...chain, next: last }
  }
  for (;;) {
    const header = await readBack.header(stream, chain.next)
    if (header === undefined) return chain
    chain = adopt(chain, header, account)
  }
}

function adopt(chain: ChainState, header: SegmentHeader, account: string): ChainState {
  if (header.account !== account) {
    throw new SinkError(
      `The sink contains the chain of another Zendesk account, ${header.account}: use a separate sink for this connector.`,
    )
  }
  return {
    next: header.number + 1,
    position: header.end,
    lowerBound: header.lowerBound,
    ...(chain.readTo !== undefined && { readTo: chain.readTo }),
    records: header.total,
    ...(header.newest !== undefined && { newestRecordTime: header.newest }),
    complete: chain.complete || header.complete,
  }
}

/** Keys kept in the checkpoint for a sink that cannot be read back: a ConfigMap holds 1 MiB for all streams. */
export const RECENT_IN_CHECKPOINT = 1000

/**
 * Keys of what the chain holds already and the coming reading may serve again.
 * @throws SinkError; the signal's reason.
 */
export async function recall(
  stream: Stream,
  chain: ChainState,
  reading: Reading,
  place: Place,
  stop: AbortSignal,
): Promise<Recent> {
  const recent = stream.kind.recent()
  const { readBack } = place.sink
  if (readBack === undefined) {
    const time = Date.parse(chain.newestRecordTime ?? chain.lowerBound)
    for (const key of chain.recent ?? []) recent.add(key, time)
    return recent
  }
  for (const number of await segmentsToRecall(stream, chain, reading, readBack, stop)) {
    stop.throwIfAborted()
    for await (const { key, time } of publishedEvents(stream, number, place, readBack)) recent.add(key, time)
  }
  return recent
}

/** A record as it was published. */
export type Published = { readonly key: string; readonly time: number; readonly raw: string }

/** What stands in one segment, oldest first. @throws SinkError */
export async function* publishedEvents(
  { name }: Stream,
  number: number,
  { account }: Pick<Place, 'account'>,
  readBack: ReadBack,
): AsyncGenerator<Published> {
  const prefix = eventUid({ account, stream: name }, '')
  for await (const line of readBack.lines(name, number)) {
    const { metadata, time, raw_data } = publishedEvent.parse(JSON.parse(line))
    yield { key: metadata.uid.slice(prefix.length), time, raw: raw_data }
  }
}

const publishedEvent = z.object({
  time: z.number(),
  metadata: z.object({ uid: z.string() }),
  raw_data: z.string(),
})

/** Numbers, oldest first. Stops at one that is gone: consumers may remove what is older than two days. */
async function segmentsToRecall(
  { name, kind }: Stream,
  chain: ChainState,
  reading: Reading,
  readBack: ReadBack,
  stop: AbortSignal,
) {
  const numbers: number[] = []
  let records = 0
  for (let number = chain.next - 1; number >= 0 && numbers.length < kind.readBackMost; number--) {
    stop.throwIfAborted()
    const header = await readBack.header(name, number)
    if (header === undefined || !kind.mustRemember(header, reading, records)) break
    numbers.unshift(number)
    records += header.records
  }
  return numbers
}
