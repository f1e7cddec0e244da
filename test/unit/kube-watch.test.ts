import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Cluster } from '../../src/kube/cluster.ts'
import { KubeError } from '../../src/kube/errors.ts'
import type { Kept } from '../../src/kube/store.ts'
import { type Collection, watchCollection } from '../../src/kube/watch.ts'

const thing = (name: string, version: number, uid = name) => ({
  metadata: { namespace: 'a', name, uid, resourceVersion: String(version) },
})
const listOf = (version: number, items: unknown[], more = '') => ({
  metadata: { resourceVersion: String(version), continue: more },
  items,
})
const event = (type: string, object: unknown) => ({ type, object })
const gone = event('ERROR', { code: 410, reason: 'Expired', message: 'too old resource version' })

type Call = {
  readonly kind: 'list' | 'stream' | 'watch'
  readonly path: string
  readonly query: Record<string, unknown>
  at: number
}

let end: AbortController
let calls: Call[]
let lists: (unknown | Error)[]
let streams: (unknown[] | Error)[]
let watches: unknown[][]
let changes: string[]
let problems: unknown[]
/** Namespaces of which we may see nothing. */
let refused: Set<string>

beforeEach(() => {
  end = new AbortController()
  calls = []
  lists = []
  streams = []
  watches = []
  changes = []
  problems = []
  refused = new Set()
})
afterEach(() => {
  end.abort()
  vi.restoreAllMocks()
})

const asked = () => calls.map(({ kind, query }) => `${kind} ${query.resourceVersion ?? query.continue ?? ''}`.trim())

/**
 * A server that gives the lists and watches in turn; a watch beyond the last stays open. It does not stream, but for the
 * streams that it is given.
 */
const cluster: Cluster = {
  async request(_method, path, call) {
    if (refused.has(path.split('/').at(-2) ?? '')) throw new KubeError('Forbidden', 'things is forbidden', 403)
    calls.push({ kind: 'list', path, query: { ...call?.query }, at: performance.now() })
    const answer = lists.shift() ?? listOf(1, [])
    if (answer instanceof Error) throw answer
    return answer
  },
  async watch(path, { query, signal, onEvent }) {
    if (query?.sendInitialEvents) {
      const stream = streams.shift() ?? new KubeError('Invalid', 'sendInitialEvents: Forbidden', 422)
      if (stream instanceof Error) throw stream
      calls.push({ kind: 'stream', path, query: { ...query }, at: performance.now() })
      for (const event of stream) onEvent(event)
      if (signal.aborted) throw new KubeError('Aborted', 'the request was cancelled')
      return
    }
    calls.push({ kind: 'watch', path, query: { ...query }, at: performance.now() })
    const events = watches.shift()
    for await (const event of events ?? []) onEvent(event)
    if (!events) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
  },
  close: async () => {},
}

function begin(
  more: { namespaces?: string[]; onChange?: (key: string) => void; onProblem?: () => void } = {},
): Collection<Kept> {
  return watchCollection<Kept>(cluster, {
    api: '/api/v1',
    plural: 'things',
    keep: (raw) => {
      if (Reflect.has(Object(raw), 'unreadable')) throw new Error('what is this')
      return Reflect.has(Object(raw), 'broken') ? undefined : (raw as Kept)
    },
    onChange: (key, before, after) =>
      changes.push(`${key} ${before?.metadata.uid ?? '-'} -> ${after?.metadata.uid ?? '-'}`),
    onMalformed: (key) => problems.push(key),
    onProblem: (problem) => problems.push(problem),
    signal: end.signal,
    ...more,
  })
}

test('of a server that does not stream a collection is listed page by page and watched from there', async () => {
  lists = [listOf(5, [thing('x', 1)], 'page-2'), listOf(5, [thing('y', 2)])]
  const things = begin()
  await things.synced
  expect(Array.from(things.values(), ({ metadata }) => metadata.name)).toEqual(['x', 'y'])
  await vi.waitUntil(() => calls.length === 3)
  expect(asked()).toEqual(['list', 'list page-2', 'watch 5'])
  expect(calls[2]?.query).toMatchObject({ allowWatchBookmarks: true })
  expect(Number(calls[2]?.query.timeoutSeconds)).toBeGreaterThanOrEqual(30)
})

const allSent = (version: number) =>
  event('BOOKMARK', {
    metadata: { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } },
  })

