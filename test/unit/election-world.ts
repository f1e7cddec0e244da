/**
 * A world for elections in which time is made: machines with clocks of their own, a network that delays and loses, and
 * one Lease behind the API's optimistic concurrency. Whole minutes pass in milliseconds, the same way each time.
 */
import type { Call, Cluster } from '../../src/kube/cluster.ts'
import type { Clock } from '../../src/kube/election.ts'
import { KubeError } from '../../src/kube/errors.ts'

export type LeaseObject = {
  metadata: Record<string, unknown> & { resourceVersion: string }
  spec?: Record<string, unknown>
}

/** One way of a call or its answer: milliseconds, or lost. */
export type Trip = number | 'lost'

export type Machine = {
  readonly clock: Clock
  readonly cluster: Cluster
  /** Until then nothing happens on it; its clocks go on. */
  freeze(untilMs: number): void
  /** Nothing happens on it any more. */
  kill(): void
  readonly isFrozen: () => boolean
}

export type MachineOptions = {
  /** Its seconds per second of the world. */
  readonly rate?: number
  /** Milliseconds that it says to people, in the world's time. */
  readonly wall?: (nowMs: number) => number
}

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void; readonly on?: Frozen }
type Frozen = { untilMs: number; dead: boolean }

export type World = {
  nowMs(): number
  /** The Lease as it is stored; undefined: none. Tests may put and take it. */
  lease: LeaseObject | undefined
  /** Every write that took effect, oldest first. */
  readonly written: { readonly atMs: number; readonly lease: LeaseObject }[]
  /** How long each way takes now; every answer may be replaced. */
  network: (machine: Machine) => { readonly there: Trip; readonly back: Trip }
  answer: (raw: unknown) => unknown
  isDown: boolean
  machine(options?: MachineOptions): Machine
  at(atMs: number, run: () => void): void
  /** Lets the world go on until then; `check` is called after everything that happens. */
  run(untilMs: number, check?: () => void): Promise<void>
  /** Lets it go on until it holds; returns after how many milliseconds. Throws after `longestMs`. */
  until(holds: () => boolean, longestMs: number): Promise<number>
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

export function createWorld(): World {
  let nowMs = 1_000
  let order = 0
  let version = 1
  let events: Event[] = []

  const schedule = (atMs: number, run: () => void, on?: Frozen) => {
    const event = { atMs: Math.max(atMs, nowMs), order: order++, run, ...(on && { on }) }
    const index = events.findIndex((other) => other.atMs > event.atMs)
    events.splice(index < 0 ? events.length : index, 0, event)
  }

  const store = (lease: LeaseObject) => {
    const metadata = {
      ...lease.metadata,
      uid: lease.metadata.uid ?? `lease-${version}`,
      resourceVersion: `${++version}`,
    }
    world.lease = structuredClone({ ...lease, metadata })
    world.written.push({ atMs: nowMs, lease: world.lease })
    return world.lease
  }

  const handle = (method: string, body: unknown): unknown => {
    if (world.isDown) throw new KubeError('Unavailable', 'down', 503)
    const sent = body as LeaseObject
    if (method === 'POST') {
      if (world.lease) throw new KubeError('AlreadyExists', 'there', 409)
      return store(sent)
    }
    if (!world.lease) throw new KubeError('NotFound', 'none', 404)
    if (method === 'GET') return world.lease
    if (sent.metadata.resourceVersion !== world.lease.metadata.resourceVersion) {
      throw new KubeError('Conflict', 'changed', 409)
    }
    // As the API server does: what changes nothing makes no version.
    return JSON.stringify(sent.spec) === JSON.stringify(world.lease.spec) ? world.lease : store(sent)
  }

  function machine({ rate = 1, wall = (ms) => ms }: MachineOptions = {}): Machine {
    const state: Frozen = { untilMs: 0, dead: false }
    const later = (localMs: number, run: () => void) => schedule(nowMs + Math.max(localMs, 0.01) / rate, run, state)

    const request = (method: string, _path: string, { body, signal, timeoutMilliseconds = 20_000 }: Call = {}) =>
      new Promise<unknown>((resolve, reject) => {
        const sent = structuredClone(body)
        const { there, back } = world.network(self)
        later(timeoutMilliseconds, () => reject(new KubeError('Timeout', 'no answer in time')))
        signal?.addEventListener('abort', () => reject(new KubeError('Aborted', 'given up')), { once: true })
        if (signal?.aborted) return reject(new KubeError('Aborted', 'given up'))
        if (there === 'lost') return
        schedule(nowMs + there, () => {
          const answer = outcomeOf(() => structuredClone(world.answer(handle(method, sent))))
          if (back !== 'lost') schedule(nowMs + back, () => answer(resolve, reject), state)
        })
      })

    const self: Machine = {
      clock: {
        now: () => new Date(Math.round(wall(nowMs))),
        monotonicMs: () => nowMs * rate,
        sleep: (milliseconds, signal) =>
          new Promise((resolve) => {
            later(milliseconds, resolve)
            signal.addEventListener('abort', () => resolve(), { once: true })
            if (signal.aborted) resolve()
          }),
      },
      cluster: { request, watch: () => Promise.reject(new Error('not here')), close: () => Promise.resolve() },
      freeze: (untilMs) => {
        state.untilMs = Math.max(state.untilMs, untilMs)
      },
      kill: () => {
        state.dead = true
      },
      isFrozen: () => state.dead || state.untilMs > nowMs,
    }
    return self
  }

  async function step(untilMs: number): Promise<boolean> {
    const next = events[0]
    if (next === undefined || next.atMs > untilMs) return false
    events = events.slice(1)
    nowMs = next.atMs
    if (next.on?.dead) return true
    if (next.on && next.on.untilMs > nowMs) schedule(next.on.untilMs, next.run, next.on)
    else {
      next.run()
      await settled()
    }
    return true
  }

  const world: World = {
    nowMs: () => nowMs,
    lease: undefined,
    written: [],
    network: () => ({ there: 5, back: 5 }),
    answer: (raw) => raw,
    isDown: false,
    machine,
    at: schedule,
    async run(untilMs, check) {
      await settled()
      while (await step(untilMs)) check?.()
      nowMs = untilMs
    },
    async until(holds, longestMs) {
      const began = nowMs
      await settled()
      while (!holds()) {
        if (!(await step(began + longestMs))) throw new Error(`it was not so after ${longestMs} ms`)
      }
      return nowMs - began
    },
  }
  return world
}

function outcomeOf(work: () => unknown) {
  try {
    const value = work()
    return (resolve: (value: unknown) => void) => resolve(value)
  } catch (error) {
    return (_: unknown, reject: (error: unknown) => void) => reject(error)
  }
}
