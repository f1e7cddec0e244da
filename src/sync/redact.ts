/**
 * Fields that must not be stored. Works on the text of a record, before anything reads it: what is left out here can turn
 * up nowhere behind it, and whatever stays is as Zendesk sent it.
 */

/**
 * The text of a record with `null` in place of the value of each redacted field; every other character stays. Undefined
 * of a text that is no JSON: nobody knows what it holds.
 */
export type Redactor = (raw: string) => string | undefined

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPENING = [0x7b, 0x5b]
const CLOSING = [0x7d, 0x5d]

/**
 * Redacts the fields of these names, wherever in a record they stand and however their names are written. The values
 * only: the same text elsewhere, such as an address within a `change_description` or in JSON within a string, is found by
 * naming that field as well.
 */
export function createRedactor(fields: readonly string[]): Redactor {
  if (fields.length === 0) return (raw) => raw
  const names = new Set(fields)
  const quoted = fields.map((name) => `"${name}"`)
  return (raw) => {
    if (!isJson(raw)) return undefined
    // Only an escape can hide a name.
    const mayOccur = raw.includes('\\') || quoted.some((name) => raw.includes(name))
    return mayOccur ? redacted(raw, names) : raw
  }
}

/** Of a valid JSON text. A string in it is a name when a colon follows, and nowhere else. */
function redacted(raw: string, names: ReadonlySet<string>): string {
  let text = ''
  let from = 0
  for (let start = raw.indexOf('"'); start >= 0; ) {
    let end = stringEnd(raw, start)
    const colon = pastSpace(raw, end)
    if (raw.charCodeAt(colon) === COLON && names.has(nameOf(raw.slice(start, end)))) {
      const value = pastSpace(raw, colon + 1)
      end = valueEnd(raw, value)
      text += `${raw.slice(from, value)}null`
      from = end
    }
    start = raw.indexOf('"', end)
  }
  return from === 0 ? raw : text + raw.slice(from)
}

function nameOf(quoted: string): string {
  return quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1)
}

/** Index after the string that begins at `start`. */
function stringEnd(raw: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const code = raw.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at++
  }
}

/** Index after the value that begins at `start`. */
function valueEnd(raw: string, start: number): number {
  const first = raw.charCodeAt(start)
  if (first === QUOTE) return stringEnd(raw, start)
  if (!OPENING.includes(first)) return scalarEnd(raw, start)
  let depth = 0
  for (let at = start; ; at++) {
    const code = raw.charCodeAt(at)
    if (code === QUOTE) at = stringEnd(raw, at) - 1
    else if (OPENING.includes(code)) depth++
    else if (CLOSING.includes(code) && --depth === 0) return at + 1
  }
}

function scalarEnd(raw: string, start: number): number {
  let at = start
  while (raw.charCodeAt(at) > 0x20 && raw.charCodeAt(at) !== COMMA && !CLOSING.includes(raw.charCodeAt(at))) at++
  return at
}

function pastSpace(raw: string, start: number): number {
  let at = start
  while (raw.charCodeAt(at) <= 0x20) at++
  return at
}

function isJson(raw: string): boolean {
  try {
    JSON.parse(raw)
    return true
  } catch {
    return false
  }
}
