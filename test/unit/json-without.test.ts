/** Leaving out what nobody reads changes nothing of what is read. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withoutMembers } from '../../src/kube/json-without.ts'

const NAMES = ['spec', 'managedFields']

/** What is to come out, the slow way. */
const parsedWithout = (text: string) => JSON.parse(text, (key, value) => (NAMES.includes(key) ? undefined : value))

describe('an answer without what nobody reads', () => {
  it('has lost the members of these names, wherever they stood', () => {
    const text = '{"spec":{"a":[{"b":"}"}]},"metadata":{"name":"x","managedFields":[{"f:a":{}}]},"items":[{"spec":1}]}'
    expect(withoutMembers(text, NAMES)).toBe('{"metadata":{"name":"x"},"items":[{}]}')
  })

  it('keeps what only looks like one', () => {
    const text = JSON.stringify({ 'my"spec': 1, ',"spec': 2, a: '{"spec":{}}', b: ',"spec":', 'spec ': 3, c: ['spec'] })
    expect(withoutMembers(text, NAMES)).toBe(text)
  })

  it('is otherwise the same (law)', () => {
    const key = fc.oneof(
      fc.constantFrom('spec', 'managedFields', 'a', 'my"spec', '{"spec":'),
      fc.string({ maxLength: 4 }),
    )
    const leaf = fc.oneof(
      fc.constantFrom('"spec":{}', ',"managedFields":[', '\\', '\\"', '', '}', null, true, 0, -1.5e9),
      fc.string({ unit: 'binary' }),
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'medium' }, leaf, tie('object'), fc.array(tie('value'), { maxLength: 4 })),
      object: fc.dictionary(
        key.filter((name) => name !== '__proto__'),
        tie('value'),
        { maxKeys: 5 },
      ),
    }))
    fc.assert(
      fc.property(value, (given) => {
        const text = JSON.stringify({ given })
        expect(JSON.parse(withoutMembers(text, NAMES))).toEqual(parsedWithout(text))
      }),
      { numRuns: 2000 },
    )
  })

  it('is no JSON where none was sent (law)', () => {
    const broken = fc.tuple(fc.jsonValue(), fc.nat(60)).map(([value, cut]) => {
      const text = JSON.stringify({ spec: value, a: { managedFields: [value] } })
      return text.slice(0, Math.min(cut, text.length - 1))
    })
    fc.assert(fc.property(broken, (text) => void expect(() => JSON.parse(withoutMembers(text, NAMES))).toThrow()))
  })
})
