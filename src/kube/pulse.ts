/**
 * Whether a loop that must never end still turns. Every step of such a loop ends within a time of its own: a call by its
 * time-out, a watch by its stall time-out, a pause by its length. So silence for longer than the longest step means that
 * the loop hangs in something that has no end, and only a new process helps. That each step fails is no such sign: an API
 * server that is away does not come back because we are started again.
 */

export type Pulse = {
  /** A step has begun or ended. */
  beat(): void
  /** For how many seconds nothing has moved, where that is too long; undefined: it turns. */
  silence(): number | undefined
}

/** Begins with a beat. */
export function createPulse(longestStepMs: number): Pulse {
  let last = performance.now()
  return {
    beat: () => {
      last = performance.now()
    },
    silence: () => {
      const silentMs = performance.now() - last
      return silentMs <= longestStepMs ? undefined : Math.round(silentMs / 1000)
    },
  }
}
