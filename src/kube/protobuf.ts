/**
 * Kubernetes' protobuf, as far as it is read: of an object only the fields that are named, as JSON has them (but that what
 * is not set is '', 0 or undefined). The rest is passed over by its length, of a Job nine tenths, and the API server takes
 * little more than half of the time that JSON takes it.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */
import { PbfReader } from 'pbf'
import { KubeError } from './errors.ts'

/** Its media type. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

/** A message of which only these fields are read, by their numbers. */
export type Message = Readonly<Record<number, Field>>
type Values = Record<string, unknown>
type Field = (values: Values, from: PbfReader) => void
/** Reads a value where it stands. */
type Read = (from: PbfReader) => unknown

/** Reads a whole message. @throws KubeError: Malformed. */
export function decode(message: Message, bytes: Buffer): Values {
  try {
    return valuesOf(message, new PbfReader(bytes), bytes.length)
  } catch {
    throw malformed()
  }
}

/** The error that anything else than was asked for stands for. */
export function malformed(): KubeError {
  return new KubeError('Malformed', 'the API server sent something that is not Kubernetes protobuf')
}

function valuesOf(message: Message, from: PbfReader, end: number): Values {
  const values = from.readFields((number: number, into: Values) => message[number]?.(into, from), {}, end)
  if (from.pos !== end || end > from.length) throw new RangeError('ends unexpectedly')
  return values
}

/** pbf's own way loses a byte order mark. */
export const string: Read = (from) => {
  const [start, end] = placeOf(from)
  return bufferOf(from).toString('utf8', start, end)
}
export const boolean: Read = (from) => from.readBoolean()
export const integer: Read = (from) => from.readVarint(true)
export const bytes: Read = (from) => {
  const [start, end] = placeOf(from)
  return bufferOf(from).subarray(start, end)
}

/** A message within another. */
export function nested(message: Message): Read {
  return (from) => valuesOf(message, from, from.readVarint() + from.pos)
}

/** A point in time as JSON has it; undefined where none is set. One that no calendar has is no reason to read no further. */
export const time: Read = (from) => {
  const { seconds } = instant(from) as { readonly seconds?: number }
  if (seconds === undefined) return undefined
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().replace('.000', '')
}
const instant = nested({ 1: one('seconds', integer) })

/** A field that is there once. */
export function one(name: string, read: Read): Field {
  return (values, from) => {
    values[name] = read(from)
  }
}

/** One that is there any number of times: a list, absent when it is empty. */
export function many(name: string, read: Read): Field {
  return (values, from) => {
    values[name] ??= []
    ;(values[name] as unknown[]).push(read(from))
  }
}

/** A map from strings to strings, absent when it is empty. `keys`: only these are read. */
export function map(name: string, keys?: readonly string[]): Field {
  return (values, from) => {
    const { key = '', value } = entry(from) as { readonly key?: string; readonly value?: Buffer }
    if (keys !== undefined && !keys.includes(key)) return
    values[name] ??= {}
    const text = value?.toString('utf8') ?? ''
    // Assigned to, a key `__proto__` would be lost.
    Object.defineProperty(values[name], key, { value: text, enumerable: true, writable: true, configurable: true })
  }
}
const entry = nested({ 1: one('key', string), 2: one('value', bytes) })

/** Goes past a value that has its length before it, and tells where it is. */
function placeOf(from: PbfReader): [number, number] {
  const length = from.readVarint()
  const start = from.pos
  from.pos += length
  return [start, from.pos]
}

function bufferOf(from: PbfReader): Buffer {
  return from.buf as Buffer
}
