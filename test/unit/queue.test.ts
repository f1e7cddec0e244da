/** The queue of keys. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createQueue, type QueueMetrics } from '../../src/controller/queue.ts'

const nothing = () => undefined
const uncounted: QueueMetrics = { added: nothing, depth: nothing, began: nothing, ended: nothing, retried: nothing }

type Deferred = { promise: Promise<Date | undefined>; resolve: (at?: Date) => void; reject: (error: Error) => void }

function deferred(): Deferred {
  const { promise, resolve, reject } = Promise.withResolvers<Date | undefined>()
  return { promise, resolve: (at) => resolve(at), reject }
}

function aQueue(workers = 2) {
  const started: string[] = []
  const open: { key: string; end: Deferred }[] = []
  const errors: { key: string; retryMs: number }[] = []
  const queue = createQueue({
    workers,
    work: (key) => {
      const end = deferred()
      started.push(key)
      open.push({ key, end })
      return end.promise
    },
    onError: (key, _, retryMs) => errors.push({ key, retryMs }),
    metrics: uncounted,
    now: () => new Date(),
    monotonic: () => performance.now(),
    random: () => 0.5,
  })
  const take = async (key: string) => {
    await expect.poll(() => open.findIndex((one) => one.key === key), { interval: 1 }).toBeGreaterThanOrEqual(0)
    const [one] = open.splice(
      open.findIndex((other) => other.key === key),
      1,
    )
    if (one === undefined) throw new Error('unreachable')
    return one.end
  }
  return { queue, started, open, errors, take }
}

test('a key added many times while it waits is worked on once', async () => {
  const { queue, started, take } = aQueue(1)
  queue.add('first')
  for (let count = 0; count < 5; count += 1) queue.add('second')
  ;(await take('first')).resolve()
  ;(await take('second')).resolve()
  await queue.shutDownWithDrain()
  expect(started).toEqual(['first', 'second'])
})

test('a key added while it is worked on is worked on once more, afterwards', async () => {
  const { queue, started, take } = aQueue()
  queue.add('a')
  queue.add('a')
  queue.add('a')
  expect(started).toEqual(['a'])
  ;(await take('a')).resolve()
  ;(await take('a')).resolve()
  await queue.shutDownWithDrain()
  expect(started).toEqual(['a', 'a'])
})

test('a key that fails comes back, each time after twice as long', async () => {
  const { queue, errors, take } = aQueue()
  queue.add('a')
  ;(await take('a')).reject(new Error('no'))
  ;(await take('a')).reject(new Error('no'))
  ;(await take('a')).resolve()
  await queue.shutDownWithDrain()
  expect(errors.map(({ retryMs }) => retryMs)).toEqual([250, 500])
})

test('a key comes back when it asked to', async () => {
  const { queue, started, take } = aQueue()
  queue.add('a')
  const begin = performance.now()
  ;(await take('a')).resolve(new Date(Date.now() + 100))
  ;(await take('a')).resolve()
  await queue.shutDownWithDrain()
  expect(started).toEqual(['a', 'a'])
  expect(performance.now() - begin).toBeGreaterThanOrEqual(95)
})

test('what has changed overtakes what is merely due, and is worked on once', async () => {
  const { queue, started, take } = aQueue(1)
  queue.add('first')
  for (const key of ['a', 'b', 'c']) queue.addRoutine(key)
  queue.add('b')
  queue.add('new')
  for (const key of ['first', 'b', 'new', 'a', 'c']) (await take(key)).resolve()
  await queue.shutDownWithDrain()
  expect(started).toEqual(['first', 'b', 'new', 'a', 'c'])
})

test('of several times to come back the earliest counts, and the others are forgotten', async () => {
  const { queue, started, take } = aQueue()
  queue.addAfter('a', 60_000)
  queue.addAfter('a', 20)
  queue.addAfter('a', 40)
  ;(await take('a')).resolve()
  queue.add('b')
  ;(await take('b')).resolve(new Date(Date.now() + 100))
  ;(await take('b')).resolve()
  await queue.shutDownWithDrain()
  expect(started).toEqual(['a', 'b', 'b'])
})

test('tells how much waits, in which lane, how long it waited and took, and how it ended', async () => {
  const told: string[] = []
  let clock = 0
  const queue = createQueue({
    workers: 1,
    work: async (key) => {
      clock += 1000
      if (key === 'bad') throw new Error('no')
      return key === 'again' ? new Date(60_000) : undefined
    },
    onError: nothing,
    metrics: {
      added: () => told.push('added'),
      depth: (lane, waiting) => told.push(`${lane} ${waiting}`),
      began: (lane, waited) => told.push(`${lane} waited ${waited}`),
      ended: (seconds, result) => told.push(`${result} in ${seconds}`),
      retried: () => told.push('retried'),
    },
    now: () => new Date(0),
    monotonic: () => clock,
    random: () => 0.5,
  })
  queue.add('good')
  queue.addRoutine('bad')
  queue.add('again')
  expect([queue.len(), [...queue.running()], queue.lastMoved()]).toEqual([2, [0], 0])
  await expect.poll(() => told.filter((one) => one === 'retried').length, { interval: 1 }).toBe(2)
  await queue.shutDownWithDrain()
  const ofGood = ['added', 'urgent 1', 'urgent 0', 'urgent waited 0']
  expect(told.slice(0, 8)).toEqual([...ofGood, 'added', 'routine 1', 'added', 'urgent 1'])
  expect(told.slice(8)).toEqual([
    ...['success in 1', 'urgent 0', 'urgent waited 0', 'requeue_after in 1', 'retried'],
    ...['routine 0', 'routine waited 1', 'error in 1', 'retried'],
  ])
})

test('whoever asks to be left alone is, and a drawn time longer', async () => {
  const waits: number[] = []
  const queue = createQueue({
    workers: 1,
    work: async () => {
      throw new Error('later')
    },
    onError: (_key, _error, retryMs) => waits.push(retryMs),
    retryAfterMs: (error) => (error instanceof Error && error.message === 'later' ? 60_000 : 0),
    metrics: uncounted,
    now: () => new Date(0),
    monotonic: () => 0,
    random: () => 0.5,
  })
  queue.add('a')
  await expect.poll(() => waits, { interval: 1 }).toEqual([60_250])
  await queue.shutDownWithDrain()
})

test('a key that overtakes was added once', async () => {
  let added = 0
  const ended = Promise.withResolvers<void>()
  const queue = createQueue({
    workers: 1,
    work: async (key) => {
      if (key === 'last') ended.resolve()
    },
    onError: nothing,
    metrics: { ...uncounted, added: () => (added += 1) },
    now: () => new Date(0),
    monotonic: () => 0,
    random: () => 0.5,
  })
  queue.addRoutine('first')
  for (const add of [queue.addRoutine, queue.addRoutine, queue.add, queue.add]) add('last')
  await ended.promise
  await queue.shutDownWithDrain()
  expect(added).toBe(2)
})

test('a drained queue ends what is under way and begins nothing', async () => {
  const { queue, started, take } = aQueue(1)
  queue.add('a')
  queue.add('b')
  const drained = queue.shutDownWithDrain()
  queue.add('c')
  ;(await take('a')).resolve(new Date())
  await drained
  expect(started).toEqual(['a'])
})

test('one worker per key, never more than there are workers, and no key is forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (keys, workers) => {
        const busy = new Map<string, number>()
        let most = 0
        const lastAdded = new Map<string, number>()
        const lastWorked = new Map<string, number>()
        let clock = 0
        const queue = createQueue({
          workers,
          work: async (key) => {
            clock += 1
            lastWorked.set(key, clock)
            busy.set(key, (busy.get(key) ?? 0) + 1)
            expect(busy.get(key)).toBe(1)
            most = Math.max(
              most,
              [...busy.values()].reduce((sum, one) => sum + one, 0),
            )
            await new Promise((resolve) => setImmediate(resolve))
            busy.set(key, 0)
            return undefined
          },
          onError: (_, error) => {
            throw error
          },
          metrics: uncounted,
          now: () => new Date(),
          monotonic: () => performance.now(),
          random: () => 0.5,
        })
        for (const [index, key] of keys.entries()) {
          clock += 1
          lastAdded.set(key, clock)
          queue.add(key)
          if (index % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await expect
          .poll(() => [...lastAdded].every(([key, added]) => (lastWorked.get(key) ?? 0) > added), { interval: 1 })
          .toBe(true)
        await queue.shutDownWithDrain()
        expect(most).toBeLessThanOrEqual(workers)
      },
    ),
    { numRuns: 50 },
  )
})
