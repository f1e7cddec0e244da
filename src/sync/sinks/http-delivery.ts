/** One segment on its way to a collector: batches that are refused are halved down to the record that is to blame. */
import { assemble, type Batch, type Item, uidOf } from './http-batches.ts'
import type { Format } from './http-formats.ts'
import { SinkError } from './sink.ts'

/** Brings a batch to the collector. `refused`: something in it, or its size, is not taken. @throws SinkError */
export type Send = (batch: Batch) => Promise<'taken' | 'refused'>

export type Delivery = {
  /** `metadata.uid` of records given up so far. */
  readonly rejected: readonly string[]
  /** Brings the items, in their order, but for what needs no more bringing. @throws SinkError */
  bring(items: readonly Item[], send: Send): Promise<void>
  /** These batches are the collector's for good, and are not brought again. */
  settle(batches: Iterable<string>): void
}

/**
 * A collector that refuses so many single records in a row is taken to be the wrong one, or set up for another format:
 * bad records are few and far between, and to give up whatever comes would lose it all, with the position moving on.
 */
const MOST_REFUSED_IN_A_ROW = 100

export function openDelivery(host: string, format: Format): Delivery {
  const rejected: string[] = []
  const settled = new Set<string>()
  const refused = new Set<string>()
  let refusedInARow = 0

  const giveUp = (item: Item) => {
    rejected.push(uidOf(item))
    refusedInARow += 1
    if (refusedInARow >= MOST_REFUSED_IN_A_ROW) throw refusesEverything(host)
  }

  const bring = async (items: readonly Item[], send: Send): Promise<void> => {
    const batch = assemble(items, format)
    if (settled.has(batch.id)) return
    const isKnownBad = refused.has(batch.id)
    if (!isKnownBad && (await send(batch)) === 'taken') {
      refusedInARow = 0
      return
    }
    refused.add(batch.id)
    const [first, ...others] = items
    if (first !== undefined && others.length === 0) {
      if (!isKnownBad) giveUp(first)
      return
    }
    const middle = items.length >> 1
    await bring(items.slice(0, middle), send)
    await bring(items.slice(middle), send)
  }

  return {
    rejected,
    bring,
    settle: (batches) => {
      for (const batch of batches) settled.add(batch)
    },
  }
}

export function refusesEverything(host: string): SinkError {
  return new SinkError(
    `${host} rejects every record as bad data: check url, format and gzip of the sink; no record was skipped.`,
  )
}
