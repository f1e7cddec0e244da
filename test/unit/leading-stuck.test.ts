/** What `/healthz` is told of the queue: that work stands still, and never that there is much or none of it. */
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Kubernetes, Zendesk } from '../../src/controller/ports.ts'
import type { View } from '../../src/kube/view.ts'
import { startLeading, workersFor } from '../../src/leading.ts'
import { aConnector, observed, START } from './fixtures/connectors.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const WORKERS = workersFor(0)
const soon = { timeout: 5_000, interval: 1 }
const none = () => undefined

/** One that leads so many connectors; each write of a status waits until it is answered. Time is what the test says. */
function leads(connectors: number) {
  let seconds = 0
  const open: (() => void)[] = []
  const stop = new AbortController()
  /** Answers so many, the oldest first, after `kept` older ones that go on waiting. */
  const answer = (count: number, kept = 0) => {
    for (const end of open.splice(kept, count)) end()
  }
  const keys = Array.from({ length: connectors }, (_, index) => `security/c${index}`)
  const kubernetes: Partial<Kubernetes> = {
    observe: (key) => {
      const [namespace, name] = key.split('/')
      return observed(aConnector({ endpoint: `${name}.zendesk.com` }, { namespace, name, uid: name }))
    },
    // Answered that it is gone: there is nothing left to do.
    patchStatus: () => new Promise((resolve) => open.push(() => resolve(undefined))),
  }
  const view: Partial<View> = { keys: () => keys, isBusy: () => false, runs: () => 0 }
  const leading = startLeading({
    view: view as View,
    kubernetes: kubernetes as Kubernetes,
    zendesk: {} as Zendesk,
    metrics: { observe: none, queue: { added: none, depth: none, began: none, ended: none, retried: none } },
    mostTests: 0,
    mostRuns: 1,
    now: () => new Date(START.getTime() + seconds * 1000),
    monotonic: () => seconds * 1000,
    log: { debug: none, info: none, warn: none, error: none },
    signal: stop.signal,
  })
  onTestFinished(() => {
    stop.abort()
    answer(open.length)
  })
  return {
    leading,
    stop: () => stop.abort(),
    answer,
    pass: (more: number) => {
      seconds += more
    },
    /** Waits until so many are worked on. */
    underWay: (count: number) =>
      vi.waitUntil(() => open.length === count && [...leading.running()].length === count, soon),
  }
}

test('a queue that has nothing to do is not stuck, for however long', async () => {
  const { leading, pass, answer, underWay } = leads(1)
  await underWay(1)
  answer(1)
  await underWay(0)
  pass(24 * HOUR)
  expect(leading.stuck()).toBeUndefined()
})

test('nor is one that was idle for long when more comes at once than there are workers', async () => {
  const { leading, pass, underWay } = leads(0)
  pass(24 * HOUR)
  for (let index = 0; index < 2 * WORKERS; index += 1) leading.changed(`security/c${index}`)
  await underWay(WORKERS)
  expect(leading.stuck()).toBeUndefined()
})

test('nor is one that moves, however long the last have waited', async () => {
  const { leading, pass, answer, underWay } = leads(4 * WORKERS)
  for (let left = 4 * WORKERS; left > 0; left -= 1) {
    await underWay(Math.min(WORKERS, left))
    pass(MINUTE / 4)
    expect(leading.stuck()).toBeUndefined()
    answer(1)
  }
})

test('work that has not ended after five minutes is told of, and no more when it ends', async () => {
  const { leading, pass, answer, underWay } = leads(1)
  await underWay(1)
  pass(5 * MINUTE - 1)
  expect(leading.stuck()).toBeUndefined()
  pass(1)
  expect(leading.stuck()).toBe('no reconcile has started or ended for 300 s')
  answer(1)
  await underWay(0)
  expect(leading.stuck()).toBeUndefined()
})

test('and so it is while everything else moves beside it', async () => {
  const { leading, pass, answer, underWay } = leads(1)
  await underWay(1)
  for (let minute = 1; minute <= 6; minute += 1) {
    leading.changed('security/other')
    await underWay(2)
    pass(MINUTE)
    answer(1, 1)
    await underWay(1)
  }
  expect(leading.stuck()).toBe('no reconcile has started or ended for 360 s')
})

test('keys that wait while nobody begins on them are told of five minutes after work last ended', async () => {
  const { leading, stop, pass, answer, underWay } = leads(WORKERS + 1)
  await underWay(WORKERS)
  // One that is to end begins nothing more.
  stop()
  pass(4 * MINUTE)
  answer(WORKERS)
  await underWay(0)
  pass(5 * MINUTE - 1)
  expect(leading.stuck()).toBeUndefined()
  pass(1)
  expect(leading.stuck()).toBe('no reconcile has started or ended for 300 s')
})
