/** What happened: every request, and what was served. Kept by the simulator so that a test need not trust the client. */

/** One request. Its status stays 0 when no answer was given. */
export type Entry = {
  /** When it arrived: real milliseconds since 1970, with fractions. */
  readonly at: number
  /** The same by the simulator's clock. */
  readonly clock: number
  readonly account: string
  readonly method: string
  /** Path and query. */
  readonly path: string
  status: number
  /** The OAuth client, when the request showed who it is. */
  client?: string
  /** The fault that was played. */
  fault?: string
}

/** A version of a record, and how often it was served. */
type Served = { readonly id: string; readonly raw: string; readonly times: number }

/** Records of one answer, as they were sent. */
export type ServedPage = { readonly stream: string; readonly count: number; readonly records: readonly RawRecord[] }

/** A record's id and its exact source text. */
export type RawRecord = { readonly id: string; readonly raw: string }

/** The reading side. */
export type Ledger = {
  /** All of them, or those whose path matches this regular expression. */
  requests(pathPattern?: string): Entry[]
  count(): number
  /** Answers by status; 0 for no answer. */
  countByStatus(): Record<string, number>
  /** Requests by path without query. */
  countByPath(): Record<string, number>
  /** How many 429 were answered. */
  tooManyRequests(): number
  /** The largest number of requests in any window of that length, wherever it begins; 429s and tokens count. */
  maxInAnyWindow(windowMs: number): number
  /** How many records of a stream were served, repetitions included. */
  servedCount(stream: string): number
  /** Every record version served, only with `recordServed`. */
  served(stream: string): Iterable<Served>
  /** Forgets everything, to look at the next part of a test alone. */
  clear(): void
}

/** The writing side, for the server. */
export type LedgerWriter = Ledger & { arrived(entry: Entry): void; sent(page: ServedPage): void }

/** The largest number of times within any half-open window of that length; the times ascend. */
export function largestWindow(times: readonly number[], windowMs: number): number {
  let begin = 0
  let largest = 0
  for (let end = 0; end < times.length; end++) {
    while ((times[end] ?? 0) - (times[begin] ?? 0) >= windowMs) begin++
    largest = Math.max(largest, end - begin + 1)
  }
  return largest
}

/** An empty ledger. */
export function createLedger(recordServed: boolean): LedgerWriter {
  let entries: Entry[] = []
  const counts = new Map<string, number>()
  const versions = new Map<string, Map<string, { id: string; raw: string; times: number }>>()

  function countBy(label: (entry: Entry) => string): Record<string, number> {
    const result: Record<string, number> = {}
    for (const entry of entries) result[label(entry)] = (result[label(entry)] ?? 0) + 1
    return result
  }

  return {
    arrived: (entry) => void entries.push(entry),
    sent({ stream, count, records }) {
      counts.set(stream, (counts.get(stream) ?? 0) + count)
      if (!recordServed) return
      const known = versions.get(stream) ?? new Map<string, { id: string; raw: string; times: number }>()
      versions.set(stream, known)
      for (const { id, raw } of records) {
        const version = known.get(raw) ?? { id, raw, times: 0 }
        version.times++
        known.set(raw, version)
      }
    },
    requests: (pathPattern = '') => entries.filter((entry) => new RegExp(pathPattern).test(entry.path)),
    count: () => entries.length,
    countByStatus: () => countBy((entry) => String(entry.status)),
    countByPath: () => countBy((entry) => entry.path.split('?')[0] ?? ''),
    tooManyRequests: () => entries.filter((entry) => entry.status === 429).length,
    maxInAnyWindow: (windowMs) =>
      largestWindow(
        entries.map((entry) => entry.at),
        windowMs,
      ),
    servedCount: (stream) => counts.get(stream) ?? 0,
    served(stream) {
      if (!recordServed) throw new Error('make the account with recordServed: true to keep what was served')
      return (versions.get(stream) ?? new Map<string, Served>()).values()
    },
    clear() {
      entries = []
      counts.clear()
      versions.clear()
    },
  }
}
