/**
 * `npm run bench -- sync`: a whole run of the shipped program, from spawn to exit, beside the bare loop (the limit) and
 * tap-zendesk, all of them through the same proxy to the same simulator, one after another in turns; and its memory.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from '../scripts/bundle.ts'
import { textTable } from '../src/text-table.ts'
import { digestOf, segmentsOf } from './support/contents.ts'
import { type Measured, measured } from './support/measured.ts'
import { secondsToServe } from './support/serving.ts'
import { onStage, type Stage } from './support/stage.ts'
import { tapZendesk } from './support/tap-zendesk.ts'

const GOALS = { ofLimit: 0.8, ofTapZendesk: 15, rssMb: 128, growth: 1.1, served: 2 }
const USERS = 100_000
const ACTIVITIES = 100_000
const LOOKBACK = '168h'
const LOOKBACK_SECONDS = 168 * 3600
/** Nothing but the machine is to be the limit. */
const UNTHROTTLED = { requests: 1_000_000, incremental: 1_000_000 }
const BOTH = ['Users', 'AuditLogs']

const help = `npm run bench -- sync [--rounds 5] [--tap-rounds 2]

A run of ${USERS} users and ${ACTIVITIES} audit events, in turns with the bare loop; users only, in turns with
tap-zendesk (Python 3 is needed, and its package index for the first time); and ten times the users, for the memory.`

export async function bench(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string' }, 'tap-rounds': { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return { table: help, json: {}, good: true }
  return onStage((stage) => compare(stage, Number(values.rounds ?? 5), Number(values['tap-rounds'] ?? 2)))
}

async function compare(stage: Stage, rounds: number, tapRounds: number) {
  const { simulator, folder } = stage
  await bundle(join(folder, 'bare-loop'), 'bench/support/bare-loop.ts')
  const ours = await syncOf(stage, 'acme', BOTH, USERS)
  const usersOnly = await syncOf(stage, 'users-only', ['Users'], USERS)
  const tenfold = await syncOf(stage, 'tenfold', BOTH, USERS * 10)
  const bare = bareLoopOf(stage, 'acme', BOTH)

  say('The first turn warms all of them up, and compares what they write.')
  await ours()
  await bare()
  await mustBeSame(stage)

  const turns: { readonly ours: Measured; readonly bare: Measured; readonly servedSeconds: number }[] = []
  for (let round = 1; round <= rounds; round += 1) {
    await unthrottle(stage, 'acme')
    const servedSeconds = await secondsToServe(simulator, 'acme')
    const turn = { ours: await ours(), bare: await bare(), servedSeconds }
    turns.push(turn)
    say(
      `Turn ${round}: ours ${inSeconds(turn.ours)}, the bare loop ${inSeconds(turn.bare)}, served in ${servedSeconds.toFixed(2)} s.`,
    )
  }
  const large = await tenfold()
  say(`Ten times the users: ${inSeconds(large)}, ${large.rssMb.toFixed(0)} MiB.`)

  const tap = await tapZendesk(stage, 'users-only')
  await usersOnly()
  const peers: { readonly ours: Measured; readonly tap: Measured }[] = []
  for (let round = 1; round <= tapRounds; round += 1) {
    await unthrottle(stage, 'users-only')
    const peer = await tap()
    if (peer.records !== USERS) throw new Error(`tap-zendesk wrote ${peer.records} users, not ${USERS}`)
    const both = { ours: await usersOnly(), tap: peer }
    peers.push(both)
    say(`Users only: ours ${inSeconds(both.ours)}, tap-zendesk ${inSeconds(peer)}.`)
  }

  const records = USERS + ACTIVITIES
  const recordsPerSecond = Math.round(records / median(turns.map((turn) => turn.ours.seconds)))
  const ofLimit = median(turns.map((turn) => turn.bare.seconds / turn.ours.seconds))
  const ofTapZendesk = median(peers.map((peer) => peer.tap.seconds / peer.ours.seconds))
  const served = median(turns.map((turn) => turn.ours.seconds / turn.servedSeconds))
  const rssMb = Math.round(Math.max(...turns.map((turn) => turn.ours.rssMb)))
  const rssMbAtTenTimes = Math.round(large.rssMb)

  const perSecond = (seconds: number, count = records) => Math.round(count / seconds).toLocaleString('en-US')
  const table = textTable(
    [
      ['WHAT', 'MEASURED', 'GOAL'],
      ['records per second', recordsPerSecond.toLocaleString('en-US'), ''],
      ['the bare loop', perSecond(median(turns.map((turn) => turn.bare.seconds))), ''],
      ['of the limit', ofLimit.toFixed(2), `≥ ${GOALS.ofLimit}`],
      ['the simulator serves', perSecond(median(turns.map((turn) => turn.servedSeconds))), ''],
      ['times what is asked', served.toFixed(1), `≥ ${GOALS.served}`],
      ['users only', perSecond(median(peers.map((peer) => peer.ours.seconds)), USERS), ''],
      ['tap-zendesk', perSecond(median(peers.map((peer) => peer.tap.seconds)), USERS), ''],
      ['times tap-zendesk', ofTapZendesk.toFixed(1), `≥ ${GOALS.ofTapZendesk}`],
      ['RSS, MiB', String(rssMb), `≤ ${GOALS.rssMb}`],
      ['RSS at ten times the users, MiB', String(rssMbAtTenTimes), `≤ ${Math.floor(rssMb * GOALS.growth)}`],
    ],
    [1],
  )
  const good =
    ofLimit >= GOALS.ofLimit &&
    served >= GOALS.served &&
    ofTapZendesk >= GOALS.ofTapZendesk &&
    rssMb <= GOALS.rssMb &&
    rssMbAtTenTimes <= rssMb * GOALS.growth
  const ratios = { ofLimit: rounded(ofLimit), ofTapZendesk: rounded(ofTapZendesk) }
  return { table, json: { recordsPerSecond, ...ratios, rssMb, rssMbAtTenTimes }, good }
}

