/**
 * Objects as text while nobody looks at them: what belongs to a connector with three runs behind it takes 16 KiB as values
 * and 6 so, which ten thousand times is the difference between too much and enough. Most of it is the same few names again
 * and again: here each is two characters, each character is a byte, and the collector has nothing in it to follow. What
 * JSON knows comes back as it was, and Dates as well; keys whose value is undefined do not.
 */

/** A value, packed. Good in this process only. */
export type Packed<T> = string & { readonly of?: T }

// A string that begins so stands for a Date, or begins so itself. JSON's way to write it shows that there is one.
const MARK = '\0'
const WRITTEN_MARK = '\\u0000'

/** A key with its colon, and the value where that is one of a few: a number that is mostly zero, a word of an API. */
const NAMES = /"[A-Za-z]{1,32}":(?:(?:0|true|false)(?=[,}])|"[A-Z][A-Za-z]{0,31}")?/g
/** JSON never holds a bare control character, so a code cannot be taken for text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CODES = /[\x01-\x1f][ -~]/g
const FIRSTS = 0x1f
const SECONDS = 0x7e - 0x20 + 1
/** Names as they are met, until there is no code left: hostile ones cannot make it grow. */
const names: string[] = []
const codes = new Map<string, string>()

/** Packs a value of plain objects, arrays, strings, numbers, booleans and Dates. */
export function pack<T>(value: T): Packed<T> {
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key, part: unknown) {
    // `part` is what the Date has made of itself.
    const given = this[key]
    if (given instanceof Date) return `${MARK}d${given.getTime()}`
    return typeof part === 'string' && part.startsWith(MARK) ? `${MARK}s${part.slice(1)}` : part
  })
  // One character beyond Latin-1 would make two bytes of every one in the text.
  const narrow = text.replace(/[^\0-\xff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return narrow.replace(NAMES, (name) => codes.get(name) ?? codeFor(name))
}

/** The value again, a new one each time. */
export function unpack<T>(packed: Packed<T>): T {
  const text = packed.replace(
    CODES,
    (code) => names[(code.charCodeAt(0) - 1) * SECONDS + code.charCodeAt(1) - 0x20] ?? '',
  )
  return text.includes(WRITTEN_MARK) ? JSON.parse(text, revive) : JSON.parse(text)
}

function codeFor(name: string): string {
  if (names.length >= FIRSTS * SECONDS) return name
  const number = names.push(name) - 1
  const code = String.fromCharCode(Math.floor(number / SECONDS) + 1, (number % SECONDS) + 0x20)
  codes.set(name, code)
  return code
}

function revive(_key: string, part: unknown): unknown {
  if (typeof part !== 'string' || !part.startsWith(MARK)) return part
  return part[1] === 'd' ? new Date(Number(part.slice(2))) : `${MARK}${part.slice(2)}`
}
