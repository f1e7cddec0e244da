/** How tests compare what is in a sink with what the simulator has. */
import type { Served, SinkRecord } from './stage.ts'

/** Exact source texts of records. */
export const raws = (records: readonly SinkRecord[]): string[] => records.map((record) => record.raw_data)

/** In an order that does not depend on the way they came. */
export const sorted = (texts: Iterable<string>): string[] => [...texts].sort()

/** True of a connector whose run of that slot has ended and is written down. */
export const runEnded =
  (slot: number) =>
  ({ status }: Served): boolean =>
    status?.sync?.lastSlot === slot && status.sync.activeRun === undefined && status.sync.lastRun !== undefined