describe('a server that streams', () => {
  test('is asked for no page: what it sends until it says that all was sent is the collection', async () => {
    streams = [
      [event('ADDED', thing('x', 1)), event('ADDED', thing('y', 2)), allSent(5), event('ADDED', thing('late', 6))],
    ]
    const things = begin()
    await things.synced
    expect(Array.from(things.values(), ({ metadata }) => metadata.name)).toEqual(['x', 'y'])
    await vi.waitUntil(() => calls.length === 2)
    expect(asked()).toEqual(['stream', 'watch 5'])
    expect(calls[0]?.query).toMatchObject({ resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true })
  })

  test('is believed about what is no longer there, also of what it had sent itself', async () => {
    streams = [
      [event('ADDED', thing('x', 1)), event('ADDED', thing('y', 2)), allSent(5)],
      [event('ADDED', thing('y', 2)), event('ADDED', thing('z', 8)), event('DELETED', thing('z', 9)), allSent(9)],
    ]
    watches = [[gone]]
    const things = begin()
    await vi.waitUntil(() => calls.length === 4)
    expect(asked()).toEqual(['stream', 'watch 5', 'stream', 'watch 9'])
    expect(Array.from(things.values(), ({ metadata }) => metadata.name)).toEqual(['y'])
    expect(problems).toEqual([])
  })

  test('is believed about an object that it sends again as something unreadable', async () => {
    streams = [[event('ADDED', thing('x', 1)), event('MODIFIED', { ...thing('x', 2), broken: true }), allSent(5)]]
    const things = begin()
    await things.synced
    expect([...things.values()]).toEqual([])
  })

  test('and has told of an end is not contradicted by an answer that comes late', async () => {
    const things = begin()
    await vi.waitUntil(() => asked().includes('watch 1'))
    streams = [
      (function* () {
        yield event('ADDED', thing('x', 50))
        yield event('DELETED', thing('x', 60))
        things.learn(thing('x', 55))
        yield allSent(70)
      })() as unknown as unknown[],
    ]
    await things.refresh()
    expect([...things.values()]).toEqual([])
  })

  test.for([
    ['ends a stream before all was sent', [event('ADDED', thing('x', 1))]],
    ['says within a stream that it cannot', [event('ADDED', thing('x', 1)), event('ERROR', { code: 500 })]],
    ['is silent', new KubeError('Timeout', 'silence')],
  ] as const)('and %s is asked page by page, which is told', async ([, stream]) => {
    streams = [stream instanceof Error ? stream : [...stream]]
    lists = [listOf(5, [thing('y', 2)])]
    const things = begin()
    await things.synced
    expect(Array.from(things.values(), ({ metadata }) => metadata.name)).toEqual(['y'])
    expect(asked()).toContain('list')
    expect(problems).toHaveLength(1)
  })

  test('and cannot be reached is asked again later, and not page by page at once', async () => {
    const away = new KubeError('Network', 'away')
    streams = [away, [allSent(5)]]
    await begin().synced
    expect(asked()).not.toContain('list')
    expect(problems).toEqual([away])
  })
})

test('a watch that ends goes on from the last version seen, that of a bookmark included', async () => {
  lists = [listOf(5, [])]
  watches = [[event('ADDED', thing('x', 7)), event('BOOKMARK', { metadata: { resourceVersion: '9' } })]]
  begin()
  await vi.waitUntil(() => calls.length === 3)
  expect(asked()).toEqual(['list', 'watch 5', 'watch 9'])
  expect(problems).toEqual([])
})

test('a version that is too old lists again, and sees what was deleted and created again meanwhile', async () => {
  lists = [listOf(5, [thing('x', 1, 'first'), thing('y', 2)]), listOf(20, [thing('x', 15, 'second')])]
  watches = [[gone]]
  begin()
  await vi.waitUntil(() => calls.length === 4)
  expect(asked()).toEqual(['list', 'watch 5', 'list', 'watch 20'])
  const of = (key: string) => changes.filter((change) => change.startsWith(key))
  expect(of('a/x')).toEqual(['a/x - -> first', 'a/x first -> -', 'a/x - -> second'])
  expect(of('a/y')).toEqual(['a/y - -> y', 'a/y y -> -'])
  expect(problems).toEqual([])
})

