/**
 * The spacing of requests: credit grows with time, each request takes one. Whoever was idle may send some at once; who
 * waits gains no more than makes up for late timers. Pure: time is an argument.
 */

/** `perWindow` requests evenly over each window; up to `burst` at once after a time without demand. */
export type Pace = { readonly perWindow: number; readonly burst: number }

export type Pacer = {
  /** Lets the credit grow until `now`; `waited`: somebody has waited all the while. */
  pass(pace: Pace, now: number, waited: boolean): void
  /** Milliseconds until one more may go; 0: at once. */
  untilNext(pace: Pace): number
  /** One goes. */
  take(): void
}

/** What a busy pace makes up for when timers are late: a 400th of a window, in requests. More would be a burst. */
const slackOf = ({ perWindow }: Pace) => 1 + perWindow / 400

/** Rounding of sums, in requests: a timer that fires on time finds enough. */
const ROUNDING = 1e-6

/** `credit`: how many may go at once in the beginning. */
export function createPacer(credit: number, windowMs: number, now: number): Pacer {
  let at = now
  return {
    pass: (pace, to, waited) => {
      const most = waited ? Math.max(slackOf(pace), Math.min(credit, pace.burst)) : Math.max(slackOf(pace), pace.burst)
      credit = Math.min(most, credit + ((to - at) * pace.perWindow) / windowMs)
      at = to
    },
    untilNext: ({ perWindow }) => (credit >= 1 - ROUNDING ? 0 : ((1 - credit) * windowMs) / perWindow),
    take: () => {
      credit -= 1
    },
  }
}
