/** The last seconds of a sink: what is under way when the process shall end may come to its end, but not hang. */
import type { Clock } from '../clock.ts'

/** Of the ten seconds that a process has after SIGTERM; the rest is for the checkpoint. */
const GRACE_MS = 6_000

export type Grace = {
  /** Aborted, with the reason of the signal, some seconds after it. */
  readonly timeIsUp: AbortSignal
  /** Lets go of the timer. */
  close(): void
}

export function graceAfter(signal: AbortSignal, clock: Clock): Grace {
  const closed = new AbortController()
  const timeIsUp = new AbortController()
  const endSoon = () => void clock.wait(GRACE_MS, closed.signal).then(() => timeIsUp.abort(signal.reason))
  if (signal.aborted) endSoon()
  else signal.addEventListener('abort', endSoon, { once: true, signal: closed.signal })
  return { timeIsUp: timeIsUp.signal, close: () => closed.abort() }
}
