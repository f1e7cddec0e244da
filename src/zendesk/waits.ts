/** Who waits for what: told once as it begins, summed up where Zendesk or courtesy asked for it, shown while it lasts. */
import { setTimeout as delay } from 'node:timers/promises'

export type Wait = {
  /** One short sentence for people. */
  readonly what: string
  /** How long it will be, as far as is known. */
  readonly milliseconds: number
  /** Zendesk asked for it, or courtesy to its other clients. */
  readonly throttled: boolean
}

export type Waits = {
  /** One request waits so long. @throws the signal's reason. */
  sleep(wait: Wait, signal: AbortSignal): Promise<void>
  /** What the requests of a limit wait for from now on, and since when one of them does; undefined: nobody waits. */
  hold(scope: string, wait: (Wait & { readonly since: number }) | undefined): void
  /** What is waited for just now; undefined: nothing that is worth a word. */
  now(): string | undefined
  /** Time in which at least one request waited because it was throttled. */
  throttledMs(): number
}

export type WaitsOptions = {
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
  /** Each wait says what it waits for; what all requests of a limit wait for is said once in `onceInMs`. */
  readonly onWait: (what: string, milliseconds: number) => void
  readonly onceInMs: number
}

/** Shorter waits for a limit are its pace, and nobody's concern. */
const LONG_MS = 1000

export function createWaits({ monotonic, onWait, onceInMs }: WaitsOptions): Waits {
  const current = new Map<unknown, Wait & { readonly since: number }>()
  const toldAt = new Map<string, number>()
  let throttledSince: number | undefined
  let throttledMs = 0

  const account = () => {
    const isThrottled = [...current.values()].some(({ throttled }) => throttled)
    if (throttledSince !== undefined && !isThrottled) throttledMs += monotonic() - throttledSince
    throttledSince = isThrottled ? (throttledSince ?? monotonic()) : undefined
  }

  return {
    sleep: async (wait, signal) => {
      if (wait.milliseconds > 0) onWait(wait.what, wait.milliseconds)
      const key = Symbol(wait.what)
      current.set(key, { ...wait, since: monotonic() })
      account()
      try {
        await delay(wait.milliseconds, undefined, { signal })
      } catch {
        throw signal.reason
      } finally {
        current.delete(key)
        account()
      }
    },
    hold: (scope, wait) => {
      if (wait === undefined) current.delete(scope)
      else current.set(scope, wait)
      account()
      if (wait === undefined || wait.milliseconds <= LONG_MS) return
      const key = `${scope} ${wait.throttled}`
      if (monotonic() - (toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < onceInMs) return
      toldAt.set(key, monotonic())
      onWait(wait.what, wait.milliseconds)
    },
    now: () => {
      const long = ({ since, milliseconds }: { since: number; milliseconds: number }) =>
        milliseconds > LONG_MS || monotonic() - since > LONG_MS
      return [...current.values()].filter(long).sort((a, b) => a.since - b.since)[0]?.what
    },
    throttledMs: () => throttledMs + (throttledSince === undefined ? 0 : monotonic() - throttledSince),
  }
}
