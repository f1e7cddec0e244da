import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ZendeskError } from '../../src/zendesk/errors.ts'
import { parseRecord, splitPage } from '../../src/zendesk/pages.ts'

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('users', '"users":[', ']}', '\\', '\\"', '{', '[', '"}],"id":1', '\u0000\u2028\ud83d', ''),
)
/** A page as it comes, and its records' texts as they are asked for. */
const split = (body: string) => {
  const { records, envelope } = splitPage(Buffer.from(body), 'users')
  return { length: records.length, records: [...records], envelope }
}

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    hostile,
    fc.integer(),
    fc.double({ noNaN: true, min: -1e15, max: 1e15 }),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('map'),
  ),
  list: fc.array(tie('any'), { maxLength: 4 }),
  map: fc.dictionary(fc.oneof(hostile, fc.constant('users')), tie('any'), { maxKeys: 4 }),
})).any
const blank = fc.constantFrom('', ' ', '\n', '\t\r\n  ')

/** A page's text with odd whitespace, odd escapes and keys in any order, and its records' texts. */
const page = fc
  .record({
    records: fc.array(value),
    rest: fc.dictionary(
      hostile.filter((key) => key !== 'users'),
      value,
      { maxKeys: 4 },
    ),
    blanks: fc.array(blank, { minLength: 5, maxLength: 5 }),
    place: fc.nat(),
    escapes: fc.boolean(),
    indent: fc.constantFrom(undefined, 1),
  })
  .map(({ records, rest, blanks, place, escapes, indent }) => {
    const [a = '', b = '', c = '', d = '', e = ''] = blanks
    const text = (one: unknown) => {
      const json = JSON.stringify(one, null, indent)
      return escapes
        ? json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        : json
    }
    const texts = records.map(text)
    const members = Object.entries(rest).map(([key, one]) => `${text(key)}${a}:${b}${text(one)}`)
    const name = escapes ? '"\\u0075sers"' : '"users"'
    members.splice(place % (members.length + 1), 0, `${name}${c}:${a}[${d}${texts.join(`${b},${c}`)}${e}]`)
    return { texts, rest, body: `${e}{${a}${members.join(`${c},${d}`)}${b}}${a}` }
  })

describe('splitting a page', () => {
  it('gives each record as it stands in the text, and the rest as JSON.parse sees it', () => {
    fc.assert(
      fc.property(page, ({ texts, body }) => {
        const { length, records, envelope } = split(body)
        expect(records).toEqual(texts)
        expect(length).toBe(texts.length)
        expect(envelope).toEqual({ ...(JSON.parse(body) as object), users: [] })
      }),
      { numRuns: 500 },
    )
  })

  it('refuses a page that is cut off anywhere', () => {
    fc.assert(
      fc.property(page, fc.nat(), ({ body }, at) => {
        const whole = body.trimEnd()
        expect(() => split(whole.slice(0, at % whole.length))).toThrow(ZendeskError)
      }),
    )
  })

  it.each([
    '',
    '<html>',
    '[]',
    '{}',
    '{"users":null}',
    '{"users":[1,]}',
    '{"users":[1 2]}',
    '{"users":[]} x',
    '{"users":[],}',
    '{"a":{"users":[1]}}',
  ])('refuses %j', (body) => {
    expect(() => split(body)).toThrow(ZendeskError)
  })

  it('hands on a record that is no valid JSON, for it must not be lost', () => {
    expect(split('{"users":[{"id":1},{"id":oops}]}').records).toEqual(['{"id":1}', '{"id":oops}'])
  })

  it('lets the last of two arrays of the same name stand, as JSON.parse does', () => {
    expect(split('{"users":[1],"users":[2]}').records).toEqual(['2'])
  })
})

describe('parsing a record', () => {
  it('keeps every digit of an id', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (id) => {
        const { id: parsed } = parseRecord(`{"id":${id},"name":"${id}0"}`) as { id: unknown }
        expect(String(parsed)).toBe(String(id))
      }),
    )
  })

  it('agrees with JSON.parse where nothing is beyond a double', () => {
    fc.assert(
      fc.property(value, (one) => {
        const text = JSON.stringify(one)
        expect(parseRecord(text)).toEqual(JSON.parse(text))
      }),
    )
    expect(parseRecord('[1e400, 1.2345678901234567, 12345678901234567e3]')).toEqual([
      Infinity,
      1.2345678901234567,
      12345678901234567e3,
    ])
  })
})
