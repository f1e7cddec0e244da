import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { STREAMS } from '../../src/connector/schema.ts'
import { baseKind, eventLine, removedKind } from '../../src/sync/ocsf/event.ts'
import { readRecord } from '../../src/sync/record.ts'
import { createRedactor } from '../../src/sync/redact.ts'
import { STREAM } from '../../src/sync/streams.ts'
import { ocsfErrors } from '../support/ocsf/validate.ts'

const names = ['email', 'phone', 'a"b\\', '', '__proto__', 'größe']
const redact = createRedactor(names)

describe('redacting fields', () => {
  it.each([
    ['values of any kind', '[{"email":-1.5e3},{"email":[{"a":"]"}]}]', '[{"email":null},{"email":null}]'],
    ['at any depth', '{"a":[{"b":{"phone":{"c":[1,"}"]}}}],"d":1}', '{"a":[{"b":{"phone":null}}],"d":1}'],
    ['each of two of the same name', '{"email":"a","email":"b"}', '{"email":null,"email":null}'],
    ['however their names are written', '{"\\u0065mail":1,"gr\\u00F6ße":2}', '{"\\u0065mail":null,"gr\\u00F6ße":null}'],
    ['but no other character', ' { "id" :9007199254740993 ,\t"email"\n:\r"a\\"b" }', undefined],
    ['but no text that reads like a name', '{"a":"email","b":["phone"],"c":"\\"email\\":1"}', undefined],
    ['but no name that is another', '{"Email":1,"emails":2,"e mail":3}', undefined],
  ])('takes %s', (_, raw, without = raw.replace('"a\\"b"', 'null')) => {
    expect(redact(raw)).toBe(without)
  })

  it.each(['', '{', '{"email":"a"', '{"email":"a"}}', "{'email':1}", '<html>', '{"id":01}', '\ufeff{}'])(
    'does not hand on what is no JSON, for nobody knows what it holds: %s',
    (raw) => {
      expect(redact(raw)).toBeUndefined()
      expect(createRedactor([])(raw)).toBe(raw)
    },
  )

  /** A text of JSON, and what must be left of it. */
  type Both = { readonly text: string; readonly left: string }
  const same = (text: string): Both => ({ text, left: text })
  const joined = (open: string, parts: readonly Both[], close: string): Both => ({
    text: `${open}${parts.map(({ text }) => text).join(',')}${close}`,
    left: `${open}${parts.map(({ left }) => left).join(',')}${close}`,
  })
  const inEscapes = (text: string) =>
    `"${text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
  const space = fc.constantFrom('', ' ', '\n\t', '\r ')
  const name = fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 5 }))
  const { value } = fc.letrec<{ value: Both; leaf: Both; list: Both; member: Both; object: Both }>((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('list'), tie('object')),
    leaf: fc.oneof(
      fc.constantFrom('null', 'true', '-0', '12345678901234567890', '1e5', '"email"', '"\\"email\\":"').map(same),
      fc.string({ unit: 'binary' }).map((text) => same(JSON.stringify(text))),
    ),
    list: fc.array(tie('value'), { maxLength: 4 }).map((parts) => joined('[', parts, ']')),
    member: fc
      .tuple(name, fc.constantFrom(JSON.stringify, inEscapes), fc.tuple(space, space, space, space), tie('value'))
      .map(([key, write, [one, two, three, four], { text, left }]) => {
        const before = `${one}${write(key)}${two}:${three}`
        return { text: `${before}${text}${four}`, left: `${before}${names.includes(key) ? 'null' : left}${four}` }
      }),
    object: fc.array(tie('member'), { maxLength: 5 }).map((parts) => joined('{', parts, '}')),
  }))

  it('takes the values of these fields and nothing else, of any JSON', () => {
    fc.assert(
      fc.property(value, ({ text, left }) => {
        expect(redact(text)).toBe(left)
      }),
      { numRuns: 1000 },
    )
  })

  it('does not hand on anything that JSON.parse refuses', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.string({ maxLength: 1 }), ({ text }, place, other) => {
        const at = place % text.length
        const changed = text.slice(0, at) + other + text.slice(at + 1)
        expect(redact(changed) !== undefined).toBe(isJson(changed))
      }),
    )
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('what was redacted', () => {
  const secret = (letter: string) => `"hidden-${letter}"`
  /** Fields that events are made of, and values of the shape that is looked for in them. */
  const fields: Readonly<Record<string, string>> = {
    name: secret('A'),
    email: '"hidden-B@example.com"',
    phone: '"+49 7700 1234"',
    role: secret('C'),
    notes: `{"deep":[${secret('D')},{"er":${secret('E')}}]}`,
    actor_id: '7701',
    actor_name: secret('F'),
    source_id: '9007199254747702',
    source_label: secret('G'),
    change_description: secret('H'),
    ip_address: '"203.0.113.77"',
    user_id: '"7703"',
    group_id: '7704',
    client_id: '7705',
    method: '"DELETE"',
    url: '"/hidden-I?hidden-J"',
    client: secret('K'),
    referer: secret('L'),
    summary: secret('M'),
    category: secret('N'),
    authorization_type: secret('O'),
    graphql: `{"operation_name":${secret('P')}}`,
    identifier: secret('Q'),
    scopes: `[${secret('R')}]`,
    token: secret('S'),
    used_at: '"1999-01-02T03:04:05Z"',
  }
  const secretsOf = (field: string) =>
    fields[field]?.match(/hidden-[A-Z]|7700 1234|9007199254747702|770\d|203\.0\.113\.77|DELETE|1999-01-02/g) ?? []

  it.each(STREAMS)('stands nowhere in an event of %s, which is valid all the same', (name) => {
    const { map, timeField } = STREAM[name]
    const origin = { account: 'acme', stream: name, displayName: 'Acme support' }
    const redacted = fc.subarray(Object.keys(fields))
    const action = fc.constantFrom('"login"', '"update"', '"exported"', '"teleported"')
    const source_type = fc.constantFrom('"user"', '"group"', '"rule"')
    fc.assert(
      fc.property(redacted, fc.record({ action, source_type }), (left, kind) => {
        const all = { id: '1', [timeField]: '"2026-11-20T10:00:00Z"', ...kind, ...fields }
        const raw = `{${Object.entries(all).map(([field, json]) => `"${field}": ${json}`)}}`
        const record = readRecord(createRedactor(left)(raw) ?? '', timeField)
        const mapped = map(record, origin)
        const hidden = left.flatMap(secretsOf)
        for (const kind of [mapped ?? baseKind, removedKind(mapped)]) {
          const line = eventLine(kind, record, `${record.id}`, record.time ?? 0, origin)
          expect(hidden.filter((one) => line.includes(one))).toEqual([])
          expect(ocsfErrors(JSON.parse(line))).toEqual([])
        }
        const shown = Object.keys(fields).filter((field) => !left.includes(field))
        expect(shown.flatMap(secretsOf).filter((one) => !record.raw.includes(one))).toEqual([])
      }),
    )
  })
})
