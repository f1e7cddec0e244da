/** Compares what is in a sink with what the simulator has: nothing missing, nothing twice, byte for byte. */
import { expect } from 'vitest'
import type { Account } from '../../simulator/account.ts'
import { raws, sorted } from '../records.ts'
import type { SinkRecord } from '../stage.ts'

/** Every activity of the last seven days is there once, as Zendesk has it. */
export function expectAllActivities(account: Account, records: readonly SinkRecord[], count: number): void {
  const idOf = (raw: string) => /"id":(\d+)/.exec(raw)?.[1] ?? ''
  expect(new Set(records.map(({ metadata }) => metadata.uid)).size).toBe(records.length)
  expect(records).toHaveLength(count)
  expect(raws(records).filter((raw) => raw !== account.rawActivity(idOf(raw)))).toEqual([])
}

/** Every user is there once. */
export function expectAllUsers(account: Account, records: readonly SinkRecord[]): void {
  expect(sorted(raws(records))).toEqual(sorted(account.users()))
}
