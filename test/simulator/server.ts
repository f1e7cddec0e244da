import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccountState } from './account.ts'
import { type Answer, html, invalidToken, json } from './answers.ts'
import type { Clock } from './clock.ts'
import { arrives, deliver, later, spoil } from './deliver.ts'
import type { Effect } from './faults.ts'
import type { Entry, LedgerWriter } from './ledger.ts'
import type { Verdict } from './limits.ts'
import { plainPath, route } from './routes.ts'
import type { Call } from './world.ts'

/** A request that came through a tunnel to `<subdomain>.zendesk.com`. */
export type Incoming = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly subdomain: string
  hangUp(reset: boolean): void
}

/** Serves one request: ledger, limits, faults, answer, in this order. */
export async function serve(
  { request, response, subdomain, hangUp }: Incoming,
  state: AccountState | undefined,
  strangers: LedgerWriter,
  clock: Clock,
): Promise<void> {
  const method = request.method ?? 'GET'
  const path = request.url ?? '/'
  const entry: Entry = { at: clock.real(), clock: clock.now(), account: subdomain, method, path, status: 0 }
  const ledger = state?.ledger ?? strangers
  ledger.arrived(entry)
  const body = method === 'GET' ? '' : await readBody(request)
  if (!state) {
    entry.status = 404
    return deliver(response, html(404, 'Oops, this help center no longer exists'), undefined, clock, hangUp)
  }

  const verdict = state.limiters().account.take()
  const effects = verdict.allowed ? state.faults.forRequest(method, path) : []
  const before = readCall(request, subdomain, body, state, entry)
  for (const effect of effects) play(effect, state, before)
  // Read again: a demotion or a revoked token shows in the answer to this very request.
  const call = effects.length > 0 ? readCall(request, subdomain, body, state, entry) : before
  const last = effects.at(-1)
  const answer = spoil(answerWithin(verdict, state, call), last, clock)
  if (last) entry.fault = last.kind

  const send = () => {
    if (arrives(last)) {
      entry.status = answer.status
      if (answer.served) ledger.sent(answer.served)
    }
    deliver(response, answer, last, clock, hangUp)
  }
  const wait = effects.reduce((sum, effect) => sum + (effect.kind === 'latency' ? effect.milliseconds : 0), 0)
  if (wait > 0) later(response, wait, send)
  else send()
}

type Reading = { readonly call: Call; readonly badToken: boolean }

function readCall(
  request: IncomingMessage,
  subdomain: string,
  body: string,
  state: AccountState,
  entry: Entry,
): Reading {
  const bearer = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const token = bearer === undefined ? undefined : state.world.oauth.verify(bearer)
  const user = token && state.world.users.find(token.userId)
  if (token) entry.client = token.clientId
  const call: Call = {
    method: request.method ?? 'GET',
    url: new URL(`https://${subdomain}.zendesk.com${request.url ?? '/'}`),
    body,
    contentType: request.headers['content-type'] ?? '',
    caller: token && user && { token, user },
  }
  return { call, badToken: request.headers.authorization !== undefined && !call.caller }
}

/** Effects that change the account rather than the answer. */
function play(effect: Effect, state: AccountState, { call }: Reading): void {
  if (effect.kind === 'revokeTokens') state.account.revokeTokens()
  if (effect.kind === 'demote') state.account.changeRole(effect.role, call.caller?.token.clientId)
}

function answerWithin(verdict: Verdict, state: AccountState, { call, badToken }: Reading): Answer {
  const isApi = call.url.pathname.startsWith('/api/')
  const limits: Record<string, string> = isApi ? limitHeaders(verdict) : {}
  if (!verdict.allowed) return tooMany('Number of allowed API requests per minute exceeded', verdict, limits)
  if (isApi && badToken) return withHeaders(invalidToken(), limits)
  if (!call.caller) return withHeaders(route(state.world, call), limits)
  const path = plainPath(call.url.pathname)
  if (path === '/api/v2/incremental/users/cursor') {
    const own = state.limiters().incremental.take()
    const value = `total=${own.total}; remaining=${own.remaining}; resets=${own.resets}`
    limits['zendesk-ratelimit-incremental-exports'] = value
    if (!own.allowed) return tooMany('Number of allowed incremental export requests per minute exceeded', own, limits)
  }
  if (path === '/api/v2/access_logs') {
    const own = state.limiters().accessLogs.take()
    // Documented: this one sends no Retry-After, but a date-time under a name that elsewhere holds seconds.
    const reset = new Date(state.world.clock.now() + own.resets * 1000).toISOString()
    if (!own.allowed) return json(429, { error: 'TooManyRequests' }, { ...limits, 'ratelimit-reset': reset })
  }
  return withHeaders(route(state.world, call), limits)
}

function limitHeaders({ total, remaining, resets }: Verdict): Record<string, string> {
  return {
    'x-rate-limit': `${total}`,
    'x-rate-limit-remaining': `${remaining}`,
    'ratelimit-limit': `${total}`,
    'ratelimit-remaining': `${remaining}`,
    'ratelimit-reset': `${resets}`,
  }
}

function tooMany(description: string, { resets }: Verdict, headers: Record<string, string>): Answer {
  return json(429, { error: 'APIRateLimitExceeded', description }, { ...headers, 'retry-after': `${resets}` })
}

function withHeaders(answer: Answer, headers: Record<string, string>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
