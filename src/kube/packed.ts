/**
 * Objects as text while nobody looks at them: what belongs to a connector with three runs behind it takes 16 KiB as values
 * and 6 so, which ten thousand times is the difference between too much and enough. It is JSON in which most of the text,
 * the same few names again and again, is two characters each; each character is a byte, and the collector has nothing in
 * it to follow. What JSON knows comes back as it was, and Dates as well; keys whose value is undefined do not.
 */

/** A value, packed. Good in this process only. */
export type Packed<T> = string & { readonly of?: T }

// A string that begins so stands for a Date, or begins so itself. JSON's way to write it shows that there is one.
const MARK = '\0'
const WRITTEN_MARK = '\\u0000'

const NAME = /^[A-Za-z]{1,32}$/
/** A value that is one of a few: a word of an API. */
const WORD = /^[A-Z][A-Za-z]{0,31}$/
/** JSON never holds a bare control character, so a code cannot be taken for text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CODES = /[\x01-\x1f][ -~]/g
const FIRSTS = 0x1f
const SECONDS = 0x7e - 0x20 + 1
/** A name with its colon, and the value where that is one of a few, by their codes: as they are met, until none is left. */
const coded: string[] = []
/** The codes of a name by what follows it in them; '' is the name alone. */
type Codes = Map<string | number | boolean, number>
const codesByName = new Map<string, Codes>()

// What is being packed, as bytes; and how many there are.
const SMALL = 16 * 1024
const LARGE = 256 * 1024
let text = Buffer.allocUnsafeSlow(SMALL)
let length = 0
const LONGEST_ESCAPE = 6

/** Packs a value of plain objects, arrays, strings, numbers, booleans and Dates. */
export function pack<T>(value: T): Packed<T> {
  length = 0
  write(value)
  const packed = text.toString('latin1', 0, length)
  if (text.length > LARGE) text = Buffer.allocUnsafeSlow(SMALL)
  return packed
}

/** The value again, a new one each time. */
export function unpack<T>(packed: Packed<T>): T {
  const written = packed.replace(
    CODES,
    (code) => coded[(code.charCodeAt(0) - 1) * SECONDS + code.charCodeAt(1) - 0x20] ?? '',
  )
  return written.includes(WRITTEN_MARK) ? JSON.parse(written, revive) : JSON.parse(written)
}

function revive(_key: string, part: unknown): unknown {
  if (typeof part !== 'string' || !part.startsWith(MARK)) return part
  return part[1] === 'd' ? new Date(Number(part.slice(2))) : `${MARK}${part.slice(2)}`
}

function write(value: unknown): void {
  if (typeof value === 'string') quote(value.startsWith(MARK) ? `${MARK}s${value.slice(1)}` : value)
  else if (value instanceof Date) quote(`${MARK}d${value.getTime()}`)
  else if (Array.isArray(value)) writeList(value)
  else if (typeof value === 'object' && value !== null) writeObject(value)
  else put(JSON.stringify(value) ?? 'null')
}

function writeList(values: readonly unknown[]): void {
  put('[')
  for (const [index, value] of values.entries()) {
    if (index > 0) put(',')
    write(value)
  }
  put(']')
}

function writeObject(object: object): void {
  put('{')
  let isFirst = true
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue
    if (!isFirst) put(',')
    isFirst = false
    const codes = codesOf(name)
    if (codes !== undefined && isOneOfFew(value) && putCode(name, codes, value)) continue
    if (codes === undefined || !putCode(name, codes, '')) {
      quote(name)
      put(':')
    }
    write(value)
  }
  put('}')
}

function isOneOfFew(value: unknown): value is string | number | boolean {
  return value === 0 || typeof value === 'boolean' || (typeof value === 'string' && WORD.test(value))
}

function codesOf(name: string): Codes | undefined {
  const known = codesByName.get(name)
  if (known !== undefined || coded.length >= FIRSTS * SECONDS || !NAME.test(name)) return known
  const codes: Codes = new Map()
  codesByName.set(name, codes)
  return codes
}

/** False when there is no code left: hostile names cannot make the table grow. */
function putCode(name: string, codes: Codes, value: string | number | boolean): boolean {
  let code = codes.get(value)
  if (code === undefined) {
    if (coded.length >= FIRSTS * SECONDS) return false
    code = coded.push(`"${name}":${value === '' ? '' : JSON.stringify(value)}`) - 1
    codes.set(value, code)
  }
  makeRoom(2)
  text[length++] = Math.floor(code / SECONDS) + 1
  text[length++] = (code % SECONDS) + 0x20
  return true
}

/** As JSON, and what is no Latin-1 as JSON's escapes: one character beyond it would make two bytes of each. */
function quote(value: string): void {
  makeRoom(value.length * LONGEST_ESCAPE + 2)
  text[length++] = 0x22
  for (let index = 0; index < value.length; index += 1) {
    const unit = value.charCodeAt(index)
    if (unit >= 0x20 && unit <= 0xff && unit !== 0x22 && unit !== 0x5c) text[length++] = unit
    else length += text.write(`\\u${unit.toString(16).padStart(4, '0')}`, length, 'latin1')
  }
  text[length++] = 0x22
}

/** Text that needs no quotes. */
function put(ascii: string): void {
  makeRoom(ascii.length)
  for (let index = 0; index < ascii.length; index += 1) text[length++] = ascii.charCodeAt(index)
}

function makeRoom(bytes: number): void {
  if (length + bytes <= text.length) return
  const larger = Buffer.allocUnsafeSlow(2 * (length + bytes))
  text.copy(larger, 0, 0, length)
  text = larger
}
