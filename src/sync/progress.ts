/** How far a run has come, and when it may be done: estimates, and called so. */
import type { Measures, Progress } from '../connector/run.ts'
import type { Usage } from '../zendesk/client.ts'
import type { Stream } from './streams.ts'
import type { Tally } from './tally.ts'

export type Tallies = ReadonlyMap<Stream, Tally>

/** What has been counted so far. */
export function measuresOf(
  tallies: Tallies,
  { requests, throttled, throttledMs, retries, codes }: Omit<Usage, 'spent'>,
): Measures {
  const streams = [...tallies].map(([{ name }, { chain, records, late, unmapped, rejected, requests, bytes }]) => ({
    name,
    published: records,
    records: chain?.records ?? 0,
    ...(chain?.newestRecordTime !== undefined && { newestRecordTime: chain.newestRecordTime }),
    complete: chain?.complete ?? false,
    late,
    unmapped,
    rejected,
    requests,
    bytes,
  }))
  return {
    records: [...tallies.values()].reduce((sum, { records }) => sum + records, 0),
    requests,
    bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0),
    throttled,
    throttledSeconds: Math.round(throttledMs / 100) / 10,
    retries: { ...retries },
    codes: Object.entries(codes).map(([code, requests]) => ({ code, requests })),
    streams,
  }
}

/** `Users: 4,000 records; AuditLogs: up to 2026-11-20T10:00:00Z, 8,000 records`. */
function sentenceOf(tallies: Tallies): string {
  return [...tallies].map(([{ name, kind }, { chain }]) => `${name}: ${kind.progress(chain)}`).join('; ')
}

/** Speaks of a run whenever asked; a pace is that since it was first asked. */
export function createProgress(tallies: Tallies, now: () => Date) {
  /** How far each stream was when it was first seen to be read: a run may go on where another ended. */
  const begun = new Map<Stream, { readonly fraction: number; readonly at: number }>()

  /** Milliseconds that a stream still needs at the pace it has had; undefined: not known. */
  const remainingMs = (stream: Stream, tally: Tally): number | undefined => {
    const fraction = fractionOf(stream, tally)
    if (fraction === 1) return 0
    if (fraction === undefined) return undefined
    const at = now().getTime()
    const begin = begun.get(stream) ?? { fraction, at }
    begun.set(stream, begin)
    const [done, tookMs] = [fraction - begin.fraction, at - begin.at]
    return done <= 0 || tookMs < WATCHED_MS ? undefined : (tookMs * (1 - fraction)) / done
  }

  return (usage: Omit<Usage, 'spent'>, waitingFor: string | undefined): Progress => {
    const fractions = [...tallies].map(([stream, tally]) => fractionOf(stream, tally))
    const known = fractions.filter((fraction) => fraction !== undefined)
    const remaining = [...tallies].map(([stream, tally]) => remainingMs(stream, tally))
    const sum = known.reduce((total, fraction) => total + fraction, 0)
    const longest = Math.max(...remaining.map((one) => one ?? Number.NaN))
    return {
      sentence: sentenceOf(tallies),
      // A stream of which nothing can be said counts as begun.
      ...(known.length > 0 && { percent: Math.floor((100 * sum) / Math.max(1, fractions.length)) }),
      ...(longest > 0 &&
        longest < FAR_MS && {
          estimatedCompletionTime: new Date(Math.ceil((now().getTime() + longest) / 1000) * 1000).toISOString(),
        }),
      ...(waitingFor !== undefined && { waitingFor }),
      measures: measuresOf(tallies, usage),
    }
  }
}

/** A pace is told only after it has been watched for so long. */
const WATCHED_MS = 5000
/** What is farther ahead is no estimate, and may be no date. */
const FAR_MS = 365 * 24 * 3_600_000

/** How much of what a run has to read of a stream is behind it; 1 only when it has ended; undefined: it does not show. */
function fractionOf({ kind }: Stream, { chain, reading, expected, outcome }: Tally): number | undefined {
  if (outcome === 'end') return 1
  if (reading === undefined) return 0
  const byRecords = !expected || expected < (chain?.records ?? 0) ? undefined : (chain?.records ?? 0) / expected
  const fraction = kind.fraction(chain?.position, reading) ?? byRecords
  return fraction === undefined ? undefined : Math.min(0.99, fraction)
}
