/** What goes wrong around a run: at Zendesk, as the simulator plays it, and on the ways to API server and sink. */
import type { Account } from '../simulator/account.ts'
import type { FaultOptions } from '../simulator/faults.ts'
import type { Books } from './books.ts'
import type { Dice } from './dice.ts'
import type { Gate } from './lane.ts'
import type { Exchange, Ruling, Step } from './relay.ts'

type AtZendesk = (dice: Dice) => FaultOptions
type OnTheWay = { readonly step: Step; readonly ruling: Ruling; readonly seconds?: number }

const api = (effect: FaultOptions['effect']): FaultOptions => ({ path: '^/api/v2/', effect })
const status =
  (code: number, more: object = {}): AtZendesk =>
  () =>
    api({ kind: 'status', status: code, ...more })

const AT_ZENDESK: Readonly<Record<string, AtZendesk>> = {
  '429 with seconds': (dice) => api({ kind: 'status', status: 429, retryAfter: dice.between(1, 3) }),
  '429 with a date': (dice) => api({ kind: 'status', status: 429, retryAfterDate: dice.between(2, 4) }),
  '429 without advice': status(429),
  '503 with seconds': status(503, { retryAfter: 1 }),
  '503 without advice': status(503),
  '504': status(504),
  '500': status(500),
  'HTML instead of JSON': (dice) => api({ kind: 'html', status: dice.of([200, 502]) }),
  'body cut off': () => api({ kind: 'cutOff' }),
  'half a JSON': () => api({ kind: 'invalidJson' }),
  'reset before the answer': () => api({ kind: 'reset', when: 'before' }),
  'reset in the answer': () => api({ kind: 'reset', when: 'during' }),
  'stall before the answer': (dice) => api({ kind: 'stall', seconds: dice.between(1, 4) }),
  'stall in the answer': (dice) => api({ kind: 'stall', seconds: dice.between(1, 4), when: 'during' }),
  latency: (dice) => api({ kind: 'latency', milliseconds: dice.between(300, 2000) }),
  'token expired': () => api({ kind: 'revokeTokens' }),
  'no token': () => ({ path: '^/oauth/tokens', effect: { kind: 'status', status: 500 } }),
  'proxy refuses': () => ({ effect: { kind: 'refuseConnect', status: 502 } }),
  'proxy hangs up': () => ({ effect: { kind: 'down' } }),
  'wrong certificate': (dice) => ({ effect: { kind: 'wrongCertificate', of: dice.of(['authority', 'name']) } }),
}

const TO_CLUSTER: Readonly<Record<string, OnTheWay>> = {
  'API server away for 2 s': { step: 'head', ruling: 'break', seconds: 2 },
  'API server away for 12 s': { step: 'head', ruling: 'break', seconds: 12 },
  'API server answers 500': { step: 'head', ruling: 500 },
  'checkpoint taken, not confirmed': { step: 'answered', ruling: 'break' },
}

const TO_SINK: Readonly<Record<string, OnTheWay>> = {
  'sink away for 3 s': { step: 'head', ruling: 'break', seconds: 3 },
  'sink answers 503': { step: 'whole', ruling: 503 },
  'sink breaks off': { step: 'body', ruling: 'break' },
  'segment taken, not confirmed': { step: 'answered', ruling: 'break' },
}

/** The mishaps of one lane: each strikes one of its next requests, and counts when it has. */
export type Mishaps = Gate & {
  /** One more lies in wait. */
  plant(): void
  /** How many have not struck yet. */
  waiting(): number
  /** Counts those that have struck. */
  settle(books: Books): void
  clear(): void
}

export function createMishaps(account: Account, hasSinkServer: boolean, dice: Dice): Mishaps {
  const planted = new Map<number, string>()
  const toCluster = createWay(dice)
  const toSink = createWay(dice)
  const ways = hasSinkServer ? [toCluster, toSink] : [toCluster]

  const plantAtZendesk = () => {
    const kind = dice.of(Object.keys(AT_ZENDESK))
    const fault = AT_ZENDESK[kind]?.(dice) ?? api({ kind: 'cutOff' })
    // Connections are few, requests many.
    const after = fault.path === undefined ? 0 : dice.between(0, 5)
    planted.set(account.addFault({ ...fault, after, times: 1 }), kind)
  }
  return {
    plant: () => {
      if (dice.chance(0.75)) plantAtZendesk()
      else if (hasSinkServer && dice.chance(0.5)) toSink.plant(TO_SINK)
      else toCluster.plant(TO_CLUSTER)
    },
    atCluster: toCluster.at,
    atSink: toSink.at,
    waiting: () => planted.size + ways.reduce((sum, way) => sum + way.waiting(), 0),
    settle: (books) => {
      for (const { id, struck } of account.faults()) {
        const kind = planted.get(id)
        if (kind === undefined || struck === 0) continue
        books.faulted(kind)
        planted.delete(id)
        account.removeFault(id)
      }
      for (const way of ways) for (const kind of way.struck()) books.faulted(kind)
    },
    clear: () => {
      account.clearFaults()
      planted.clear()
      for (const way of ways) way.clear()
    },
  }
}

/** What goes wrong on one way. */
function createWay(dice: Dice) {
  let waiting: { readonly kind: string; readonly mishap: OnTheWay; after: number }[] = []
  const struck: string[] = []
  let closedUntil = 0
  return {
    plant: (mishaps: Readonly<Record<string, OnTheWay>>) => {
      const [kind, mishap] = dice.of(Object.entries(mishaps))
      waiting.push({ kind, mishap, after: dice.between(0, 5) })
    },
    at: async ({ step }: Exchange): Promise<Ruling> => {
      if (performance.now() < closedUntil) return 'break'
      const next = waiting.find(({ mishap }) => mishap.step === step)
      if (next === undefined || next.after-- > 0) return 'go on'
      const { kind, mishap } = next
      waiting = waiting.filter((one) => one !== next)
      struck.push(kind)
      closedUntil = performance.now() + (mishap.seconds ?? 0) * 1000
      return mishap.ruling
    },
    waiting: () => waiting.length,
    struck: () => struck.splice(0),
    clear: () => {
      waiting = []
      closedUntil = 0
    },
  }
}
