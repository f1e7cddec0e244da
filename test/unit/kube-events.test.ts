/** Events: one of each reason, written at most once in five minutes, and nothing lost. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Happening } from '../../src/connector/events.ts'
import type { Cluster } from '../../src/kube/cluster.ts'
import { KubeError } from '../../src/kube/errors.ts'
import { createEvents, type Events } from '../../src/kube/events.ts'
import { aConnector } from './fixtures/connectors.ts'

const MINUTE = 60_000
type Stored = { message: string; count: number; firstTimestamp: string; lastTimestamp: string; type: string }

let stored: Map<string, Stored>
/** The methods of what was asked for. */
let calls: string[]
let failing: KubeError | undefined
let problems: unknown[]
let events: Events

/** An API server that keeps Events. */
const cluster: Cluster = {
  async request(method, path, { body } = {}) {
    calls.push(method)
    if (failing !== undefined) throw failing
    const name = method === 'POST' ? (body as { metadata: { name: string } }).metadata.name : path.split('/').at(-1)
    const there = stored.get(name ?? '')
    if (method === 'POST') {
      if (there !== undefined) throw new KubeError('AlreadyExists', 'it is there', 409)
      stored.set(name ?? '', body as Stored)
    } else if (there === undefined) throw new KubeError('NotFound', 'it is not there', 404)
    else if (method === 'PATCH')
      for (const { op, path: field, value } of body as { op: string; path: string; value: unknown }[]) {
        const key = field.slice(1)
        if (op !== 'test') Object.assign(there, { [key]: value })
        else if (Reflect.get(there, key) !== value) throw new KubeError('Invalid', 'a test has failed', 422)
      }
    return there ?? {}
  },
  watch: async () => undefined,
  close: async () => undefined,
}
const opened = () =>
  createEvents(cluster, {
    now: () => new Date(),
    monotonic: () => performance.now(),
    onProblem: (key, problem) => problems.push(key, problem),
  })

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-23T08:00:00Z') })
  stored = new Map()
  calls = []
  failing = undefined
  problems = []
  events = opened()
})
afterEach(() => {
  events.close()
  vi.useRealTimers()
})

const acme = aConnector()
const happened = (message: string, reason = 'ConnectionLost'): Happening => ({ type: 'Warning', reason, message })
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)
const one = () => {
  expect(stored.size).toBe(1)
  return [...stored.values()][0]
}

test('what happens first is told at once', async () => {
  await events.record(acme, happened('No answer.'))
  expect(one()).toMatchObject({
    involvedObject: { kind: 'ZendeskConnector', namespace: 'security', name: 'acme', uid: acme.metadata.uid },
    type: 'Warning',
    reason: 'ConnectionLost',
    message: 'No answer.',
    count: 1,
    firstTimestamp: '2026-11-23T08:00:00Z',
    lastTimestamp: '2026-11-23T08:00:00Z',
  })
})

test('what happens again within five minutes is counted, and told with the last word when they are over', async () => {
  await events.record(acme, happened('First.'))
  for (const message of ['Second.', 'Third.']) {
    await pass(MINUTE)
    await events.record(acme, happened(message))
  }
  expect(calls).toEqual(['POST'])
  await pass(3 * MINUTE - 1)
  expect(calls).toEqual(['POST'])
  await pass(1)
  expect(calls).toEqual(['POST', 'PATCH'])
  expect(one()).toMatchObject({
    message: 'Third.',
    count: 3,
    firstTimestamp: '2026-11-23T08:00:00Z',
    lastTimestamp: '2026-11-23T08:02:00Z',
  })
  await pass(60 * MINUTE)
  expect(calls).toHaveLength(2)
})

test('however often it happens, one reason is written once in five minutes', async () => {
  for (let second = 0; second < 3600; second += 10) {
    await events.record(acme, happened(`No ${second}.`))
    await pass(10_000)
  }
  expect(calls).toEqual(['POST', ...Array.from({ length: 12 }, () => 'PATCH')])
  expect(one()).toMatchObject({ count: 360, message: 'No 3590.' })
})

test('each reason, and each connector, has an Event of its own', async () => {
  await events.record(acme, happened('x'))
  await events.record(acme, happened('x', 'RunFailed'))
  await events.record(aConnector({}, { uid: 'another' }), happened('x'))
  expect(stored.size).toBe(3)
  for (const name of stored.keys()) expect(name).toMatch(/^acme\.[0-9a-f]{10}$/)
})

test('what happens later is told at once, in the same Event', async () => {
  await events.record(acme, happened('First.'))
  await pass(5 * MINUTE)
  await events.record(acme, happened('Second.'))
  expect(calls).toEqual(['POST', 'PATCH'])
  expect(one()).toMatchObject({ count: 2, message: 'Second.' })
})

test('an operator that has just begun goes on from the count that is there', async () => {
  await events.record(acme, happened('First.'))
  events.close()
  events = opened()
  await pass(20 * MINUTE)
  await events.record(acme, happened('Second.'))
  expect(one()).toMatchObject({ count: 2, message: 'Second.' })
  await pass(5 * MINUTE)
  await events.record(acme, happened('Third.'))
  expect(calls).toEqual(['POST', 'POST', 'GET', 'PATCH', 'PATCH'])
})

test('a count that another leader has gone on from is gone on from, and not set back', async () => {
  await events.record(acme, happened('First.'))
  await pass(10 * MINUTE)
  Object.assign(one() ?? {}, { count: 40 })
  await events.record(acme, happened('Second.'))
  expect(one()).toMatchObject({ count: 41, message: 'Second.' })
})

test('an operator that has just begun keeps to the five minutes of the one before it', async () => {
  await events.record(acme, happened('First.'))
  events.close()
  events = opened()
  await pass(2 * MINUTE)
  await events.record(acme, happened('Second.'))
  expect(one()).toMatchObject({ count: 1, message: 'First.' })
  await pass(3 * MINUTE)
  expect(one()).toMatchObject({ count: 2, message: 'Second.' })
})

test('an Event that the API server has dropped is made anew', async () => {
  await events.record(acme, happened('First.'))
  stored.clear()
  await pass(5 * MINUTE)
  await events.record(acme, happened('Second.'))
  expect(one()).toMatchObject({ count: 1, message: 'Second.' })
  expect(problems).toEqual([])
})

test('what could not be told because the API server was away is told five minutes later', async () => {
  failing = new KubeError('Network', 'away')
  await events.record(acme, happened('First.'))
  expect(problems).toEqual(['security/acme', failing])
  failing = undefined
  await events.record(acme, happened('Second.'))
  expect(stored.size).toBe(0)
  await pass(5 * MINUTE)
  expect(one()).toMatchObject({ count: 2, message: 'Second.' })
})

test('what the API server refuses is told to nobody again and again', async () => {
  failing = new KubeError('Forbidden', 'the namespace is going', 403)
  for (let times = 0; times < 10; times++) await events.record(acme, happened('First.'))
  await pass(60 * MINUTE)
  expect(calls.length).toBeLessThanOrEqual(2)
})

test('after the end nothing is written any more', async () => {
  await events.record(acme, happened('First.'))
  await events.record(acme, happened('Second.'))
  events.close()
  await pass(60 * MINUTE)
  await events.record(acme, happened('Third.'))
  expect(calls).toEqual(['POST'])
})