test('a list that fails is tried again, for ever, and synced waits for it', async () => {
  const refused = new KubeError('Forbidden', 'no', 403)
  lists = [refused, refused, listOf(5, [thing('x', 1)])]
  await begin().synced
  expect(problems).toEqual([refused, refused])
  expect(changes).toEqual(['a/x - -> x'])
})

test('an API server that asks to be left alone is', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const times: number[] = []
  const busy = new KubeError('TooManyRequests', 'later', 429, 400)
  lists = [busy, busy, listOf(5, [])]
  await begin({ onProblem: () => times.push(performance.now()) }).synced
  expect(times).toHaveLength(2)
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(390)
})

test('a list that takes long to fail is tried again after a pause that grows, too', async () => {
  const clock = performance.now.bind(performance)
  let skipped = 0
  vi.spyOn(performance, 'now').mockImplementation(() => clock() + skipped)
  vi.spyOn(Math, 'random').mockReturnValue(1)
  const tries: number[] = []
  lists = new Proxy([], {
    get: (_, name) => {
      if (name !== 'shift') return undefined
      tries.push(clock())
      skipped += 6_000
      return () => new KubeError('Timeout', 'no answer in time')
    },
  })
  begin()
  await vi.waitUntil(() => tries.length === 3)
  const pauses = tries.slice(1).map((time, index) => time - (tries[index] ?? 0))
  expect(pauses[0]).toBeGreaterThanOrEqual(200)
  expect(pauses[1]).toBeGreaterThanOrEqual(450)
})

test('a watch that ends right after each event does not spin', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1)
  watches = Array.from({ length: 4 }, (_, index) => [event('MODIFIED', thing('x', 10 + index))])
  begin()
  await vi.waitUntil(() => calls.filter(({ kind }) => kind === 'watch').length === 4, { timeout: 10_000 })
  const times = calls.filter(({ kind }) => kind === 'watch').map(({ at }) => at)
  const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0))
  for (const [index, least] of [250, 500, 1000].entries()) expect(pauses[index]).toBeGreaterThanOrEqual(least - 5)
})

test('namespaces are listed and watched one by one, and together make the collection', async () => {
  const things = begin({ namespaces: ['a', 'b'] })
  await things.synced
  await vi.waitUntil(() => calls.length === 4)
  expect(new Set(calls.map(({ path }) => path))).toEqual(
    new Set(['/api/v1/namespaces/a/things', '/api/v1/namespaces/b/things']),
  )
})

test('what cannot be read counts until it can be, or is gone, be it while nobody watched', async () => {
  const unreadable = (name: string) => ({ ...thing(name, 1), unreadable: true })
  lists = [
    listOf(1, [unreadable('x'), unreadable('y'), unreadable('z'), thing('good', 1)]),
    listOf(9, [unreadable('x'), thing('y', 5)]),
  ]
  watches = [[gone]]
  const things = begin()
  await things.synced
  expect(things.malformed()).toBe(3)
  await vi.waitUntil(() => things.get('a/y') !== undefined)
  expect(things.malformed()).toBe(1)
  expect(problems.filter((one) => typeof one === 'string')).toEqual(['a/x', 'a/y', 'a/z'])
})

test('a namespace that we may not see, be it gone, keeps nobody waiting who may see another', async () => {
  refused = new Set(['gone'])
  lists = [listOf(1, [thing('x', 1)]), listOf(2, [thing('y', 2)])]
  const things = begin({ namespaces: ['gone', 'a'] })
  await things.synced
  expect(things.unsynced()).toBeUndefined()
  expect([...things.values()]).toMatchObject([thing('x', 1)])
  await things.refresh()
  expect([...things.values()]).toMatchObject([thing('y', 2)])
  expect(problems).toContainEqual(expect.objectContaining({ reason: 'Forbidden' }))
  // It is looked for on and on.
  lists = [listOf(3, [thing('z', 3)])]
  refused.clear()
  await vi.waitUntil(() => [...things.values()].length === 2, { timeout: 5000 })
})

test('who may see nothing at all waits', async () => {
  refused = new Set(['one', 'other'])
  lists = [listOf(1, [thing('x', 1)])]
  const things = begin({ namespaces: ['one', 'other'] })
  await vi.waitUntil(() => problems.length >= 4)
  expect(things.unsynced()).toBe('things have not been listed yet')
  refused.delete('one')
  await things.synced
  expect([...things.values()]).toMatchObject([thing('x', 1)])
})

