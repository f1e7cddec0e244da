import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { createIndex } from '../../src/kube/index-by.ts'
import { jsonLines } from '../../src/kube/json-lines.ts'
import { pack, unpack } from '../../src/kube/packed.ts'
import { createStore, type Kept, type Store } from '../../src/kube/store.ts'

const object = (name: string, version: number, uid = name, namespace = 'a'): Kept => ({
  metadata: { namespace, name, uid, resourceVersion: String(version) },
})
const told = (kept: Kept | undefined) => kept && `${kept.metadata.uid}@${kept.metadata.resourceVersion}`

/** Takes a list of one page, which was asked for just now unless `since` says otherwise. */
function list(objects: readonly Kept[], version: number, namespace?: string, since = performance.now()): void {
  const listing = store.relist(namespace, since)
  for (const one of objects) listing.take(one)
  listing.done(String(version))
}

let changes: string[]
let store: Store<Kept>
beforeEach(() => {
  changes = []
  store = createStore((key, before, after) => changes.push(`${key}: ${told(before)} -> ${told(after)}`))
})

test('the newer version stays, from whichever side it comes', () => {
  store.put(object('x', 9))
  store.putOwn(object('x', 10))
  store.put(object('x', 9))
  store.put(object('x', 10))
  expect(changes).toEqual(['a/x: undefined -> x@9', 'a/x: x@9 -> x@10'])
})

test('deleted and created again is two changes', () => {
  store.put(object('x', 1, 'one'))
  store.put(object('x', 5, 'two'))
  store.delete(object('x', 4, 'one'))
  expect(changes).toEqual(['a/x: undefined -> one@1', 'a/x: one@1 -> undefined', 'a/x: undefined -> two@5'])
})

test('a list is the truth, also when its versions are lower', () => {
  store.put(object('x', 7))
  store.put(object('gone', 8))
  list([object('x', 3), object('new', 4)], 4)
  expect(Array.from(store.values(), told)).toEqual(['x@3', 'new@4'])
})

test('a list does not take back a write of our own that was answered after it began', () => {
  store.put(object('x', 1))
  const began = performance.now()
  store.putOwn(object('x', 6))
  store.putOwn(object('new', 7))
  list([object('x', 1)], 5, undefined, began)
  expect(Array.from(store.values(), told)).toEqual(['x@6', 'new@7'])
})

test('an answer that comes after the end of its object does not bring it back', () => {
  store.put(object('x', 1))
  store.delete(object('x', 6))
  store.passed('6', undefined)
  store.putOwn(object('x', 5))
  expect([...store.values()]).toEqual([])
  // Nor when the end fell between two watches, or while the list was under way.
  const since = performance.now()
  store.putOwn(object('y', 7))
  list([], 9, undefined, since)
  store.putOwn(object('y', 8))
  expect([...store.values()]).toEqual([])
  store.putOwn(object('y', 10))
  expect(Array.from(store.values(), told)).toEqual(['y@10'])
})

test('what one namespace is past says nothing of the others', () => {
  store.passed('9', 'a')
  store.putOwn(object('x', 5, 'x', 'a'))
  store.putOwn(object('y', 5, 'y', 'b'))
  expect(Array.from(store.values(), told)).toEqual(['y@5'])
})

test('a list of one namespace says nothing of the others', () => {
  store.put(object('x', 1, 'x', 'a'))
  store.put(object('y', 1, 'y', 'b'))
  list([], 9, 'a')
  expect(Array.from(store.values(), told)).toEqual(['y@1'])
})

test('a list that breaks off takes nothing away', () => {
  store.put(object('x', 1))
  store.put(object('y', 1))
  store.relist(undefined, performance.now()).take(object('x', 3))
  expect(Array.from(store.values(), told)).toEqual(['x@3', 'y@1'])
})

test('who looks at an object gets one of his own', () => {
  store.put(object('x', 1))
  Object.assign(store.get('a/x')?.metadata ?? {}, { uid: 'another' })
  expect(told(store.get('a/x'))).toBe('x@1')
})

test('what is packed comes back as it was, Dates and hostile text as well', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\0', '\0d1', '\0s', '\\u0000', '\ud800', 'ÿ', '日本'),
    fc.date({ noInvalidDate: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 3 }, part, fc.array(tie('any')), fc.dictionary(fc.string(), tie('any'))),
  })).any
  fc.assert(
    fc.property(value, (given) => {
      const text = pack(given)
      expect(text).not.toMatch(/[^\0-\xff]/)
      expect(unpack(text)).toEqual(given)
    }),
    { numRuns: 50 },
  )
})

test('an index knows where each key stands', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const move = fc.record({ key: name, after: fc.option(name, { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
      const index = createIndex()
      const stands = new Map<string, string | undefined>()
      for (const { key, after } of moves) {
        index.move(key, stands.get(key), after)
        stands.set(key, after)
      }
      for (const value of ['a', 'b', 'c']) {
        const keys = [...stands].filter(([, where]) => where === value).map(([key]) => key)
        expect([...index.under(value)].sort()).toEqual(keys.sort())
      }
    }),
  )
})

test('lines are found wherever the chunks are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.object()), fc.array(fc.nat(50)), (values, sizes) => {
      const bytes = new TextEncoder().encode(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
      const read: unknown[] = []
      const take = jsonLines((value) => read.push(value))
      for (const chunk of chunked(bytes, sizes)) take(chunk)
      expect(read).toEqual(JSON.parse(JSON.stringify(values)))
    }),
  )
})

function* chunked(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0
  for (const size of sizes) {
    yield bytes.subarray(at, at + size)
    at += size
  }
  yield bytes.subarray(at)
}
