/** One limit of Zendesk's, the account's or an endpoint's: how many requests of it we may make, and when. */
import type { Spent } from '../connector/run.ts'
import { createCourtesy, type Stated } from './courtesy.ts'
import { createLimiter, type Limiter, type Obstacle } from './limiter.ts'

export type Budget = Pick<Limiter, 'run' | 'hold' | 'spent' | 'stop'> & {
  /** A request is being sent in its slot; to be called with what came of it: see Courtesy. */
  sends(): (stated: Stated | undefined, refusedMs: number | undefined) => void
  /** The most in a window, were we alone. */
  limit(): number
  /** Requests that we may make in a window just now. */
  allowed(): number
}

export type BudgetOptions = {
  /** The most we want of it in a window; `total`: the limit as Zendesk states it, undefined before. */
  readonly rate: (total: number | undefined) => number
  readonly windowMs: number
  readonly spent: readonly Spent[]
  readonly monotonic: () => number
  /**
   * Alone, half of the limit may go at once, and what is more is spaced: a burst of all of it would hide other clients,
   * and starve them. False: slots go at once.
   */
  readonly paced: boolean
  /** Told each time when it may have changed what the next in line waits for; undefined: nobody waits. */
  readonly onBlock?: (block: Block | undefined) => void
}

export type Block = {
  /** `advice`: Zendesk asked to wait; `courtesy`: others use what is missing. */
  readonly why: 'budget' | 'courtesy' | 'advice'
  /** Requests in a window that are allowed. */
  readonly allowed: number
  /** Until the next one goes. */
  readonly milliseconds: number
  /** The moment since which the one that waits longest does. */
  readonly since: number
}

/** Alone the pace is a little faster than even: what a busy machine misses is made up for, and slots keep the limit. */
const HASTE = 1.1
/** Of what we want, whatever others do. */
const LEAST = 0.05
/** Of the limit, left free where others are: what they send while our last answer is old … */
const MARGIN = 0.01

/** What is left for us, who want `rate`, of a limit of `total` (undefined: not known yet) that others use as well. */
export function share(rate: number, total: number | undefined, others: number): number {
  const most = Math.min(rate, total ?? rate)
  if (others <= 0 || total === undefined) return most
  // … beside that by which their number differs from one window to the next, if they come at random.
  const left = Math.floor(total - others - Math.sqrt(others) - total * MARGIN)
  return Math.max(Math.min(most, left), leastOf(rate, most))
}

const leastOf = (rate: number, most: number) => Math.min(most, Math.ceil(rate * LEAST))

export function createBudget({ rate, windowMs, spent, monotonic, paced, onBlock }: BudgetOptions): Budget {
  const courtesy = createCourtesy(windowMs)
  const wanted = () => rate(courtesy.total())
  const limit = () => Math.min(wanted(), courtesy.total() ?? wanted())
  const allowed = () => share(wanted(), courtesy.total(), courtesy.others())

  const blockOf = ({ why, milliseconds, since }: Obstacle): Block => {
    const isCourtesy = why === 'pace' && allowed() < limit()
    return {
      why: why === 'hold' ? 'advice' : isCourtesy ? 'courtesy' : 'budget',
      allowed: allowed(),
      milliseconds,
      since,
    }
  }

  const limiter = createLimiter({
    windowMs,
    spent,
    monotonic,
    allowance: (out) => {
      const most = limit()
      if (courtesy.others() === 0) {
        return { limit: most, pace: paced ? { perWindow: most * HASTE, burst: most / 2 } : undefined }
      }
      const left = allowed()
      // Beyond what is left the least goes on: silence would learn nothing of the others.
      return { limit: most, pace: { perWindow: out < left ? left : leastOf(wanted(), most), burst: 1 } }
    },
    onObstacle: (found) => onBlock?.(found && blockOf(found)),
  })

  return {
    run: limiter.run,
    hold: limiter.hold,
    spent: limiter.spent,
    stop: limiter.stop,
    sends: () => {
      const mark = courtesy.sends(limiter.out(), monotonic())
      return (stated, refusedMs) => {
        courtesy.ended(mark, stated, refusedMs, monotonic())
        limiter.look()
      }
    },
    limit,
    allowed,
  }
}
