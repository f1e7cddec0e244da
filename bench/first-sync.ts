/**
 * `npm run bench -- first-sync`: the first sync of an account, with Zendesk's real limits and minutes, beside the fewest
 * requests that any client must make and the shortest schedule that the limits allow.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { textTable } from '../src/text-table.ts'
import { measured } from './support/measured.ts'
import { onStage, type Stage } from './support/stage.ts'

const GOALS = { requestsRatio: 1.02, timeRatio: 1.05 }
const USERS = 100_000
const ACTIVITIES = 50_000
const WINDOW_SECONDS = 60
/** Requests in any window: of the account, and of the export of users. */
const ACCOUNT = 200
const EXPORT = 20
const PAGE = { users: 1000, activities: 100 }
const NEEDED = { token: 1, users: USERS / PAGE.users, activities: ACTIVITIES / PAGE.activities }

const help = `npm run bench -- first-sync

${USERS} users and ${ACTIVITIES} activities at ${ACCOUNT} requests a minute, ${EXPORT} of them exports of users: an account
with fixed windows and one with sliding ones, side by side, from the start of the process to its end.`

/** Seconds until the last of so many requests can be made, when each window allows `limit` and the first begins now. */
function shortest(requests: number, limit: number): number {
  return Math.floor((requests - 1) / limit) * WINDOW_SECONDS
}

export async function bench(args: string[]) {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help) return { table: help, json: {}, good: true }
  return onStage(async (stage) => {
    const results = await Promise.all((['fixed', 'sliding'] as const).map((window) => firstSync(stage, window)))
    const fewest = NEEDED.token + NEEDED.users + NEEDED.activities
    const seconds = Math.max(shortest(fewest, ACCOUNT), shortest(NEEDED.users, EXPORT))
    const ratios = results.map((one) => ({
      ...one,
      requestsRatio: rounded(one.requests / fewest),
      timeRatio: rounded(one.seconds / seconds),
    }))
    const rows = ratios.map((one) => [
      one.window,
      `${one.requests}`,
      `${one.requestsRatio}`,
      one.seconds.toFixed(1),
      `${one.timeRatio}`,
      `${one.refused}`,
    ])
    const table = textTable(
      [
        ['WINDOW', 'REQUESTS', '÷ FEWEST', 'SECONDS', '÷ SHORTEST', '429'],
        ...rows,
        ['goal', `${fewest}`, `≤ ${GOALS.requestsRatio}`, `${seconds}`, `≤ ${GOALS.timeRatio}`, '0'],
      ],
      [1, 2, 3, 4, 5],
    )
    const requestsRatio = Math.max(...ratios.map((one) => one.requestsRatio))
    const timeRatio = Math.max(...ratios.map((one) => one.timeRatio))
    const refused = ratios.reduce((sum, one) => sum + one.refused, 0)
    const good = requestsRatio <= GOALS.requestsRatio && timeRatio <= GOALS.timeRatio && refused === 0
    return { table, json: { requestsRatio, timeRatio }, good }
  })
}

async function firstSync({ connector, simulator, folder, program, env }: Stage, kind: 'fixed' | 'sliding') {
  const name = `first-${kind}`
  const manifest = await connector(
    name,
    {
      limit: { kind, requests: ACCOUNT, incremental: EXPORT },
      users: { count: USERS },
      activities: { days: 6, lastSevenDays: ACTIVITIES, perEarlierDay: 0 },
    },
    {
      rateLimit: { requestsPerMinute: ACCOUNT },
      sync: { streams: ['Users', 'AuditLogs'], sink: { file: { claimName: 'bench' } } },
    },
  )
  const out = join(folder, name)
  const args = [program, 'sync', '-f', manifest, '--out', out, '-o', 'json']
  const { seconds, output } = await measured(process.execPath, args, { env })
  await rm(out, { recursive: true })
  const { records } = JSON.parse(output).connectors[0]
  if (records !== USERS + ACTIVITIES) throw new Error(`${name}: ${records} records, not ${USERS + ACTIVITIES}`)
  const { ledger } = simulator.control.find(name)
  return {
    window: kind,
    seconds,
    requests: await ledger.count(),
    refused: await ledger.tooManyRequests(),
  }
}

const rounded = (value: number) => Math.round(value * 1000) / 1000
