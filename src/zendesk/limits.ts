/** Zendesk's limits, as data: https://developer.zendesk.com/api-reference/introduction/rate-limits/ (D). */
import type { Spending } from '../connector/run.ts'
import type { Stated } from './courtesy.ts'

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

/** The access log (D). The header's name is inferred (I). */
export const ACCESS_LOGS: EndpointLimit = {
  endpoint: 'access_logs',
  requestsPerMinute: 50,
  header: 'zendesk-ratelimit-access-logs',
}

export const ENDPOINT_LIMITS: readonly EndpointLimit[] = [INCREMENTAL_USERS, ACCESS_LOGS]

/** All that can have been spent in a minute of which nothing is known. */
export function fullySpent(requestsPerMinute: number): Spending[] {
  const ofEndpoints = ENDPOINT_LIMITS.map((limit) => ({
    requests: Math.min(limit.requestsPerMinute, requestsPerMinute),
    endpoint: limit.endpoint,
  }))
  return [{ requests: requestsPerMinute }, ...ofEndpoints]
}

type Header = (name: string) => string | undefined

/** What an answer says of the account's limit: `X-Rate-Limit` and `X-Rate-Limit-Remaining` (D). */
export function statedOfAccount(header: Header): Stated | undefined {
  return stated(header('x-rate-limit'), header('x-rate-limit-remaining'))
}

/** What an answer says of an endpoint's limit: `total=20; remaining=7; resets=31` (D). */
export function statedOfEndpoint(header: Header, { header: name }: EndpointLimit): Stated | undefined {
  const text = (name && header(name)) ?? ''
  const value = (key: string) => new RegExp(`\\b${key}=(\\d+)`).exec(text)?.[1]
  return stated(value('total'), value('remaining'))
}

function stated(total: string | undefined, remaining: string | undefined): Stated | undefined {
  if (!/^\d{1,9}$/.test(total ?? '') || !/^\d{1,9}$/.test(remaining ?? '')) return undefined
  const found = { total: Number(total), remaining: Number(remaining) }
  return found.total > 0 && found.remaining <= found.total ? found : undefined
}
