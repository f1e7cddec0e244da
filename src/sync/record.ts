/** One record as it came: its exact text, and the few things that every stream's records have. */
import { hash } from 'node:crypto'
import { parseRecord } from '../zendesk/pages.ts'

export type SourceRecord = {
  /** The exact text. */
  readonly raw: string
  /** The parsed text; undefined when it is no JSON. Integers beyond 2^53 are strings. */
  readonly value: unknown
  readonly id: string | undefined
  /** Milliseconds since 1970, and the text they come from; undefined when the record has no readable time. */
  readonly time: number | undefined
  readonly originalTime: string | undefined
}

/** Reads a record whose time stands in `timeField`. Never throws: what cannot be read is kept raw. */
export function readRecord(raw: string, timeField: string): SourceRecord {
  const value = parsedOrNothing(raw)
  const fields: Readonly<Record<string, unknown>> = isObject(value) ? value : {}
  const { id } = fields
  const originalTime = fields[timeField]
  const time = typeof originalTime === 'string' ? Date.parse(originalTime) : Number.NaN
  return {
    raw,
    value,
    id: typeof id === 'string' || typeof id === 'number' ? String(id) : undefined,
    ...(typeof originalTime === 'string' && Number.isFinite(time)
      ? { time, originalTime }
      : { time: undefined, originalTime: undefined }),
  }
}

/** Tells one version of a record from another: 64 bits of the SHA-256 of its exact text. */
export function versionOf(raw: string): string {
  return hash('sha256', raw, 'hex').slice(0, 16)
}

function parsedOrNothing(raw: string): unknown {
  try {
    return parseRecord(raw)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
