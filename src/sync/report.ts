/** What a run says of itself: while it goes on, in a sentence; when it ends, in its report. */
import type { Report } from '../connector/run.ts'
import type { Usage } from '../zendesk/client.ts'
import type { Chains } from './checkpoint.ts'
import type { Tally } from './engine.ts'
import type { Failure } from './failure.ts'
import type { Stream } from './streams.ts'

type Tallies = ReadonlyMap<Stream, Tally>

/** `Users: 4,000 records; AuditLogs: up to 2026-11-20T10:00:00Z, 8,000 records`, of the chains as they stand. */
export function progressOf(streams: Iterable<Stream>, chains: Chains): string {
  return [...streams].map(({ name, kind }) => `${name}: ${kind.progress(chains[name])}`).join('; ')
}

export type RunFacts = {
  readonly run: string
  readonly slot: number
  readonly startTime: string
  readonly endTime: string
  readonly failure: Failure | undefined
  readonly moreToDo: boolean
  readonly usage: Pick<Usage, 'requests' | 'throttled'>
  readonly tallies: Tallies
}

export function reportOf({ failure, moreToDo, usage, tallies, ...facts }: RunFacts): Report {
  const streams = [...tallies].map(([{ name }, { chain, late, unmapped }]) => ({
    name,
    records: chain?.records ?? 0,
    ...(chain?.newestRecordTime !== undefined && { newestRecordTime: chain.newestRecordTime }),
    complete: chain?.complete ?? false,
    late,
    unmapped,
  }))
  return {
    ...facts,
    result: failure !== undefined ? 'Failed' : moreToDo ? 'MoreToDo' : 'Succeeded',
    ...(failure !== undefined && { reason: failure.reason, message: failure.message }),
    records: [...tallies.values()].reduce((sum, { records }) => sum + records, 0),
    requests: usage.requests,
    throttled: usage.throttled,
    streams,
  }
}
