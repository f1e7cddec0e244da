/** Zendesk's limits, as data: https://developer.zendesk.com/api-reference/introduction/rate-limits/ (D). */
import type { Spent } from '../connector/run.ts'

/** A limit that Zendesk sets on one endpoint, beside the account's. */
export type EndpointLimit = {
  readonly endpoint: string
  readonly requestsPerMinute: number
  /** Header in which Zendesk tells how much of it is left, by its lower-case name. */
  readonly header?: string
}

/** The incremental export of users: 60 with the High Volume add-on, which does not show (D). The header's name is inferred (I). */
export const INCREMENTAL_USERS: EndpointLimit = {
  endpoint: 'incremental/users/cursor',
  requestsPerMinute: 20,
  header: 'zendesk-ratelimit-incremental-exports',
}

export const ENDPOINT_LIMITS: readonly EndpointLimit[] = [INCREMENTAL_USERS]

/** All that can have been spent in a minute of which nothing is known. */
export function fullySpent(secondsAgo: number, requestsPerMinute: number): Spent[] {
  const ofEndpoints = ENDPOINT_LIMITS.map((limit) => ({
    secondsAgo,
    requests: Math.min(limit.requestsPerMinute, requestsPerMinute),
    endpoint: limit.endpoint,
  }))
  return [{ secondsAgo, requests: requestsPerMinute }, ...ofEndpoints]
}
