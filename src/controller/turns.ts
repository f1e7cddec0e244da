/**
 * Who may go now: at most so many at a time, and one at a time of each Zendesk account, in the order in which they fell
 * due. A turn is a reservation in memory; whoever stands in line is woken when it is theirs.
 */
import { AT_ONCE } from '../connector/schedule.ts'

export type Turns = {
  /**
   * `key` has been waiting since `due`, and stands in line as of now; undefined: it leaves, and gives back its turn. It is
   * not woken when the turn is there at once: who stands looks for itself.
   */
  stand(key: string, account: string, due: Date | undefined): void
  leave(key: string): void
  /** Whether it is its turn. */
  has(key: string): boolean
  /** Since when it stands in line and what for: another one of its account, or any; undefined: it does not, or has a turn. */
  wait(key: string): { readonly since: Date; readonly for: 'Account' | 'Cluster' } | undefined
  /** Gives out what has become free: to be called when `isTaken` or `taken` have changed. */
  next(): void
}

export type TurnsOptions = {
  /** Turns at a time. */
  readonly most: number
  /** So many of them are only for what is due AT_ONCE: else it would wait until one of those at it has ended. */
  readonly keptForUrgent?: number
  /** Whether somebody beside `key` is at it in this account, with or without a turn of ours. */
  readonly isTaken?: (account: string, key: string) => boolean
  /** How many are at it already, with or without a turn of ours. */
  readonly taken?: () => number
  /** It is the turn of `key`. */
  readonly wake: (key: string) => void
  readonly now: () => Date
}

type Place = {
  readonly key: string
  readonly account: string
  readonly due: number
  readonly since: Date
  readonly arrival: number
}

export function createTurns(options: TurnsOptions): Turns {
  const { most, keptForUrgent = 0, isTaken = () => false, taken = () => 0, wake, now } = options
  /** In order. */
  const line: Place[] = []
  const places = new Map<string, Place>()
  /** Keys whose turn it is, by account. */
  const turns = new Map<string, string>()
  let arrivals = 0

  const isBusy = ({ account, key }: Place) => turns.has(account) || isTaken(account, key)

  const leave = (key: string) => {
    const place = places.get(key)
    if (place === undefined) return
    places.delete(key)
    if (turns.get(place.account) === key) turns.delete(place.account)
    else line.splice(indexOf(place), 1)
    next()
  }

  /** Where a place stands, or would. */
  const indexOf = (place: Place): number => {
    let from = 0
    let to = line.length
    while (from < to) {
      const middle = (from + to) >>> 1
      const other = line[middle]
      if (other !== undefined && isBefore(other, place)) from = middle + 1
      else to = middle
    }
    return from
  }

  const next = (standing?: string) => {
    const woken: string[] = []
    let routine = taken() + [...turns.values()].filter((key) => !isUrgent(places.get(key))).length
    for (let at = 0; at < line.length && turns.size + taken() < most; ) {
      const place = line[at]
      // The urgent ones stand in front: behind this one there are none.
      if (place !== undefined && !isUrgent(place) && routine >= most - keptForUrgent) break
      if (place === undefined || isBusy(place)) {
        at += 1
        continue
      }
      line.splice(at, 1)
      turns.set(place.account, place.key)
      if (!isUrgent(place)) routine += 1
      woken.push(place.key)
    }
    for (const key of woken) if (key !== standing) wake(key)
  }

  return {
    stand: (key, account, due) => {
      const known = places.get(key)
      if (due === undefined) return leave(key)
      if (known?.account === account && (known.due === due.getTime() || turns.get(account) === key)) return
      leave(key)
      const place = { key, account, due: due.getTime(), since: known?.since ?? now(), arrival: arrivals++ }
      places.set(key, place)
      line.splice(indexOf(place), 0, place)
      next(key)
    },
    leave,
    has: (key) => {
      const place = places.get(key)
      return place !== undefined && turns.get(place.account) === key
    },
    wait: (key) => {
      const place = places.get(key)
      if (place === undefined || turns.get(place.account) === key) return undefined
      return { since: place.since, for: isBusy(place) ? 'Account' : 'Cluster' }
    },
    next: () => next(),
  }
}

function isUrgent(place: Place | undefined): boolean {
  return place?.due === AT_ONCE.getTime()
}

function isBefore(one: Place, other: Place): boolean {
  return one.due === other.due ? one.arrival < other.arrival : one.due < other.due
}
