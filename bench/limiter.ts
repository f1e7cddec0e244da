/**
 * `npm run bench -- limiter`: the shipped client against accounts with real windows of a minute, all cases side by side:
 * alone it uses all of a limit; beside a client that uses a part of it, it takes the rest and gets in nobody's way.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { EnvHttpProxyAgent, request } from 'undici'
import { textTable } from '../src/text-table.ts'
import { createClient } from '../src/zendesk/client.ts'
import { connectTo } from '../src/zendesk/http.ts'
import type { Account } from '../test/simulator/account.ts'
import type { Entry } from '../test/simulator/ledger.ts'
import { type Simulator, startSimulator } from '../test/simulator/simulator.ts'
import { trust } from '../test/support/trust.ts'

const GOALS = { used: 0.995, refused: 1 }
const WINDOW_MS = 60_000
const LATENCY_MS = 50
/** So that the last window is a whole one. */
const LAST_MS = 500
/** Readers that always want more than the budget gives, with room for as many answers that are on their way. */
const READERS = 16
const LOGS = '/api/v2/audit_logs?page[size]=1'
const OURS = { clientId: 'zendesk-connector', clientSecret: 'ours' }
const THEIRS = { clientId: 'somebody-else', clientSecret: 'theirs' }

const help = `npm run bench -- limiter [--minutes 5]

Fixed and sliding windows of 200 and of 2,500 requests, and windows of 200 of which another client uses 30, 60 and 90 %.
used: requests ÷ limit, alone in the emptiest window, else on average; throttled: our 429s. Both from the second window on.`

type Case = { readonly window: 'fixed' | 'sliding'; readonly limit: number; readonly others?: number }

type Result = Case & {
  readonly latencyMs: number
  readonly used: number
  readonly throttled: number
  /** Requests of the other client that were refused, beside us and when it is alone. */
  readonly othersRefused?: number
  readonly othersRefusedAlone?: number
}

const cases: readonly Case[] = (['fixed', 'sliding'] as const).flatMap((window) => [
  ...[200, 2500].map((limit) => ({ window, limit })),
  ...[0.3, 0.6, 0.9].map((others) => ({ window, limit: 200, others })),
])

