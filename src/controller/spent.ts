/**
 * What each account has been asked in the last minute beside the runs' own books: by tests, and by runs of connectors
 * that are gone with their checkpoints. Runs are told, and count it as their own; tests keep to the rate among themselves.
 */
import type { Spending, Spent } from '../connector/run.ts'
import { HOLD_MS, WINDOW_MS } from '../connector/schedule.ts'

export type SpentLedger = {
  /** A test has ended. */
  tested(account: string, spent: readonly Spending[]): void
  /** A connector went, and what its last run had spent went with it: all of it, until its pods are gone. */
  forgotten(account: string, all: readonly Spending[]): void
  /** Requests of the last minute by tests, by age. */
  byTests(account: string): Spent[]
  /** Requests of the last minute that a run must count. */
  forRun(account: string): Spent[]
}

/** `at`: milliseconds of the ledger's clock. */
type Entry = { readonly at: number; readonly spent: readonly Spending[]; readonly byTest: boolean }

/**
 * `unknown` is assumed of each account at the start: an operator cannot know what the one before it did. `monotonic`:
 * milliseconds that never go back, since ages are all that counts: by a clock set back by an hour nobody could test for one.
 */
export function createSpentLedger(monotonic: () => number, unknown: readonly Spending[]): SpentLedger {
  const atStart: Entry = { at: monotonic(), spent: unknown, byTest: false }
  const accounts = new Map<string, Entry[]>()

  const recent = (account: string): Entry[] => {
    const entries = (accounts.get(account) ?? []).filter(({ at }) => monotonic() - at < WINDOW_MS)
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
      const secondsAgo = Math.max(0, (monotonic() - at) / 1000)
      return secondsAgo * 1000 < WINDOW_MS ? spent.map((one) => ({ ...one, secondsAgo })) : []
    })

  return {
    tested: (account, spent) => add(account, { at: monotonic(), spent, byTest: true }),
    // Its pods cannot renew the checkpoint any more, which is gone: after that they send nothing.
    forgotten: (account, all) => add(account, { at: monotonic() + HOLD_MS, spent: all, byTest: false }),
    byTests: (account) => byAge(recent(account).filter(({ byTest }) => byTest)),
    forRun: (account) => byAge([atStart, ...recent(account)]),
  }
}
