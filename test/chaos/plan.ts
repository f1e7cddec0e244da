/** What the next process of a lane is for, so that in the end everything was done that was asked for. */
import { type Books, PHASES, type Phase, SPECIALS, type Special } from './books.ts'
import type { Dice } from './dice.ts'

/** Where a kill is aimed at: `anywhere` is any moment, `claiming` the first write of the checkpoint. */
export type Target = Phase | 'anywhere' | 'claiming'

/** To be killed, to meet a special fault, or `plain`: to meet others, and to end well. */
export type Turn = { readonly kind: 'kill'; readonly target: Target } | { readonly kind: Special | 'plain' }

export type LaneState = {
  /** Its sink is a disk that can be filled. */
  readonly hasDisk: boolean
  /** Where its chain ends can be found in its sink. */
  readonly canReadBack: boolean
  /** Its last process was killed, so that the next one waits out that one's minute. */
  readonly mustWait: boolean
}

export type Wanted = {
  readonly kills: number
  readonly faults: number
  readonly lanes: number
  /** Whether any lane has a disk. */
  readonly disks: boolean
  /** No process waits out a dead one's minute for a kill or a special fault: it is killed at its claim, or it ends well. */
  readonly hurry: boolean
}

export type Plan = {
  /** Undefined: nothing just now, others are at it. To be given back by `over`. */
  next(lane: LaneState, dice: Dice): Turn | undefined
  over(turn: Turn): void
  /** Whether there are to be more faults at this moment: they go along with the kills. */
  wantsFaults(): boolean
  isDone(): boolean
}

/** Of each phase at least this share of all kills, but one in a hurry … */
const LEAST_SHARE = 0.1
/** … and this share at any moment, whatever the process does then. */
const ANYWHERE_SHARE = 0.06
/** Shares of all faults. */
const SPECIAL_SHARES: Readonly<Record<Special, number>> = { freeze: 0.05, fill: 0.03, stop: 0.04, lose: 0.03 }

export function makePlan(books: Books, wanted: Wanted): Plan {
  const underWay: Turn[] = []
  const least = wanted.hurry ? 1 : Math.ceil(wanted.kills * LEAST_SHARE)
  const count = (holds: (turn: Turn) => boolean) => underWay.filter(holds).length

  const specialsWanted = (special: Special) =>
    special === 'fill' && !wanted.disks ? 0 : Math.ceil(wanted.faults * SPECIAL_SHARES[special])
  const isPossible: Readonly<Record<Special, (lane: LaneState) => boolean>> = {
    freeze: () => true,
    fill: ({ hasDisk }) => hasDisk,
    stop: () => true,
    lose: ({ canReadBack }) => canReadBack,
  }
  const lacks = (special: Special) =>
    books.specialCount(special) + count(({ kind }) => kind === special) < specialsWanted(special)

  /** Kills of a phase that have been, or may be soon. */
  const coming = (phase: Phase) => {
    const isAimed = (target: Target) => target === phase || (target === 'claiming' && phase === 'checkpointing')
    return books.killsIn(phase) + count((turn) => turn.kind === 'kill' && isAimed(turn.target))
  }
  const target = (dice: Dice): Target | undefined => {
    const rarest = PHASES.toSorted((one, other) => coming(one) - coming(other))[0] ?? 'fetching'
    const isEnough = books.kills.length + count(({ kind }) => kind === 'kill') >= wanted.kills
    if (isEnough) return coming(rarest) < least ? rarest : undefined
    return !wanted.hurry && dice.chance(ANYWHERE_SHARE) ? 'anywhere' : rarest
  }

  /** In a hurry each lane has one kill that is no claim, but for those that a long special fault keeps. */
  const mostClaims = wanted.kills - wanted.lanes + specialsWanted('freeze') + specialsWanted('lose')
  let claims = 0

  const choose = (lane: LaneState, dice: Dice): Turn | undefined => {
    const aim = target(dice)
    if (wanted.hurry && lane.mustWait) {
      if (aim !== undefined && claims < mostClaims) {
        claims += 1
        return { kind: 'kill', target: 'claiming' }
      }
    } else {
      // The special ones take longest: as early as may be, but not all at once.
      const special = SPECIALS.find((one) => isPossible[one](lane) && lacks(one))
      if (special !== undefined && (aim === undefined || wanted.hurry || dice.chance(0.5))) return { kind: special }
      if (aim !== undefined) return { kind: 'kill', target: aim }
    }
    const meeting = books.faultCount() + count(({ kind }) => kind === 'plain')
    return meeting < wanted.faults ? { kind: 'plain' } : undefined
  }

  return {
    next: (lane, dice) => {
      const turn = choose(lane, dice)
      if (turn !== undefined) underWay.push(turn)
      return turn
    },
    over: (turn) => void underWay.splice(underWay.indexOf(turn), 1),
    wantsFaults: () => {
      const share = wanted.hurry || wanted.kills === 0 ? 1 : books.kills.length / wanted.kills
      return books.faultCount() < wanted.faults * Math.min(1, share + 0.2)
    },
    isDone: () =>
      books.kills.length >= wanted.kills &&
      books.faultCount() >= wanted.faults &&
      PHASES.every((phase) => books.killsIn(phase) >= least) &&
      SPECIALS.every((special) => books.specialCount(special) >= specialsWanted(special)),
  }
}
