/** What a stream has come to in this run; kept up to date while it is read. */
import type { ChainState } from '../connector/run.ts'
import type { Reading } from './kinds.ts'
import type { Source } from './reading.ts'

export type Tally = {
  /** The chain, beginning as the checkpoint knows it. */
  chain: ChainState | undefined
  /** What is being read; undefined before, and when nothing is due. */
  reading: Reading | undefined
  /** How many records there may be, by Zendesk's estimate. */
  expected: number | undefined
  /** How the reading has ended; undefined while it goes on. */
  outcome: 'end' | 'stopped' | 'failed' | undefined
  /** Published by this run; `late` older than what was published before, `unmapped` of no known kind, `rejected` by the sink. */
  records: number
  late: number
  unmapped: number
  rejected: number
  /** Pages asked for and got, and the bytes of their text. */
  requests: number
  bytes: number
  /** Counts what was published. `uids` of records that the sink refused for good. */
  published(counts: Counts, uids: readonly string[]): void
  /** The source, with its pages counted. */
  counted(source: Source): Source
}

type Counts = { readonly records: number; readonly late: number; readonly unmapped: number }

/** A tally at zero; `onRejected` hears of each record that the sink refuses for good. */
export function newTally(onRejected: (uids: readonly string[]) => void): Tally {
  const tally: Tally = {
    chain: undefined,
    reading: undefined,
    expected: undefined,
    outcome: undefined,
    records: 0,
    late: 0,
    unmapped: 0,
    rejected: 0,
    requests: 0,
    bytes: 0,
    published: ({ records, late, unmapped }, uids) => {
      tally.records += records - uids.length
      tally.late += late
      tally.unmapped += unmapped
      tally.rejected += uids.length
      if (uids.length > 0) onRejected(uids)
    },
    counted: (source) => ({
      sideBySide: source.sideBySide,
      get: async (path, options) => {
        const body = await source.get(path, options)
        tally.requests += 1
        tally.bytes += body.length
        return body
      },
    }),
  }
  return tally
}
