/**
 * The connection test: a few requests, within ten seconds, the same in operator and command line. Each check answers
 * good, bad or don't know; checks after a failed one are skipped, but the streams are probed independently.
 */

import type { Credentials } from '../connector/credentials.ts'
import { isLasting } from '../connector/reasons.ts'
import type { Spending } from '../connector/run.ts'
import { MOST_PER_TEST } from '../connector/schedule.ts'
import type { StreamName } from '../connector/schema.ts'
import type { Check } from '../connector/status.ts'
import type { TestedAccount } from '../connector/tested.ts'
import { absence, explainForbidden, readActor } from './access.ts'
import { ZendeskError } from './errors.ts'
import { countCode } from './exchange.ts'
import type { HttpAnswer, Transport } from './http.ts'
import { ENDPOINT_LIMITS, type EndpointLimit } from './limits.ts'
import { PROBES } from './probes.ts'
import { readToken, requestToken } from './token.ts'
import { judge } from './verdict.ts'

export type TestSubject = {
  readonly endpoint: string
  readonly streams: readonly StreamName[]
  readonly requestsPerMinute: number
}

/** All that one test can spend, for who cannot know what the last one did. */
export const WHOLE_TEST: readonly Spending[] = [
  { requests: MOST_PER_TEST },
  ...ENDPOINT_LIMITS.map(({ endpoint }) => ({ requests: 1, endpoint })),
]

export type TestResult = {
  readonly checks: readonly Check[]
  readonly account: TestedAccount
  /** Requests made: they count against the account's budget, and those with an endpoint against its own. */
  readonly spent: readonly Spending[]
  /** Requests by the status code of their answer; `<error>`: there was none. */
  readonly codes: Readonly<Record<string, number>>
}

/** All checks of a subject, in the order in which they are shown. */
export function checkNames(streams: readonly StreamName[]): string[] {
  return ['Endpoint', 'Secret', 'Token', 'Admin', ...streams, 'RateLimit']
}

/** The checks so far, and the rest as skipped. */
export function withSkipped(checks: readonly Check[], streams: readonly StreamName[]): Check[] {
  return checkNames(streams).map(
    (name) => checks.find((check) => check.name === name) ?? { name, result: 'Skipped' as const },
  )
}

/** A token for the test only: minted anew each time so that a revoked secret shows; more than 300 s is required (D). */
const TOKEN_SECONDS = 301
const WHOLE_TEST_MS = 10_000

const passed = (name: string): Check => ({ name, result: 'Passed' })

/** Tests the connection. Never throws but for an aborted `signal`; what went wrong is in the checks. */
export async function testConnection(
  send: Transport,
  subject: TestSubject,
  credentials: Credentials,
  { signal, now }: { readonly signal: AbortSignal; readonly now: () => Date },
): Promise<TestResult> {
  const { endpoint, streams } = subject
  const withinTime = AbortSignal.any([signal, AbortSignal.timeout(WHOLE_TEST_MS)])
  const checks: Check[] = [passed('Secret')]
  const probed = new Map<string, number>()
  const codes: Record<string, number> = {}
  let requests = 0
  let limitOfAccount: number | undefined
  let account: TestedAccount = {}

  const counted: Transport = async (request) => {
    requests += 1
    const answer = await send(request).catch((error: unknown) => {
      countCode(codes, undefined)
      if (error instanceof ZendeskError || signal.aborted) throw error
      throw new ZendeskError(
        'NetworkError',
        `${endpoint} did not answer within ${WHOLE_TEST_MS / 1000} s: check the proxy and the network in between.`,
      )
    })
    countCode(codes, answer.status)
    const stated = Number.parseInt(answer.header('x-rate-limit') ?? '', 10)
    if (Number.isSafeInteger(stated) && stated > 0) limitOfAccount = stated
    return answer
  }
  const finish = (): TestResult => ({
    checks: withSkipped(checks, streams),
    account: limitOfAccount === undefined ? account : { ...account, requestsPerMinute: limitOfAccount },
    codes,
    spent: [{ requests }, ...[...probed].map(([endpoint, count]) => ({ requests: count, endpoint }))],
  })

  const answer = await attempt(() => requestToken(counted, credentials, TOKEN_SECONDS, withinTime))
  if (answer instanceof ZendeskError) {
    checks.push({ name: 'Endpoint', result: 'Unknown', reason: answer.reason, message: answer.message })
    return finish()
  }
  const minted = readToken(answer, endpoint, now(), TOKEN_SECONDS)
  if (minted.kind !== 'token') {
    const { reason, message } = minted
    const result = minted.kind === 'again' ? 'Unknown' : 'Failed'
    if (reason === 'AccountNotFound') checks.push({ name: 'Endpoint', result, reason, message })
    else checks.push(passed('Endpoint'), { name: 'Token', result, reason, message })
    return finish()
  }
  checks.push(passed('Endpoint'), passed('Token'))

  const read: Read = (path, limit) => {
    if (limit !== undefined) probed.set(limit.endpoint, (probed.get(limit.endpoint) ?? 0) + 1)
    return counted({ method: 'GET', path, headers: { authorization: `Bearer ${minted.token}` }, signal: withinTime })
  }

  const admin = await checkAdmin(read, endpoint, now)
  checks.push(admin.check)
  if (admin.check.result !== 'Passed') return finish()
  account = { userId: admin.userId, role: admin.role }

  const explain = onceEach(read, admin.answer)
  checks.push(...(await Promise.all(streams.map((stream) => checkStream(stream, read, explain, endpoint, now)))))
  checks.push(checkRateLimit(subject.requestsPerMinute, limitOfAccount))
  return finish()
}