/** An account with so many users, and what runs the program on it; each run begins with nothing. */
async function syncOf(
  stage: Stage,
  name: string,
  streams: readonly string[],
  users: number,
): Promise<() => Promise<Measured>> {
  const { folder, program, env } = stage
  const manifest = await stage.connector(
    name,
    {
      plan: 'enterprise-plus',
      limit: UNTHROTTLED,
      users: { count: users },
      activities: { days: 7, lastSevenDays: ACTIVITIES, perEarlierDay: 0 },
      // Making the pages would be most of the simulator's work.
      pageCacheBytes: 512 * 2 ** 20,
    },
    {
      displayName: name,
      rateLimit: { requestsPerMinute: 2500 },
      sync: { lookback: LOOKBACK, streams, sink: { file: { claimName: 'bench' } } },
    },
  )
  const expected = users * Number(streams.includes('Users')) + ACTIVITIES * Number(streams.includes('AuditLogs'))
  const out = join(folder, name)
  return async () => {
    await rm(out, { recursive: true, force: true })
    await unthrottle(stage, name)
    const args = [program, 'sync', '-f', manifest, '--out', out, '--quiet', '-o', 'json']
    const took = await measured(process.execPath, args, { env })
    const { records } = JSON.parse(took.output).connectors[0]
    if (records !== expected) throw new Error(`${name}: ${records} records, not ${expected}`)
    return took
  }
}

function bareLoopOf(stage: Stage, name: string, streams: readonly string[]): () => Promise<Measured> {
  const { folder, env } = stage
  const out = join(folder, `bare-${name}`)
  const program = join(folder, 'bare-loop', 'bare-loop.js')
  return async () => {
    await rm(out, { recursive: true, force: true })
    await mkdir(out)
    await unthrottle(stage, name)
    return measured(process.execPath, [program, name, name, out, String(LOOKBACK_SECONDS), ...streams], { env })
  }
}

/** Requests of the one before, within the same minute, would be those of another client to the next. */
async function unthrottle({ simulator }: Stage, name: string): Promise<void> {
  await simulator.control.find(name).setLimit(UNTHROTTLED)
}

async function mustBeSame({ folder }: Stage): Promise<void> {
  for (const stream of BOTH) {
    const ours = await digestOf(await segmentsOf(join(folder, 'acme', 'security', 'acme', stream)))
    const bare = await digestOf([join(folder, 'bare-acme', `${stream}.ndjson.gz`)])
    if (ours !== bare) throw new Error(`the bare loop does not write the same ${stream}`)
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1)
  return (low + high) / 2
}

const rounded = (value: number) => Math.round(value * 100) / 100
const inSeconds = ({ seconds }: Measured) => `${seconds.toFixed(2)} s`
const say = (line: string) => process.stderr.write(`${line}\n`)