test('what is no event ends that watch and not the loop', async () => {
  watches = [['<html>'], [event('ADDED', thing('x', 9))]]
  begin()
  await vi.waitUntil(() => changes.length === 1)
  expect(problems).toEqual([expect.objectContaining({ name: 'KubeError', reason: 'Malformed' })])
})

test('a handler that throws is told of and changes nothing else', async () => {
  lists = [listOf(5, [thing('x', 1), thing('y', 2)])]
  watches = [[event('MODIFIED', thing('x', 7)), event('ADDED', thing('z', 8))]]
  const defect = new Error('a defect in the handler')
  const things = begin({
    onChange(key) {
      changes.push(key)
      if (key === 'a/x') throw defect
    },
  })
  await vi.waitUntil(() => calls.length === 3)
  expect(asked()).toEqual(['list', 'watch 5', 'watch 8'])
  expect(changes).toEqual(['a/x', 'a/y', 'a/x', 'a/z'])
  expect(things.get('a/x')?.metadata.resourceVersion).toBe('7')
  expect(problems).toEqual([defect, defect])
})

test('an answer that the watch has overtaken does not bring back what has ended', async () => {
  lists = [listOf(5, [thing('x', 1)])]
  watches = [[event('MODIFIED', thing('x', 7)), event('DELETED', thing('x', 8))]]
  const things = begin()
  await vi.waitUntil(() => calls.length === 3)
  things.learn(thing('x', 7))
  expect([...things.values()]).toEqual([])
  things.learn(thing('x', 9))
  expect(things.get('a/x')).toBeDefined()
})

describe('the sign of life', () => {
  /** Later, by the clock that only goes forward. */
  const later = (milliseconds: number) => {
    const at = performance.now() + milliseconds
    vi.spyOn(performance, 'now').mockImplementation(() => at)
  }

  test('is there while the loop goes from failure to failure: an API server that is away is not cured by a restart', async () => {
    const away = new KubeError('Network', 'away')
    lists = Array.from({ length: 1000 }, () => away)
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const things = begin()
    later(10 * 60_000)
    const failed = problems.length
    await vi.waitUntil(() => problems.length > failed)
    expect(things.alive()).toBeUndefined()
    expect(things.unsynced()).toBe('things have not been listed yet')
  })

  test('is gone when a watch has outlived every time-out, and there again when it moves', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    watches = [
      // A watch that neither ends nor says anything, and hears no signal.
      (async function* () {
        await promise
        yield event('BOOKMARK', { metadata: { resourceVersion: '9' } })
        await new Promise(() => {})
      })() as unknown as unknown[],
    ]
    const things = begin()
    await vi.waitUntil(() => calls.length === 2)
    expect(things.unsynced()).toBeUndefined()
    later(109_000)
    expect(things.alive()).toBeUndefined()
    vi.restoreAllMocks()
    later(300_000)
    expect(things.alive()).toMatch(/^things have been neither listed nor watched for 300 s/)
    resolve()
    await vi.waitUntil(() => things.alive() === undefined)
  })

  test('is there while a long list comes page by page', async () => {
    const pages = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()]
    lists = pages.map(({ promise }) => promise)
    const things = begin()
    later(200_000)
    pages[0]?.resolve(listOf(5, [], 'page-2'))
    await vi.waitUntil(() => calls.length === 2)
    vi.restoreAllMocks()
    later(300_000)
    expect(things.alive()).toBeUndefined()
  })

  test('is looked for in each namespace', async () => {
    const things = begin({ namespaces: ['a', 'b'] })
    await vi.waitUntil(() => calls.length === 4)
    later(300_000)
    expect(things.alive()).toMatch(/^things/)
  })
})

describe('the signal', () => {
  test('ends a watch, a pause and what waits for the first list', async () => {
    lists = [new KubeError('Network', 'none')]
    vi.spyOn(Math, 'random').mockReturnValue(1)
    const things = begin()
    await vi.waitUntil(() => problems.length === 1)
    const began = performance.now()
    end.abort()
    await things.ended
    expect(performance.now() - began).toBeLessThan(100)
    await expect(things.synced).rejects.toMatchObject({ reason: 'Aborted' })
    expect(calls).toHaveLength(1)
  })

  test('given up before the start makes no call', async () => {
    end.abort()
    await begin().ended
    expect(calls).toEqual([])
  })
})
