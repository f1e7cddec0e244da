/**
 * `npm run bench -- first-sync`: the first run on an account of Zendesk's smallest limits, beside the fewest requests
 * that it could be done with and the shortest time in which these limits let anybody do it. Real minutes.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { textTable } from '../src/text-table.ts'
import { measured } from './support/measured.ts'
import { onStage, type Stage } from './support/stage.ts'

const GOALS = { requestsRatio: 1.02, timeRatio: 1.05 }
const USERS = 100_000
const ACTIVITIES = 50_000
const PAGE = { users: 1000, activities: 100 }
const LIMIT = { account: 200, export: 20 }
const WINDOW_SECONDS = 60

/** What nobody can do without: a token, and each page once. */
const FEWEST = { export: USERS / PAGE.users, other: 1 + ACTIVITIES / PAGE.activities }
const FEWEST_REQUESTS = FEWEST.export + FEWEST.other

/**
 * The shortest schedule: as many requests as both limits allow in each window, all of them answered at once, the first
 * of them at the beginning of the first window, the last at that of the last one. The fifth twenty pages of users are
 * due when four minutes have passed, and by then all else is long done. Nobody is faster where a window looks back from
 * now; where windows are fixed, only by beginning late in one, which is why the runs here begin with one.
 */
const WINDOWS = Math.max(Math.ceil(FEWEST.export / LIMIT.export), Math.ceil(FEWEST_REQUESTS / LIMIT.account))
const SHORTEST_SECONDS = (WINDOWS - 1) * WINDOW_SECONDS

const help = `npm run bench -- first-sync

${USERS} users and ${ACTIVITIES} activities at ${LIMIT.account} requests a minute, ${LIMIT.export} of them exports: two accounts side by side,
one with fixed windows and one with sliding ones. ${SHORTEST_SECONDS / 60} minutes and a little.`

export async function bench(args: string[]) {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help) return { table: help, json: {}, good: true }
  return onStage(async (stage) => {
    const prepared = [await firstSync(stage, 'fixed'), await firstSync(stage, 'sliding')]
    const untilWindow = WINDOW_SECONDS * 1000 - (Date.now() % (WINDOW_SECONDS * 1000))
    process.stderr.write(`The next minute begins in ${Math.round(untilWindow / 1000)} s.\n`)
    await delay(untilWindow)
    const runs = await Promise.all(prepared.map((begin) => begin()))

    const requestsRatio = rounded(Math.max(...runs.map(({ requests }) => requests)) / FEWEST_REQUESTS)
    const timeRatio = rounded(Math.max(...runs.map(({ seconds }) => seconds)) / SHORTEST_SECONDS)
    const lawful = runs.every(({ busiest, refused }) => busiest <= LIMIT.account && refused === 0)
    const rows = runs.map(({ kind, requests, seconds, busiest, refused }) => [
      kind,
      String(requests),
      seconds.toFixed(1),
      String(busiest),
      String(refused),
    ])
    const table = textTable(
      [
        ['WINDOWS', 'REQUESTS', 'SECONDS', 'IN ANY 60 S', '429'],
        ...rows,
        ['at best', String(FEWEST_REQUESTS), SHORTEST_SECONDS.toFixed(1), String(LIMIT.account), '0'],
        ['ratio', requestsRatio.toFixed(3), timeRatio.toFixed(3)],
        ['goal', `≤ ${GOALS.requestsRatio}`, `≤ ${GOALS.timeRatio}`, `≤ ${LIMIT.account}`, '0'],
      ],
      [1, 2, 3, 4],
    )
    const good = requestsRatio <= GOALS.requestsRatio && timeRatio <= GOALS.timeRatio && lawful
    return { table, json: { requestsRatio, timeRatio }, good }
  })
}

type Run = {
  readonly kind: string
  readonly seconds: number
  /** By the simulator's ledger, as the two that follow: our own count is not asked. */
  readonly requests: number
  readonly busiest: number
  readonly refused: number
}

/** An account whose windows are of that kind, and what syncs it for the first time. */
async function firstSync(stage: Stage, kind: 'fixed' | 'sliding'): Promise<() => Promise<Run>> {
  const { simulator, folder, program, env } = stage
  const account = {
    limit: { kind, requests: LIMIT.account, incremental: LIMIT.export },
    users: { count: USERS },
    activities: { days: 7, lastSevenDays: ACTIVITIES, perEarlierDay: 0 },
  }
  const manifest = await stage.connector(kind, account, {
    rateLimit: { requestsPerMinute: LIMIT.account },
    sync: { lookback: '168h', streams: ['Users', 'AuditLogs'], sink: { file: { claimName: 'bench' } } },
  })
  return async () => {
    const out = join(folder, kind)
    const args = [program, 'sync', '-f', manifest, '--out', out, '--quiet', '-o', 'json']
    const { seconds, output } = await measured(process.execPath, args, { env })
    const { records } = JSON.parse(output).connectors[0]
    if (records !== USERS + ACTIVITIES) throw new Error(`${kind}: ${records} records, not ${USERS + ACTIVITIES}`)
    const { ledger } = simulator.control.find(kind)
    return {
      kind,
      seconds,
      requests: await ledger.count(),
      busiest: await ledger.maxInAnyWindow(WINDOW_SECONDS * 1000),
      refused: await ledger.tooManyRequests(),
    }
  }
}

const rounded = (value: number) => Math.round(value * 1000) / 1000
