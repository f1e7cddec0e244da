/**
 * Pages of Zendesk's API, taken apart without losing a character: records are handed on as the very text Zendesk sent,
 * because their ids are 64-bit integers (D) that JSON.parse would round. Only what surrounds the records is parsed. A
 * page stays the bytes it came as: its text would take two bytes for each character as soon as one of them is Cyrillic.
 */
import { ZendeskError } from './errors.ts'

export type Page = {
  /** Source text of each record, byte for byte. */
  readonly records: Records
  /** The page without its records: meta, links, after_cursor, end_of_stream … */
  readonly envelope: unknown
}

/** Texts that are decoded one by one, each time they are walked through: whoever keeps none of them holds but the page. */
export type Records = Iterable<string> & {
  readonly length: number
  /** Gives the page's memory back: V8 sees no more of it than a handle, and would collect it late. */
  release(): void
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const ARRAY = 0x5b
const ARRAY_END = 0x5d
const OBJECT = 0x7b
const OBJECT_END = 0x7d

/**
 * Splits a page into the elements of its top-level array `key` and the rest. A record is only matched bracket by
 * bracket: one that is no valid JSON is handed on all the same.
 * @throws ZendeskError ZendeskUnavailable when the page is cut off, no JSON, or without that array.
 */
export function splitPage(body: Buffer, key: string): Page {
  let records: number[] | undefined
  let rest = ''
  let restFrom = 0
  let at = space(body, 0)
  if (body[at] !== OBJECT) throw malformed(key)
  at = space(body, at + 1)
  while (body[at] !== OBJECT_END) {
    const nameEnd = stringEnd(body, at, key)
    const name = textOf(body, at + 1, nameEnd - 1)
    at = space(body, nameEnd)
    if (body[at] !== COLON) throw malformed(key)
    at = space(body, at + 1)
    const isRecords = name === key || (name.includes('\\') && unescaped(name) === key)
    if (isRecords && body[at] === ARRAY) {
      records = []
      rest += `${textOf(body, restFrom, at)}[]`
      at = splitArray(body, at, key, records)
      restFrom = at
    } else {
      at = valueEnd(body, at, key)
    }
    at = space(body, at)
    if (body[at] === COMMA) at = space(body, at + 1)
    else if (body[at] !== OBJECT_END) throw malformed(key)
  }
  if (records === undefined) throw malformed(key)
  return { records: textsOf(body, records), envelope: parsed(rest + textOf(body, restFrom), key) }
}

function textsOf(body: Buffer, bounds: readonly number[]): Records {
  return {
    length: bounds.length / 2,
    *[Symbol.iterator]() {
      for (let at = 0; at < bounds.length; at += 2) yield textOf(body, bounds[at], bounds[at + 1])
    },
    release: () => {
      // Small Buffers share one piece of memory.
      if (body.buffer.byteLength !== Buffer.poolSize) (body.buffer as ArrayBuffer).transfer(0)
    },
  }
}

function textOf(body: Buffer, start?: number, end?: number): string {
  return body.toString('utf8', start, end)
}

/** Puts where each element begins and ends into `records`; returns the index after the array. */
function splitArray(body: Buffer, start: number, key: string, records: number[]): number {
  let at = space(body, start + 1)
  if (body[at] === ARRAY_END) return at + 1
  for (;;) {
    const end = valueEnd(body, at, key)
    records.push(at, end)
    at = space(body, end)
    const next = body[at]
    if (next === ARRAY_END) return at + 1
    if (next !== COMMA) throw malformed(key)
    at = space(body, at + 1)
  }
}

function valueEnd(body: Buffer, start: number, key: string): number {
  const first = body[start]
  if (first === QUOTE) return stringEnd(body, start, key)
  if (first !== OBJECT && first !== ARRAY) return scalarEnd(body, start, key)
  let depth = 0
  for (let at = start; at < body.length; at++) {
    const code = body[at]
    if (code === QUOTE) at = stringEnd(body, at, key) - 1
    else if (code === OBJECT || code === ARRAY) depth++
    else if ((code === OBJECT_END || code === ARRAY_END) && --depth === 0) return at + 1
  }
  throw malformed(key)
}

function scalarEnd(body: Buffer, start: number, key: string): number {
  let at = start
  for (; at < body.length; at++) {
    const code = body[at] ?? 0
    if (code <= 0x20 || code === COMMA || code === ARRAY_END || code === OBJECT_END) break
  }
  if (at === start || at === body.length) throw malformed(key)
  return at
}

/** Index after the string that begins at `start`. */
function stringEnd(body: Buffer, start: number, key: string): number {
  if (body[start] !== QUOTE) throw malformed(key)
  for (let at = start + 1; at < body.length; at++) {
    const code = body[at]
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at++
  }
  throw malformed(key)
}

function space(body: Buffer, start: number): number {
  let at = start
  for (;;) {
    const code = body[at]
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at++
  }
}

function unescaped(name: string): unknown {
  try {
    return JSON.parse(`"${name}"`)
  } catch {
    return undefined
  }
}

function parsed(text: string, key: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed(key)
  }
}

function malformed(key: string): ZendeskError {
  return new ZendeskError('ZendeskUnavailable', `Zendesk sent a page of ${key} that is truncated or not valid JSON.`)
}

type Reviver = (this: unknown, name: string, value: unknown, context: { readonly source?: string }) => unknown

const exactInteger: Reviver = (_name, value, { source }) =>
  typeof value === 'number' && source !== undefined && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
    ? source
    : value

/**
 * A record as JSON.parse gives it, but integers that a double cannot hold exactly are their digits, as a string.
 * @throws SyntaxError
 */
export function parseRecord(raw: string): unknown {
  // Only a run of 16 digits can be beyond 2^53; a reviver costs ten times the parse.
  return hasLongRun(raw) ? JSON.parse(raw, exactInteger as (name: string, value: unknown) => unknown) : JSON.parse(raw)
}

const RUN = 16

/** Whether 16 digits follow one another. As /\d{16}/, which takes as long as the parse: such a run covers a 16th place. */
function hasLongRun(raw: string): boolean {
  for (let place = RUN - 1; place < raw.length; place += RUN) {
    if (!isDigit(raw, place)) continue
    let from = place
    while (isDigit(raw, from - 1)) from--
    let end = place + 1
    while (isDigit(raw, end)) end++
    if (end - from >= RUN) return true
  }
  return false
}

/** False outside of the text. */
function isDigit(raw: string, at: number): boolean {
  const code = raw.charCodeAt(at)
  return code >= 0x30 && code <= 0x39
}
