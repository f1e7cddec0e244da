/** What tests have spent of each account's budget in the last minute: runs are told, and count it as their own. */
import type { Spent } from '../connector/run.ts'
import { WINDOW_MS } from '../connector/schedule.ts'
import type { TestSpent } from './ports.ts'

export type SpentLedger = {
  record(account: string, spent: readonly TestSpent[]): void
  /** Requests of the last minute, by age. */
  of(account: string): Spent[]
}

type Entry = { readonly at: number; readonly spent: readonly TestSpent[] }

/** `unknown` is assumed of each account at the start: an operator cannot know what the one before it did. */
export function createSpentLedger(now: () => Date, unknown: readonly TestSpent[]): SpentLedger {
  const atStart: Entry = { at: now().getTime(), spent: unknown }
  const accounts = new Map<string, Entry[]>()

  const recent = (entries: readonly Entry[]) => entries.filter(({ at }) => now().getTime() - at < WINDOW_MS)

  return {
    record: (account, spent) => {
      accounts.set(account, [...recent(accounts.get(account) ?? []), { at: now().getTime(), spent }])
    },
    of: (account) =>
      recent([atStart, ...(accounts.get(account) ?? [])]).flatMap(({ at, spent }) =>
        spent.map((one) => ({ ...one, secondsAgo: Math.max(0, Math.floor((now().getTime() - at) / 1000)) })),
      ),
  }
}
