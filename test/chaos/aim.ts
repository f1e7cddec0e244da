/**
 * Striking a process in a chosen phase. Everything is seen from outside: what its Zendesk has been asked, what its sink's
 * folder or server is being given, and what its checkpoint's API server is told.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Account } from '../simulator/account.ts'
import type { Phase, Where } from './books.ts'
import { type Checkpoint, parseCheckpoint } from './checkpoints.ts'
import type { Dice } from './dice.ts'
import type { Gate, Lane } from './lane.ts'
import type { Target } from './plan.ts'
import type { Pod } from './pod.ts'
import type { Exchange, Ruling, Step } from './relay.ts'
import type { Trapper } from './trap.ts'
import { streamFolders, whereIs } from './where.ts'

export type Strike = { readonly where: Where; readonly how: string }

export type Aim = Gate & {
  /** Where and how the process was struck; undefined: not yet. */
  struck(): Strike | undefined
  giveUp(): void
}

export type Prey = { readonly lane: Lane; readonly pod: Pod; readonly trapper: Trapper }

const idle: Omit<Aim, 'struck'> = {
  atCluster: async () => 'go on',
  atSink: async () => 'go on',
  giveUp: () => {},
}

/** SIGKILL is for good, SIGSTOP to freeze. */
export function takeAim(target: Target, signal: 'SIGKILL' | 'SIGSTOP', { lane, pod, trapper }: Prey, dice: Dice): Aim {
  let last: Strike | undefined
  const struck = () => last

  /** Returns when the process cannot do anything any more. */
  const strike = async (where: Where, how: string) => {
    if (last !== undefined || !pod.signal(signal)) return
    last = { where, how }
    if (signal === 'SIGKILL') await pod.exited
  }

  /** At one of the requests that `isIt` has a word for, when it has come to that step. */
  const atRequest = (where: Phase, step: Step, isIt: (exchange: Exchange) => string | undefined) => {
    return async (exchange: Exchange): Promise<Ruling> => {
      const what = exchange.step === step ? isIt(exchange) : undefined
      if (what === undefined || last !== undefined) return 'go on'
      await delay(dice.between(0, 20))
      await strike(where, `${what}, ${WORDS[step]}`)
      if (signal === 'SIGSTOP') return 'go on'
      // What was on its way when its sender died arrives or not.
      return step === 'whole' && dice.chance(0.5) ? 'go on' : 'break'
    }
  }

  /** At a segment in a folder. The trap strikes, and only then is it seen what was hit. */
  const inFolder = (on: 'temporary' | 'linked', afterMs: number): Aim => {
    const trap = { pid: pod.pid, signal, folders: streamFolders(lane), on, afterMs }
    const { disarm } = trapper.set(trap, () => {
      last ??= { where: whereIs(lane), how: on === 'linked' ? 'file linked' : 'file begun' }
    })
    return { ...idle, struck, giveUp: disarm }
  }

  switch (target) {
    case 'anywhere': {
      const timer = setTimeout(() => void strike(whereIs(lane), 'at any moment'), dice.between(0, 4000))
      return { ...idle, struck, giveUp: () => clearTimeout(timer) }
    }
    case 'fetching': {
      const giveUp = whileFetching(lane.account, dice, () => void strike('fetching', 'request at Zendesk'))
      return { ...idle, struck, giveUp }
    }
    case 'writing':
      if (lane.sink.kind === 'file') return inFolder('temporary', dice.roll())
      return { ...idle, struck, atSink: atRequest('writing', 'body', partOfStream) }
    case 'publishing': {
      if (lane.sink.kind === 'file')
        return dice.chance(0.5) ? inFolder('linked', 0) : inFolder('temporary', dice.between(1, 8))
      return { ...idle, struck, atSink: atRequest('publishing', dice.of(['whole', 'answered']), partOfStream) }
    }
    case 'claiming':
    case 'checkpointing': {
      const wanted = target === 'claiming' ? 'claim' : dice.of(['claim', 'renewal', 'move', 'move', 'release'] as const)
      const kindOf = kindsOfWrites(pod.uid)
      const isIt = (exchange: Exchange) => (kindOf(exchange) === wanted ? wanted : undefined)
      return { ...idle, struck, atCluster: atRequest('checkpointing', dice.of(['whole', 'answered']), isIt) }
    }
  }
}

const WORDS: Readonly<Record<Step, string>> = {
  head: 'announced',
  body: 'half sent',
  whole: 'sent, not taken',
  answered: 'taken, not confirmed',
}

/** Zendesk takes its time over one of the next requests; in that time it happens. Returns how to call it off. */
function whileFetching(account: Account, dice: Dice, happen: () => void): () => void {
  const milliseconds = dice.between(20, 150)
  const fault = account.addFault({ after: dice.between(0, 6), times: 1, effect: { kind: 'latency', milliseconds } })
  let timer: NodeJS.Timeout | undefined
  const looking = setInterval(() => {
    const isThere = account.faults().some(({ id, struck }) => id === fault && struck > 0)
    if (!isThere) return
    clearInterval(looking)
    timer = setTimeout(happen, dice.roll() * milliseconds * 0.8)
  }, 3)
  return () => {
    clearInterval(looking)
    clearTimeout(timer)
    account.removeFault(fault)
  }
}

/** A segment for a store, or a batch for a collector. */
function partOfStream({ method, path }: Exchange): string | undefined {
  if (method === 'POST') return 'batch'
  return method === 'PUT' && /\d{12}\.ndjson\.gz/.test(path) ? 'segment' : undefined
}

type Write = 'claim' | 'renewal' | 'move' | 'release'

/** Tells the writes of one pod's checkpoint apart by what they say. To be asked once of each, when all of it is there. */
function kindsOfWrites(uid: string): (exchange: Exchange) => Write | undefined {
  let before: Checkpoint | undefined
  return ({ method, body }) => {
    if (method !== 'PUT') return undefined
    const { data } = JSON.parse(body().toString()) as { data: Record<string, string> }
    const now = parseCheckpoint(data['checkpoint.json'] ?? '')
    if (now.holder?.pod !== uid) return undefined
    const last = before
    before = now
    if (now.holder.released) return 'release'
    if (last === undefined) return 'claim'
    const hasMoved = Object.entries(now.streams).some(([name, { next }]) => next > (last.streams[name]?.next ?? 0))
    return hasMoved ? 'move' : 'renewal'
  }
}
