/** The whole of it: lanes side by side on one cluster and one Zendesk, killed and hindered, and then judged. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../simulator/clock.ts'
import { type Books, openBooks, type SinkKind } from './books.ts'
import { watchCheckpoints } from './checkpoints.ts'
import { createDice, type Dice } from './dice.ts'
import { canMount } from './disk.ts'
import { openGround } from './ground.ts'
import { judgeArrivals, judgeChains, judgeRemovals, windowsOver } from './judge.ts'
import { createLane, type Lane, NAMESPACE } from './lane.ts'
import { createLife, type Life } from './life.ts'
import { LATEST_MS } from './people.ts'
import { makePlan } from './plan.ts'
import { startTrapper } from './trap.ts'

export type ChaosOptions = {
  readonly kills: number
  readonly faults: number
  readonly lanes: number
  readonly seed: number
  /** Fewer processes wait out a dead one's minute: see plan.ts. */
  readonly hurry: boolean
  /** The kinds of sink that lanes have, in turn. */
  readonly sinks: readonly SinkKind[]
  /** Longest time for it. */
  readonly seconds: number
  /** Folder for logs and sinks, which stays; none: one that goes. */
  readonly folder?: string | undefined
  /** Told how it goes, every ten seconds. */
  readonly say: (line: string) => void
  /** Ends it before its time. */
  readonly signal?: AbortSignal
}

/** What was found wrong, a sentence each. */
export type Findings = {
  readonly lost: string[]
  readonly repeated: string[]
  readonly changed: string[]
  readonly overBudgetWindows: string[]
  readonly checkpointMovedBack: string[]
}

export type Outcome = {
  readonly books: Books
  /** All was done that was asked for. */
  readonly isDone: boolean
  readonly findings: Findings
  readonly records: number
  readonly segments: number
  readonly requests: number
  readonly checkpointVersions: number
  /** Records that came again to collectors, which they know by their uid. */
  readonly repeatedToCollectors: number
  readonly seconds: number
}

export async function runChaos(options: ChaosOptions): Promise<Outcome> {
  const { kills, faults, seed, say, seconds } = options
  const begin = performance.now()
  const elapsed = () => Math.round((performance.now() - begin) / 1000)
  const diceOf = (use: number) => createDice(seed * 10_000 + use)
  await using things = new AsyncDisposableStack()

  const ground = await openGround(options.sinks.includes('s3'), options.folder)
  things.defer(ground.close)
  const trapper = startTrapper()
  things.defer(trapper.stop)
  const checkpoints = watchCheckpoints(ground.cluster.api, NAMESPACE, 'app.kubernetes.io/component=checkpoint')
  things.defer(checkpoints.stop)
  const lanes: Lane[] = []
  // With the least of these a run takes more than a minute.
  const rates = options.hurry ? [60, 120, 200] : [20, 60, 120, 200]
  for (let index = 0; index < options.lanes; index++) {
    const sink = options.sinks[index % options.sinks.length] ?? 'file'
    const ownDisk = canMount && sink === 'file' && !lanes.some(({ disk }) => disk !== undefined)
    const name = `lane-${String(index + 1).padStart(2, '0')}`
    const lane = await createLane(ground, { name, sink, ownDisk, rates }, diceOf(index))
    things.defer(lane.stop)
    lanes.push(lane)
  }
  const disks = lanes.some(({ disk }) => disk !== undefined)
  if (!disks) say('No disk is filled: that needs root, to mount one, and a lane with the file sink.')

  const books = openBooks()
  const plan = makePlan(books, { kills, faults, lanes: lanes.length, disks, hurry: options.hurry })
  const { clock } = ground.simulator
  const over = new AbortController()
  options.signal?.addEventListener('abort', () => over.abort())
  const stage = { books, plan, clock, checkpoints, trapper, household: ground.household, over: over.signal }
  const lives = lanes.map((lane, index) => createLife(lane, stage, diceOf(1000 + index)))
  const telling = setInterval(() => say(progress(books, elapsed())), 10_000)
  things.defer(() => clearInterval(telling))

  const timer = setTimeout(() => over.abort(), seconds * 1000)
  things.defer(() => clearTimeout(timer))
  say(`${elapsed()} s: ${lanes.length} lanes begin`)
  const world = turnTheWorld(lanes, clock, diceOf(9999))
  things.defer(() => void world.stop())
  const ended = new Set<Lane | undefined>()
  const live = async (life: Life, index: number) => {
    // A start takes a second of a processor: not all at once.
    await delay(index * 400)
    await life.live()
    // When it is enough nothing is stirred anymore, neither by the world nor by a lane that has a turn to end.
    if (world.stop()) say(`${elapsed()} s: that is enough; now each lane comes to its end in peace`)
    await life.finish(options.hurry ? 1 : 2)
    if (!over.signal.aborted) ended.add(lanes[index])
  }
  await Promise.all(lives.map(live))
  const cut = lanes.filter((lane) => !ended.has(lane)).map(({ name }) => name)
  if (cut.length > 0)
    books.trouble(`time was up before these had come to their end, what they lost is not known: ${cut}`)
  const isWhole = (lane: Lane) => ended.has(lane)
  return { ...(await judge(lanes, books, checkpoints, isWhole)), isDone: plan.isDone(), seconds: elapsed() }
}

