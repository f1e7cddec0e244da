/** Going on through what passes: each failed attempt is scheduled again after a wait, and each wait is told. */
import { type Trouble, ZendeskError } from './errors.ts'
import { backOff } from './retry-after.ts'
import type { Passing } from './verdict.ts'
import type { Waits } from './waits.ts'

/** An attempt that may go better next time. */
export class Again {
  readonly why: Passing

  constructor(why: Passing) {
    this.why = why
  }
}

export type Persistence = {
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: () => number
  /** From [0, 1). */
  readonly random: () => number
  readonly waits: Pick<Waits, 'sleep'>
  /** An attempt is about to be repeated. */
  readonly onRetry: (trouble: Trouble) => void
}

/** After this long without a good answer the run ends with "try again": longer than any advice that is followed. */
const GIVE_UP_MS = 20 * 60_000

/**
 * Repeats `once` until it returns something else than Again, or the signal ends it.
 * @throws ZendeskError as `once` does unless it passes (NetworkError, TlsError), or with the last reason when it gives up.
 */
export async function persist<T>(
  once: () => Promise<T | Again>,
  signal: AbortSignal,
  { monotonic, random, waits, onRetry }: Persistence,
): Promise<T> {
  const since = monotonic()
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await once().catch(passing)
    if (!(outcome instanceof Again)) return outcome
    const { reason, message, trouble, waitMs } = outcome.why
    // Advice of no wait at all is no reason to storm: the second attempt in a row waits as it would without.
    const milliseconds = Math.max(waitMs ?? 0, waitMs === undefined || attempt > 0 ? backOff(attempt, random()) : 0)
    if (monotonic() + milliseconds - since > GIVE_UP_MS) throw new ZendeskError(reason, message)
    onRetry(trouble)
    const throttled = trouble === '429' || trouble === '503'
    await waits.sleep({ what: message, milliseconds, throttled }, signal)
  }
}

function passing(error: unknown): Again {
  if (error instanceof ZendeskError && error.trouble !== undefined) {
    const { reason, message, trouble } = error
    return new Again({ reason, message, trouble, waitMs: undefined })
  }
  throw error
}
