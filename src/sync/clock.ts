/** Time as an argument: what a run needs of it, so that tests can let hours pass. */
import { setTimeout as delay } from 'node:timers/promises'

export type Clock = {
  readonly now: () => Date
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
  /** Resolves after that many milliseconds, or as soon as the signal is aborted. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  wait: (milliseconds, signal) => delay(milliseconds, undefined, { signal }).catch(() => undefined),
}

/** A time as Zendesk and Kubernetes write it: UTC, without the fraction when it is none. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z')
}
