/** How long Zendesk asks us to wait. What is not understood means "no advice". */

/** Longest advice that is followed as it stands: more is a mistake of the sender's clock. */
const LONGEST_MS = 15 * 60_000

/** `Retry-After` (seconds, or a date as HTTP or ISO 8601 writes it) → milliseconds from `now`; undefined: no advice. */
export function retryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const wait = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime()
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), LONGEST_MS) : undefined
}

export type Advised = {
  readonly status: number
  /** Value of a header by its lower-case name. */
  readonly header: (name: string) => string | undefined
}

/**
 * Advice of an answer. `Retry-After` holds for any; what a limit says of its reset stands in good answers too, and is
 * advice in a 429 only: an endpoint's `zendesk-ratelimit-…: total=; remaining=; resets=` (D), `ratelimit-reset` in
 * seconds or, for access logs, as a date-time (D). A date is Zendesk's: it counts from the answer's own `Date`, and from
 * `now` where there is none.
 */
export function advisedWait(
  { status, header }: Advised,
  endpointHeader: string | undefined,
  now: Date,
): number | undefined {
  const answeredAt = new Date(header('date') ?? Number.NaN)
  const from = Number.isFinite(answeredAt.getTime()) ? answeredAt : now
  const ofAny = retryAfter(header('retry-after'), from)
  if (ofAny !== undefined || status !== 429) return ofAny
  const ofEndpoint = endpointHeader === undefined ? undefined : /resets=(\d+)/.exec(header(endpointHeader) ?? '')?.[1]
  return retryAfter(ofEndpoint, from) ?? retryAfter(header('ratelimit-reset'), from)
}

/** Wait before attempt `attempt` (0, 1, …) without advice: exponential with full jitter, `random` from [0, 1). */
export function backOff(attempt: number, random: number, { firstMs = 1000, mostMs = 60_000 } = {}): number {
  return Math.round(random * Math.min(mostMs, firstMs * 2 ** attempt))
}
