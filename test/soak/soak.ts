/**
 * One operator for as long as it takes: connectors come, change and go, and its watches break at any moment. Each change
 * must be acted on soon, and what the process holds must stay what it is.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createDice } from '../chaos/dice.ts'
import type { Shown } from '../chaos/operator/judge.ts'
import { troublesIn } from '../chaos/operator/logs.ts'
import { untilTrue } from '../chaos/operator/probe.ts'
import { linesOf } from '../chaos/operator/replica.ts'
import { openTown } from '../chaos/operator/residents.ts'
import { NAMESPACE, openWorld } from '../chaos/operator/world.ts'
import { judgeStatuses } from '../support/status-judge.ts'
import { type Acted, createChurn } from './churn.ts'
import { type Gauge, isFlat, type Sample, sampleOf, type Trend, trendOf } from './gauges.ts'

/** Seconds for a change to be acted on. */
export const ACTED_ON_WITHIN = 10
/** A change that was not acted on by then is told as it is then. */
const PATIENCE_MS = 30_000
const LOOK_MS = 250
const SAMPLE_MS = 2_000
/** A watch that was cut fails as networks fail. */
const MAY_LOG = ['Network', 'Conflict']

export type SoakOptions = {
  readonly minutes: number
  readonly seed: number
  readonly say: (line: string) => void
  /** Judges every status that was ever written. An hour of them is more than is held in memory. */
  readonly judged?: boolean
  /** Ends it before its time. */
  readonly signal?: AbortSignal
}

export type SoakOutcome = {
  readonly minutes: number
  readonly changes: readonly Acted[]
  readonly cuts: number
  readonly trends: Readonly<Record<Gauge, Trend>>
  /** What should not have happened, a sentence each. */
  readonly wrong: readonly string[]
}

export async function runSoak({ minutes, seed, say, judged = false, signal }: SoakOptions): Promise<SoakOutcome> {
  await using things = new AsyncDisposableStack()
  const world = await openWorld('soak')
  things.defer(world.stop)
  const operator = await world.addReplica()
  await world.leader()
  const residents = openTown(world)
  const dice = createDice(seed)
  const churn = createChurn(residents, dice, PATIENCE_MS)
  const over = new AbortController()
  things.defer(() => over.abort())

  let cuts = 0
  const samples: Sample[] = []
  const begun = performance.now()
  const elapsed = () => (performance.now() - begun) / 60_000
  const every = (milliseconds: () => number, work: () => Promise<void>) => repeat(over.signal, milliseconds, work)
  const loops = [
    every(
      () => dice.between(500, 2_500),
      () => churn.stir(),
    ),
    every(
      () => dice.between(1_000, 6_000),
      async () => {
        if (operator.gate.cut((watches) => dice.between(0, watches - 1))) cuts += 1
      },
    ),
    every(
      () => SAMPLE_MS,
      async () => void samples.push(await sampleOf(operator.process.pid)),
    ),
    every(
      () => 60_000,
      async () => {
        for (const name of residents.truth.keys()) residents.account(name).ledger.clear()
        if (samples.length > 0) say(progress(elapsed(), churn.done, cuts, residents.truth.size, samples))
      },
    ),
  ]
  const look = async () => {
    const path = `/apis/cloudapps.security/v1alpha1/namespaces/${NAMESPACE}/zendeskconnectors`
    const { items } = await world.cluster.api.request<{ items: Shown[] }>('GET', path)
    churn.look(items, churn.hasDeleted() ? await (await operator.metrics()).text() : '')
  }
  const isOver = () => signal?.aborted || elapsed() >= minutes || !operator.process.isRunning()
  while (!isOver()) {
    await look()
    await delay(LOOK_MS)
  }
  over.abort()
  const broken = (await Promise.all(loops)).filter((error) => error !== undefined).map(String)
  while (churn.pending() > 0 && operator.process.isRunning()) {
    await look()
    await delay(LOOK_MS)
  }
  const untrue = await untilTrue(world, residents, performance.now() + 60_000)
  const ill = judged
    ? await judgeStatuses(world.cluster).then(
        () => [],
        (error: Error) => [error.message],
      )
    : []
  return {
    minutes: elapsed(),
    changes: churn.done,
    cuts,
    trends: trends(samples),
    wrong: [...broken, ...untrue, ...ill, ...world.ended(), ...troublesIn(await linesOf(operator), MAY_LOG)],
  }
}

/** What was held is compared once everything was there for a while: a fifth of the time, five minutes at most. */
function trends(samples: readonly Sample[]): Record<Gauge, Trend> {
  const warm = samples.slice(Math.min(Math.floor(samples.length / 5), 300_000 / SAMPLE_MS))
  return { rssMb: trendOf(warm, 'rssMb'), handles: trendOf(warm, 'handles'), sockets: trendOf(warm, 'sockets') }
}

/** Changes that were acted on too late, or never. */
export const lateOnes = ({ changes }: SoakOutcome): Acted[] =>
  changes.filter(({ seconds, wrong }) => seconds > ACTED_ON_WITHIN || wrong.length > 0)

export function isGood(outcome: SoakOutcome): boolean {
  const flat = Object.entries(outcome.trends).every(([gauge, trend]) => isFlat(gauge as Gauge, trend, outcome.minutes))
  return flat && outcome.wrong.length === 0 && outcome.changes.length > 0 && lateOnes(outcome).length === 0
}

function progress(
  minutes: number,
  done: readonly Acted[],
  cuts: number,
  connectors: number,
  samples: readonly Sample[],
) {
  const { rssMb = 0, handles, sockets } = samples.at(-1) ?? {}
  const slowest = Math.max(0, ...done.map(({ seconds }) => seconds))
  return `${Math.round(minutes)} min: ${done.length} changes, slowest ${slowest.toFixed(1)} s, ${cuts} watches cut, ${connectors} connectors, RSS ${Math.round(rssMb)} MiB, ${handles} handles, ${sockets} sockets`
}

/** Does it again and again until the signal; resolves with the error that ended it before. */
async function repeat(signal: AbortSignal, pauseMs: () => number, work: () => Promise<void>): Promise<unknown> {
  for (;;) {
    await delay(pauseMs(), undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
    try {
      await work()
    } catch (error) {
      return error
    }
  }
}