export async function bench(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { minutes: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return { table: help, json: {}, good: true }
  const minutes = Number(values.minutes ?? 5)
  const simulator = await startSimulator()
  try {
    await trust(simulator.caFile)
    // So that the windows of the accounts that have fixed ones are ours as well.
    simulator.clock.advance(WINDOW_MS - (simulator.clock.now() % WINDOW_MS))
    const results = await Promise.all(cases.map((one, index) => play(simulator, one, `case-${index}`, minutes)))
    return { table: tableOf(results), json: { cases: results }, good: results.every(holds) }
  } finally {
    await simulator.stop()
  }
}

async function play(simulator: Simulator, one: Case, name: string, minutes: number): Promise<Result> {
  const { window, limit, others } = one
  const account = openAccount(simulator, name, one)
  const begin = simulator.clock.real()
  const until = performance.now() + minutes * WINDOW_MS + LAST_MS
  const played = ours(simulator, name, limit, until)
  if (others === undefined) {
    await played
    const seen = account.ledger.requests()
    const emptiest = Math.min(...laterWindows(seen, begin, minutes))
    // More than the limit in any window at all, wherever it begins, is the worse fault.
    const fullest = account.ledger.maxInAnyWindow(WINDOW_MS)
    const used = (fullest > limit ? fullest : emptiest) / limit
    return { window, limit, latencyMs: LATENCY_MS, used, throttled: afterFirst(seen, begin).filter(isRefused).length }
  }

  const alone = openAccount(simulator, `${name}-alone`, one)
  await Promise.all([
    played,
    theirs(simulator, name, limit * others, until),
    theirs(simulator, `${name}-alone`, limit * others, until),
  ])
  const of = (seen: Account, { clientId }: { clientId: string }) =>
    afterFirst(seen.ledger.requests(), begin).filter(({ client }) => client === clientId)
  const mine = of(account, OURS)
  return {
    window,
    limit,
    latencyMs: LATENCY_MS,
    used: sum(laterWindows(mine, begin, minutes)) / (minutes - 1) / limit,
    throttled: mine.filter(isRefused).length,
    others,
    othersRefused: of(account, THEIRS).filter(isRefused).length,
    othersRefusedAlone: of(alone, THEIRS).filter(isRefused).length,
  }
}

function openAccount(simulator: Simulator, name: string, { window, limit }: Case): Account {
  const account = simulator.account(name, {
    limit: { kind: window, requests: limit, windowMs: WINDOW_MS },
    clients: [OURS, THEIRS],
    activities: { lastSevenDays: 10 },
  })
  account.addFault({ effect: { kind: 'latency', milliseconds: LATENCY_MS } })
  return account
}

/** The shipped client, asked for more than it may do. */
async function ours(simulator: Simulator, name: string, limit: number, until: number): Promise<void> {
  const endpoint = `${name}.zendesk.com`
  const { send, close } = connectTo(endpoint, { httpsProxy: simulator.proxyUrl, noProxy: undefined })
  const client = createClient({
    send,
    endpoint,
    credentials: async () => OURS,
    requestsPerMinute: limit,
    spent: [],
    guard: async () => undefined,
    clock: { now: () => new Date(), monotonic: () => performance.now() },
    random: Math.random,
    onWait: () => undefined,
  })
  const signal = AbortSignal.timeout(Math.ceil(until - performance.now()))
  const read = async () => {
    while (!signal.aborted) {
      await client
        .get(() => LOGS, { stream: 'AuditLogs', signal })
        .catch((error: unknown) => {
          if (!signal.aborted) throw error
        })
    }
  }
  await Promise.all(Array.from({ length: READERS }, read))
  client.close()
  await close()
}

/** A client that knows nothing of limits: so many a minute, evenly, whatever is answered. */
async function theirs(simulator: Simulator, name: string, perMinute: number, until: number): Promise<void> {
  const dispatcher = new EnvHttpProxyAgent({ httpsProxy: simulator.proxyUrl, noProxy: '', allowH2: false })
  const base = `https://${name}.zendesk.com`
  const ask = async (path: string, options: object) => {
    const { body } = await request(`${base}${path}`, { dispatcher, ...options })
    return body.text()
  }
  const { clientId: client_id, clientSecret: client_secret } = THEIRS
  const grant = { grant_type: 'client_credentials', client_id, client_secret, scope: 'read', expires_in: 7200 }
  const json = { 'content-type': 'application/json' }
  const token = await ask('/oauth/tokens', { method: 'POST', headers: json, body: JSON.stringify(grant) })
  const headers = { authorization: `Bearer ${JSON.parse(token).access_token}` }
  const begin = performance.now()
  const asked: Promise<unknown>[] = []
  for (let next = begin; next < until; next += WINDOW_MS / perMinute) {
    await delay(Math.max(0, next - performance.now()))
    asked.push(ask(LOGS, { headers }))
  }
  await Promise.all(asked)
  await dispatcher.close()
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
const isRefused = ({ status }: Entry) => status === 429
const afterFirst = (seen: readonly Entry[], begin: number) => seen.filter(({ at }) => at >= begin + WINDOW_MS)

/** How many were allowed in each whole window after the first. */
function laterWindows(seen: readonly Entry[], begin: number, minutes: number): number[] {
  const times = seen.filter((entry) => !isRefused(entry)).map(({ at }) => at - begin)
  return Array.from(
    { length: minutes - 1 },
    (_, index) => times.filter((at) => Math.floor(at / WINDOW_MS) === index + 1).length,
  )
}

function holds({ used, throttled, others, othersRefused = 0, othersRefusedAlone = 0 }: Result): boolean {
  if (others === undefined) return used >= GOALS.used && used <= 1 && throttled === 0
  return throttled <= GOALS.refused && othersRefused <= othersRefusedAlone
}

function tableOf(results: readonly Result[]): string {
  const head = ['WINDOW', 'LIMIT', 'LATENCY', 'OTHERS', 'USED', '429', 'THEIR 429', 'THEIRS ALONE', '']
  const rows = results.map((result) => [
    result.window,
    `${result.limit}`,
    `${result.latencyMs} ms`,
    result.others === undefined ? '' : `${result.others * 100} %`,
    `${(result.used * 100).toFixed(2)} %`,
    `${result.throttled}`,
    `${result.othersRefused ?? ''}`,
    `${result.othersRefusedAlone ?? ''}`,
    holds(result) ? '' : 'misses its goal',
  ])
  return textTable([head, ...rows], [1, 2, 3, 4, 5, 6, 7])
}