/** Time passes quickly in Zendesk, and its people do things all the time. */
function turnTheWorld(lanes: readonly Lane[], clock: Clock, dice: Dice) {
  const tick = () => {
    clock.advance(dice.between(5_000, 40_000))
    for (const { people } of lanes) if (dice.chance(0.2)) people.stir(dice.between(1, 5))
  }
  const turning = setInterval(tick, 1000)
  let stopped = false
  return {
    /** Everything comes to rest, and whatever surfaces late has surfaced. True: only now. */
    stop: () => {
      if (stopped) return false
      stopped = true
      clearInterval(turning)
      clock.advance(2 * LATEST_MS)
      return true
    },
  }
}

/** `isWhole`: the lane has come to its end, so that what has not arrived by now never will. */
async function judge(
  lanes: readonly Lane[],
  books: Books,
  checkpoints: ReturnType<typeof watchCheckpoints>,
  isWhole: (lane: Lane) => boolean,
) {
  const findings: Findings = { lost: [], repeated: [], changed: [], overBudgetWindows: [], checkpointMovedBack: [] }
  const sum = { records: 0, segments: 0, requests: 0, repeatedToCollectors: 0 }
  for (const lane of lanes) {
    const { consumer, kind } = lane.sink
    const note = (where: keyof Findings, found: readonly string[]) =>
      findings[where].push(...found.map((sentence) => `${lane.name} (${kind}): ${sentence}`))
    await consumer.look()
    const { lost, repeated, changed } = judgeArrivals(lane)
    if (isWhole(lane)) note('lost', [...lost, ...judgeRemovals(lane)])
    // A collector gets records again when nobody knows what became of a batch; it knows them by their uids.
    if (kind === 'http') sum.repeatedToCollectors += repeated.length
    else note('repeated', repeated)
    note('changed', [...changed, ...judgeChains(consumer.headers()), ...(await consumer.verify())])
    const requests = lane.account.ledger.requests()
    note('overBudgetWindows', windowsOver(requests, lane.requestsPerMinute))
    note('checkpointMovedBack', checkpoints.movedBack(lane.checkpoint))
    sum.records += consumer.arrivals().length
    sum.segments += consumer.headers().length
    sum.requests += requests.length
  }
  return { books, findings, ...sum, checkpointVersions: checkpoints.versions() }
}

function progress(books: Books, seconds: number): string {
  return `${seconds} s: ${books.kills.length} kills, ${books.faultCount()} faults`
}
