/** The life of a lane: the operator's part, run after run, while its processes are killed and the world misbehaves. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { EXIT, type Spent } from '../../src/connector/run.ts'
import { HOLD_MS, WINDOW_MS } from '../../src/connector/schedule.ts'
import { fullySpent } from '../../src/zendesk/limits.ts'
import type { Clock } from '../simulator/clock.ts'
import { takeAim } from './aim.ts'
import type { Books } from './books.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { Dice } from './dice.ts'
import { freeze } from './freeze.ts'
import type { Gate, Lane } from './lane.ts'
import { createMishaps } from './mishaps.ts'
import type { Plan, Target, Turn } from './plan.ts'
import { type Pod, startPod } from './pod.ts'
import type { Trapper } from './trap.ts'

export type Stage = {
  readonly books: Books
  readonly plan: Plan
  readonly clock: Clock
  readonly checkpoints: Checkpoints
  readonly trapper: Trapper
  /** Folder that keeps the ids of processes. */
  readonly household: string
  /** Aborted when time is up. */
  readonly over: AbortSignal
}

/** The pods of one lane, one after another, as Job and operator would start them. */
export type Crew = {
  /** The last one was killed: the next one waits out its minute. */
  mustWait(): boolean
  /** The next pod: of the same run while it may be tried again, else of the next one. `spent` is what it is told of. */
  start(spent?: readonly Spent[]): Pod
  /** A pod of a later run, although none has ended. */
  startNext(): Pod
  /** Its exit code or signal, or 'over': there was no time left for it. Only these codes are as they should be. */
  ending(pod: Pod, ...expected: readonly (number | NodeJS.Signals)[]): Promise<number | NodeJS.Signals | 'over'>
}

/** The dead one's minute and its own, the longest advice, and some patience. */
const LONGEST_LIFE_MS = 300_000
/** As a Job counts: so many pods after the first. */
const BACKOFF_LIMIT = 3
/** Zendesk keeps the last minute of users to itself, and the connector the last minute of activities. */
const SETTLED_MS = 61_000
/** So long the next one waits after a process that was killed. */
const MINUTE_MS = WINDOW_MS + HOLD_MS
/** Whose process was spared lets other lanes have the next go. */
const SPARED_MS = 2000
/** A pod that is told to end has so long. */
const GRACE_MS = 10_000

export type Life = {
  /** Turn after turn until the plan is done. */
  live(): Promise<void>
  /** Runs with nothing in the way, until so many have found nothing more to do. */
  finish(runs: number): Promise<void>
}

