/**
 * What each account has been asked in the last minute beside the runs' own books: by tests, and by runs of connectors
 * that are gone with their checkpoints. Runs are told, and count it as their own; tests keep to the rate among themselves.
 */
import type { Books } from '../connector/observed.ts'
import type { Spent } from '../connector/run.ts'
import { HOLD_MS, WINDOW_MS } from '../connector/schedule.ts'
import type { TestSpent } from './ports.ts'

export type SpentLedger = {
  /** A test has ended. */
  tested(account: string, spent: readonly TestSpent[]): void
  /** A connector went, and what its last run had spent went with it: all of it, until its pods are gone. */
  forgotten(account: string, all: readonly TestSpent[]): void
  /** Requests of the last minute by tests, by age. */
  byTests(account: string): Spent[]
  /** Requests of the last minute that a run must count. */
  forRun(account: string): Spent[]
}

/** A pod whose connector was deleted sends nothing any more after this: it cannot renew its checkpoint. */
const LINGER_MS = 15_000

type Entry = { readonly at: number; readonly spent: readonly TestSpent[]; readonly byTest: boolean }

/** `unknown` is assumed of each account at the start: an operator cannot know what the one before it did. */
export function createSpentLedger(now: () => Date, unknown: readonly TestSpent[]): SpentLedger {
  const atStart: Entry = { at: now().getTime(), spent: unknown, byTest: false }
  const accounts = new Map<string, Entry[]>()

  const recent = (account: string): Entry[] => {
    const entries = (accounts.get(account) ?? []).filter(({ at }) => now().getTime() - at < WINDOW_MS)
    if (entries.length === 0) accounts.delete(account)
    else accounts.set(account, entries)
    return entries
  }
  const add = (account: string, entry: Entry) => {
    const entries = [...recent(account), entry]
    accounts.delete(account)
    accounts.set(account, entries)
    // The first was added to longest ago. Nobody may ask for an account again whose connectors are gone.
    for (const [oldest] of accounts) if (recent(oldest).length > 0) break
  }
  const byAge = (entries: readonly Entry[]): Spent[] =>
    entries.flatMap(({ at, spent }) => {
      const secondsAgo = Math.max(0, (now().getTime() - at) / 1000)
      return secondsAgo * 1000 < WINDOW_MS ? spent.map((one) => ({ ...one, secondsAgo })) : []
    })

  return {
    tested: (account, spent) => add(account, { at: now().getTime(), spent, byTest: true }),
    forgotten: (account, all) => add(account, { at: now().getTime() + LINGER_MS, spent: all, byTest: false }),
    byTests: (account) => byAge(recent(account).filter(({ byTest }) => byTest)),
    forRun: (account) => byAge([atStart, ...recent(account)]),
  }
}

/** What runs of the account's other connectors have spent in the last minute; `all`: what counts for one that died. */
export function spentByNeighbours(checkpoints: readonly Books[], all: readonly TestSpent[], now: Date): Spent[] {
  const secondsSince = (time: string) => (now.getTime() - Date.parse(time)) / 1000
  return checkpoints
    .flatMap(({ holder, budget }) => {
      if (holder?.released === false) {
        const secondsAgo = secondsSince(holder.renewTime) - HOLD_MS / 1000
        return all.map((one) => ({ ...one, secondsAgo }))
      }
      return (budget?.spent ?? []).map((one) => ({
        ...one,
        secondsAgo: one.secondsAgo + secondsSince(budget?.at ?? ''),
      }))
    })
    .map((one) => ({ ...one, secondsAgo: Math.max(0, one.secondsAgo) }))
    .filter(({ secondsAgo }) => secondsAgo * 1000 < WINDOW_MS)
}
