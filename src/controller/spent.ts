/** What tests have spent of each account's budget in the last minute: runs are told, and count it as their own. */
import type { Spent } from '../connector/run.ts'

export type SpentLedger = {
  record(account: string, requests: number): void
  /** Requests of the last minute, by age. */
  of(account: string): Spent[]
}

const WINDOW_MS = 60_000
/** The most that one test makes: assumed for each account by an operator that cannot know what the last one did. */
export const MOST_PER_TEST = 10

export function createSpentLedger(now: () => Date): SpentLedger {
  const startedAt = now().getTime()
  const accounts = new Map<string, { at: number; requests: number }[]>()

  const recent = (account: string) => (accounts.get(account) ?? []).filter(({ at }) => now().getTime() - at < WINDOW_MS)

  return {
    record: (account, requests) => {
      accounts.set(account, [...recent(account), { at: now().getTime(), requests }])
    },
    of: (account) => {
      const before = now().getTime() - startedAt < WINDOW_MS ? [{ at: startedAt, requests: MOST_PER_TEST }] : []
      return [...before, ...recent(account)].map(({ at, requests }) => ({
        secondsAgo: Math.max(0, Math.floor((now().getTime() - at) / 1000)),
        requests,
      }))
    },
  }
}
