/** The two places where bytes are gathered: bodies as they come, and lines as they go. */
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gatherLines } from '../../src/sync/lines.ts'
import { wholeOf } from '../../src/zendesk/body.ts'

describe('a body', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 })

  it('is what came, whatever its length was said to be', async () => {
    const length = fc.oneof(fc.constant(Number.NaN), fc.nat({ max: 5000 }))
    await fc.assert(
      fc.asyncProperty(chunks, length, fc.nat({ max: 3 }), async (parts, told, large) => {
        const given = [...parts, ...Array.from({ length: large }, (_, index) => Buffer.alloc(50_000, index))]
        const whole = await wholeOf(Readable.from(given.map((part) => Buffer.from(part))), told)
        expect(whole.equals(Buffer.concat(given))).toBe(true)
      }),
    )
  })

  it('that breaks off is an error', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('{"users":[')
        throw new Error('broken')
      })(),
    )
    await expect(wholeOf(broken, 100)).rejects.toThrow('broken')
  })
})

describe('lines', () => {
  const line = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\u20ac'.repeat(40_000)), fc.constant(''))

  it('come out as they were added, and stay until they are taken the next time but one', () => {
    fc.assert(
      fc.property(fc.array(fc.array(line, { maxLength: 6 }), { maxLength: 6 }), (pages) => {
        const lines = gatherLines()
        let before: { bytes: Buffer; text: string } = { bytes: Buffer.alloc(0), text: '' }
        for (const page of pages) {
          for (const one of page) lines.add(one)
          const text = page.map((one) => `${one.toWellFormed()}\n`).join('')
          expect(lines.size).toBe(Buffer.byteLength(text))
          expect(before.bytes.toString()).toBe(before.text)
          before = { bytes: lines.take(), text }
          expect(before.bytes.toString()).toBe(text)
          expect(lines.size).toBe(0)
        }
      }),
    )
  })

  it('that are dropped are gone', () => {
    const lines = gatherLines()
    lines.add('a page that is refused')
    lines.drop()
    lines.add('the next')
    expect(lines.take().toString()).toBe('the next\n')
  })
})