/** Failures that are expected come back as values. */
async function attempt<T>(work: () => Promise<T>): Promise<T | ZendeskError> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ZendeskError) return error
    throw error
  }
}

const ME = '/api/v2/users/me'

type Read = (path: string, limit?: EndpointLimit) => Promise<HttpAnswer>

async function checkAdmin(
  read: Read,
  endpoint: string,
  now: () => Date,
): Promise<{ check: Check; userId: string; role: string; answer?: HttpAnswer }> {
  const name = 'Admin'
  const nobody = (check: Check) => ({ check, userId: '', role: '' })
  const answer = await attempt(() => read(ME))
  if (answer instanceof ZendeskError) return nobody(unknown(name, answer))
  const verdict = judge(answer, endpoint, now())
  switch (verdict.kind) {
    case 'again':
      return nobody(unknown(name, verdict))
    case 'unauthorized':
    case 'absent':
      return nobody({
        name,
        result: 'Failed',
        reason: 'InvalidClient',
        message: 'Zendesk issued a token but rejects it: create a new OAuth client in Zendesk’s Admin Center.',
      })
    case 'forbidden':
      return nobody({
        name,
        result: 'Failed',
        reason: 'InvalidScope',
        message: 'The OAuth client may not read its own user: give it the scope read.',
      })
    case 'good': {
      const actor = readActor(answer)
      if ('reason' in actor) return nobody({ name, result: 'Failed', ...actor })
      return { check: passed(name), ...actor, answer }
    }
  }
}

/** Several streams that are forbidden have the same questions; who we are has been answered. */
function onceEach(read: Read, me: HttpAnswer | undefined): Read {
  const asked = new Map<string, Promise<HttpAnswer>>()
  if (me !== undefined) asked.set(ME, Promise.resolve(me))
  return (path) => {
    const answer = asked.get(path) ?? read(path)
    asked.set(path, answer)
    return answer
  }
}

async function checkStream(
  stream: StreamName,
  read: Read,
  explain: Read,
  endpoint: string,
  now: () => Date,
): Promise<Check> {
  const probe = PROBES[stream]
  const answer = await attempt(() => read(probe.path, probe.limit))
  if (answer instanceof ZendeskError) return unknown(stream, answer)
  const verdict = judge(answer, endpoint, now())
  switch (verdict.kind) {
    case 'good':
      return passed(stream)
    case 'again':
      return unknown(stream, verdict)
    case 'absent':
      return { name: stream, result: 'Failed', ...absence(stream, probe, verdict) }
    case 'unauthorized':
    case 'forbidden': {
      const refusal = await attempt(() => explainForbidden(stream, probe, explain))
      if (!isLasting(refusal.reason)) return unknown(stream, refusal)
      return { name: stream, result: 'Failed', reason: refusal.reason, message: refusal.message }
    }
  }
}

function unknown(name: string, { reason, message }: Pick<ZendeskError, 'reason' | 'message'>): Check {
  return { name, result: 'Unknown', reason, message }
}

/** A spec above the account's limit is a warning: the run takes the lower of the two. */
function checkRateLimit(wanted: number, ofAccount: number | undefined): Check {
  if (ofAccount === undefined || wanted <= ofAccount) return passed('RateLimit')
  return {
    name: 'RateLimit',
    result: 'Passed',
    reason: 'RateLimitTooHigh',
    message: `The account allows only ${ofAccount} requests per minute, which is used instead: lower spec.rateLimit.requestsPerMinute from ${wanted}, or raise the account's limit.`,
  }
}
