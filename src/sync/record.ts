/** One record as it came: its exact text, and the few things that every stream's records have. */
import { hash } from 'node:crypto'
import { parseRecord } from '../zendesk/pages.ts'

/** The fields of a record, or of an object in it: nothing is known of their shapes. */
export type Fields = Readonly<Record<string, unknown>>

export type SourceRecord = {
  /** The exact text. */
  readonly raw: string
  /** The parsed text; undefined when it is no JSON object. Integers beyond 2^53 are strings. */
  readonly fields: Fields | undefined
  readonly id: string | undefined
  /** Milliseconds since 1970, and the text they come from; undefined when the record has no readable time. */
  readonly time: number | undefined
  readonly originalTime: string | undefined
}

/** Date.parse reads far more than this, and a time that is misread would put the record out of its place. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT/
/** An offset leads out of the years of four digits, which are all that status and checkpoint know. */
const FIRST_TIME = Date.parse('0000-01-01T00:00:00Z')
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z')
/** Ids are part of what is logged, and of keys in the checkpoint: whatever else stands there, it is none. */
const ID = /^[\w-]{1,64}$/

/** Reads a record whose time stands in `timeField`. Never throws: what cannot be read is kept raw. */
export function readRecord(raw: string, timeField: string): SourceRecord {
  const fields = fieldsOf(parsedOrNothing(raw))
  const id = fields?.id
  const text = fields?.[timeField]
  const originalTime = typeof text === 'string' && ISO_TIME.test(text) ? text : undefined
  const time = originalTime === undefined ? Number.NaN : Date.parse(originalTime)
  const isTime = time >= FIRST_TIME && time <= LAST_TIME
  return {
    raw,
    fields,
    id: typeof id === 'number' || (typeof id === 'string' && ID.test(id)) ? String(id) : undefined,
    time: isTime ? time : undefined,
    originalTime: isTime ? originalTime : undefined,
  }
}

/** Stands for a record that cannot be read and must not be kept: nobody knows what it holds. */
export function unreadable(raw: string): SourceRecord {
  const text = JSON.stringify({ unreadable: versionOf(raw) })
  return { raw: text, fields: undefined, id: undefined, time: undefined, originalTime: undefined }
}

/** Tells one version of a record from another: 64 bits of the SHA-256 of its exact text. */
export function versionOf(raw: string): string {
  // A slice of the digest's text would hold on to the whole of it for as long as the key is remembered.
  return Buffer.from(hash('sha256', raw, 'binary'), 'latin1').toString('hex', 0, 8)
}

/** Undefined of whatever is no object. */
export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

function parsedOrNothing(raw: string): unknown {
  try {
    return parseRecord(raw)
  } catch {
    return undefined
  }
}