export function createLife(lane: Lane, stage: Stage, dice: Dice): Life {
  const { books, plan, clock, checkpoints, trapper, over } = stage
  const crew = createCrew(lane, stage, dice)
  const mishaps = createMishaps(lane.account, lane.sink.relay !== undefined, dice)

  const kill = async (target: Target) => {
    const pod = crew.start()
    const aim = takeAim(target, 'SIGKILL', { lane, pod, trapper }, dice)
    lane.guardedBy(oneAfterTheOther(mishaps, aim))
    await crew.ending(pod, 0, EXIT.tryAgain, EXIT.sink, 'SIGKILL')
    aim.giveUp()
    const struck = aim.struck()
    if (struck !== undefined) books.killed({ ...struck, sink: lane.sink.kind })
    // It did not come to that here: it may elsewhere.
    else await delay(SPARED_MS)
  }

  /** The disk is full but for some bytes, until the process has given up. */
  const fill = async () => {
    await lane.disk?.fill(dice.between(0, 3) * 4096)
    const ended = await crew.ending(crew.start(), 0, EXIT.sink, EXIT.tryAgain)
    await lane.disk?.free()
    if (ended === EXIT.sink) books.faulted('disk full', 'fill')
  }

  const stop = async () => {
    const pod = crew.start()
    // Before it listens for the signal it ends by it.
    const ended = crew.ending(pod, 0, EXIT.tryAgain, EXIT.sink, 'SIGTERM')
    await Promise.race([ended, delay(dice.between(500, 6000))])
    if (!pod.isRunning()) return
    pod.signal('SIGTERM')
    const since = performance.now()
    await ended
    books.faulted('SIGTERM', 'stop')
    const took = performance.now() - since
    if (took > GRACE_MS) books.trouble(`${lane.name}: SIGTERM took ${(took / 1000).toFixed(1)} s`)
  }

  /** The next one finds none, and what the operator tells it: that all of the last minute may have been spent. */
  const lose = async () => {
    await lane.loseCheckpoint()
    const ended = await crew.ending(
      crew.start(fullySpent(lane.requestsPerMinute).map((one) => ({ ...one, secondsAgo: 0 }))),
      0,
      EXIT.tryAgain,
      EXIT.sink,
    )
    if (ended === EXIT.ok) books.faulted('checkpoint lost', 'lose')
  }

  const take = (turn: Turn): Promise<unknown> => {
    switch (turn.kind) {
      case 'kill':
        return kill(turn.target)
      case 'freeze':
        return freeze(lane, stage, crew, dice)
      case 'fill':
        return fill()
      case 'stop':
        return stop()
      case 'lose':
        return lose()
      case 'plain':
        return crew.ending(crew.start(), 0, EXIT.tryAgain, EXIT.sink)
    }
  }

  const state = () => ({
    hasDisk: lane.disk !== undefined,
    canReadBack: lane.sink.kind !== 'http',
    mustWait: crew.mustWait(),
  })

  const stir = () => {
    lane.people.stir(dice.between(5, 40))
    if (dice.chance(0.3)) lane.people.rewrite(dice.between(100, 400))
    if (dice.chance(0.3)) lane.resync(new Date(clock.now()))
    clock.advance(SETTLED_MS)
    while (plan.wantsFaults() && mishaps.waiting() < 3) mishaps.plant()
  }

  return {
    live: async () => {
      while (!plan.isDone() && !over.aborted) {
        const turn = plan.next(state(), dice)
        if (turn === undefined) {
          await delay(200)
          continue
        }
        stir()
        lane.guardedBy(mishaps)
        await take(turn)
        lane.guardedBy(undefined)
        mishaps.settle(books)
        plan.over(turn)
      }
      mishaps.clear()
    },
    finish: async (runs) => {
      lane.resync(new Date(clock.now()))
      for (let clean = 0; clean < runs && !over.aborted; ) {
        const ended = await crew.ending(crew.start(), 0, EXIT.tryAgain)
        const result = checkpoints.latest(lane.checkpoint)?.report?.result
        if (ended === EXIT.ok && result === 'Succeeded') clean += 1
        else await delay(1000)
      }
    },
  }
}

function createCrew(lane: Lane, { books, household, over }: Stage, dice: Dice): Crew {
  let slot = 1
  let attempt = 0
  let last: Awaited<ReturnType<Crew['ending']>> = 0
  let lastEnd = 0

  const nextSlot = () => {
    slot += 1
    attempt = 0
  }
  const start = (spent: readonly Spent[] = []) =>
    startPod({
      container: lane.container(slot, spent),
      volumes: lane.volumes,
      kubeconfig: lane.kubeconfig,
      household,
      logFile: join(lane.folder, 'log'),
    })
  return {
    mustWait: () => last === 'SIGKILL' && performance.now() - lastEnd < MINUTE_MS,
    start,
    startNext: () => {
      nextSlot()
      return start()
    },
    ending: async (pod, ...expected) => {
      const patience = new AbortController()
      const signal = AbortSignal.any([over, patience.signal])
      const tooLong = delay(LONGEST_LIFE_MS, 'stuck' as const, { signal }).catch(() => 'over' as const)
      const ended = await Promise.race([pod.exited, tooLong])
      patience.abort()
      if (ended === 'stuck' || ended === 'over') {
        pod.signal('SIGKILL')
        if (ended === 'stuck') books.trouble(`${lane.name}: a process had not ended after ${LONGEST_LIFE_MS / 1000} s`)
        return 'over'
      }
      last = ended
      lastEnd = performance.now()
      books.ended(String(ended))
      if (!expected.includes(ended)) books.trouble(`${lane.name}: a process ended with ${ended}`)
      attempt += 1
      const mayBeTriedAgain = ended === 'SIGKILL' || ended === EXIT.tryAgain || ended === EXIT.sink
      // Now and then a later run comes before the Job has had all its attempts: somebody has asked for it.
      if (!mayBeTriedAgain || attempt > BACKOFF_LIMIT || dice.chance(0.4)) nextSlot()
      return ended
    },
  }
}

/** The first that has something else to say than that it goes on. */
function oneAfterTheOther(...gates: readonly Gate[]): Gate {
  const ask = (way: keyof Gate): Gate[typeof way] => {
    return async (exchange) => {
      for (const gate of gates) {
        const ruling = await gate[way](exchange)
        if (ruling !== 'go on') return ruling
      }
      return 'go on'
    }
  }
  return { atCluster: ask('atCluster'), atSink: ask('atSink') }
}
