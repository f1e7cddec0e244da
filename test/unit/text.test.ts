/** Text from outside, as it comes into messages: plain, short, and otherwise as it was. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stamp } from '../../src/connector/conditions.ts'
import { checkpoint } from '../../src/connector/run.ts'
import { plainText } from '../../src/connector/text.ts'
import { noMeasures, noStream } from './fixtures/connectors.ts'
import { hostileText } from './fixtures/hostile.ts'

const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), hostileText(200), fc.string())
const most = fc.integer({ min: 1, max: 60 })

test('nothing is left that a terminal obeys, that turns text round or hides it, or that begins a line', () => {
  expect(plainText('\u001b[31mred\u001b[0m\u009b2J', 99)).toBe('[31mred [0m 2J')
  expect(plainText('one\r\ntwo\u2028three\u0000', 99)).toBe('one two three')
  expect(plainText('\u202egnp.exe\u202c\ufeff\u2066x\u2069', 99)).toBe('gnp.exe x')
  fc.assert(
    fc.property(texts, most, (text, length) => {
      expect(plainText(text, length)).not.toMatch(/[\p{Cc}\p{Bidi_C}\p{Cs}\u2028\u2029]/u)
    }),
  )
})

test('it is never longer than it may be, says where it was cut, and cuts no character in two', () => {
  expect(plainText('abcdef', 4)).toBe('abc…')
  expect(plainText('ab😀😀', 4)).toBe('ab…')
  expect(plainText('x'.repeat(50_000_000), 3)).toBe('xx…')
  fc.assert(
    fc.property(texts, most, (text, length) => {
      const plain = plainText(text, length)
      expect(plain.length).toBeLessThanOrEqual(length)
      expect(plain.isWellFormed()).toBe(true)
    }),
  )
})

test('what is plain and short stays as it is, in any language, and once is enough', () => {
  for (const text of ['', 'Zugriff verweigert: für „acme“', 'مرحبا', 'क्‍ष', '👩‍👩‍👧‍👦', '日本語'])
    expect(plainText(text, 99)).toBe(text)
  fc.assert(
    fc.property(texts, most, (text, length) => {
      const once = plainText(text, length)
      expect(plainText(once, length)).toBe(once)
    }),
  )
})

test('a message that is put together of others is as long as a status may hold, and no longer', () => {
  const message = `${'x'.repeat(1024)} and more.`
  const [ready] = stamp([], { Ready: { status: 'False', reason: 'NetworkError', message } }, 1, new Date(0))
  expect(ready?.message).toHaveLength(1024)
})

test('what a checkpoint says comes in plain and cut; what no status could hold makes it unreadable', () => {
  const endTime = '2026-11-23T08:00:00Z'
  const stream = { name: 'Users', records: 1, complete: true, ...noStream }
  const report = { ...noMeasures, run: 'r', slot: 1, result: 'Failed', startTime: endTime, endTime, streams: [stream] }
  const read = (more: object) =>
    checkpoint.safeParse({ account: 'a', sink: 's', streams: {}, report: { ...report, ...more } })
  expect(read({ message: `\u001b[2J${'x'.repeat(3000)}` }).data?.report?.message).toMatch(/^\[2Jx{1020}…$/)
  for (const wrong of [
    { records: -1 },
    { records: 2 ** 53 - 1 },
    { endTime: '2026-11-23T08:00Z' },
    { streams: [stream, stream] },
  ]) {
    expect(read(wrong).success).toBe(false)
  }
})
