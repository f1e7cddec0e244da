/** How long Zendesk asks us to wait. What is not understood means "no advice". */

/** Longest advice that is followed as it stands: more is a mistake of the sender's clock. */
const LONGEST_MS = 15 * 60_000

/** `Retry-After` (seconds or an HTTP date) → milliseconds from `now`; undefined: no advice. */
export function retryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const wait = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime()
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), LONGEST_MS) : undefined
}

/**
 * Advice of an answer, by what Zendesk sends: `Retry-After`, an endpoint's `zendesk-ratelimit-…: total=; remaining=;
 * resets=` (D), `ratelimit-reset` in seconds or, for access logs, as a date-time (D).
 */
export function advisedWait(
  header: (name: string) => string | undefined,
  endpointHeader: string | undefined,
  now: Date,
): number | undefined {
  const ofEndpoint = endpointHeader === undefined ? undefined : /resets=(\d+)/.exec(header(endpointHeader) ?? '')?.[1]
  return (
    retryAfter(header('retry-after'), now) ?? retryAfter(ofEndpoint, now) ?? retryAfter(header('ratelimit-reset'), now)
  )
}

/** Wait before attempt `attempt` (0, 1, …) without advice: exponential with full jitter, `random` from [0, 1). */
export function backOff(attempt: number, random: number, { firstMs = 1000, mostMs = 60_000 } = {}): number {
  return Math.round(random * Math.min(mostMs, firstMs * 2 ** attempt))
}
