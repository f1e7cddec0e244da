/** Going on through what passes: each failed attempt is scheduled again after a wait, and each wait is told. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Reason } from '../connector/reasons.ts'
import { ZendeskError } from './errors.ts'
import { backOff } from './retry-after.ts'

/** An attempt that may go better next time; `waitMs` is Zendesk's advice. */
export class Again {
  readonly reason: Reason
  readonly message: string
  readonly waitMs: number | undefined

  constructor({ reason, message, waitMs }: { reason: Reason; message: string; waitMs?: number | undefined }) {
    this.reason = reason
    this.message = message
    this.waitMs = waitMs
  }
}

export type Persistence = {
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
  /** From [0, 1). */
  readonly random: () => number
  /** Each wait says what it waits for. */
  readonly onWait: (what: string, milliseconds: number) => void
}

/** After this long without a good answer the run ends with "try again": longer than any advice that is followed. */
const GIVE_UP_MS = 20 * 60_000

/**
 * Repeats `once` until it returns something else than Again.
 * @throws ZendeskError as `once` does unless it passes (NetworkError, TlsError), or with the last reason when it gives up.
 */
export async function persist<T>(
  once: () => Promise<T | Again>,
  signal: AbortSignal,
  { monotonic, random, onWait }: Persistence,
): Promise<T> {
  const since = monotonic()
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await once().catch(passing)
    if (!(outcome instanceof Again)) return outcome
    // Advice of no wait at all is no reason to storm: the second attempt in a row waits as it would without.
    const waitMs = Math.max(
      outcome.waitMs ?? 0,
      outcome.waitMs === undefined || attempt > 0 ? backOff(attempt, random()) : 0,
    )
    if (monotonic() + waitMs - since > GIVE_UP_MS) throw new ZendeskError(outcome.reason, outcome.message)
    if (waitMs > 0) onWait(outcome.message, waitMs)
    await delay(waitMs, undefined, { signal })
  }
}

function passing(error: unknown): Again {
  if (error instanceof ZendeskError && (error.reason === 'NetworkError' || error.reason === 'TlsError')) {
    return new Again(error)
  }
  throw error
}
