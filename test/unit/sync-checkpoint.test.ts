import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Checkpoint, Report } from '../../src/connector/run.ts'
import { CheckpointGone, claim, Fenced } from '../../src/sync/checkpoint.ts'
import { spentBefore, stillSending } from '../../src/sync/spent.ts'
import { fullySpent } from '../../src/zendesk/limits.ts'
import { aProgress } from './fixtures/connectors.ts'
import { Conflict, type Gate, manualClock, modelStore, open, openStore } from './sync-model.ts'

const who = { run: 'acme-1', slot: 1, pod: 'a', account: 'acme', sink: 'file/data' }
const chain = { next: 1, lowerBound: '2026-11-20T00:00:00Z', records: 3, complete: false }

function setting(gate: Gate = open) {
  const clock = manualClock()
  const store = modelStore()
  const stop = new AbortController()
  const silence: boolean[] = []
  const onSilence = (isSilent: boolean) => void silence.push(isSilent)
  const options = { clock, signal: stop.signal, progress: () => aProgress(''), onSilence }
  const take = (over: Partial<typeof who> = {}) => claim(openStore(store, gate), { ...who, ...over }, options)
  return { clock, store, stop, take, silence }
}
/** Until everything that can go on without time passing has gone on. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5))

describe('the checkpoint', () => {
  it('is renewed at least every ten seconds while nothing else happens', async () => {
    const { clock, store, take } = setting()
    await take()
    for (let second = 0; second < 60; second++) {
      clock.advance(1)
      await settled()
      const age = clock.now().getTime() - Date.parse(store.checkpoint?.holder?.renewTime ?? '')
      expect(age).toBeLessThanOrEqual(10_000)
    }
    expect(store.history.length).toBeLessThanOrEqual(8)
  })

  it('lets requests pass without a write while the renewal is young', async () => {
    const { clock, store, take } = setting()
    const hold = await take()
    clock.advance(9)
    const writes = store.history.length
    await hold.guard()
    expect(store.history.length).toBe(writes)
  })

  it('asks before the next request when the pod was frozen, and stops if another took over', async () => {
    const { clock, take } = setting()
    const frozen = await take()
    await take({ run: 'acme-2', slot: 2, pod: 'b' })
    expect(frozen.isHeld()).toBe(true)
    clock.advance(16)
    expect(frozen.isHeld()).toBe(false)
    await expect(frozen.guard()).rejects.toThrow(Fenced)
    await expect(frozen.guard()).rejects.toThrow(Fenced)
  })

  it('lets the newer of two pods of one run take over', async () => {
    const { take } = setting()
    const older = await take()
    const newer = await take({ pod: 'b' })
    await expect(older.confirm()).rejects.toThrow(Fenced)
    await newer.confirm()
  })

  it('makes requests wait while the store does not answer, from fifteen seconds on, and says so', async () => {
    let isDown = false
    const gate: Gate = {
      before: async () => {
        if (isDown) throw new Error('down')
      },
      after: async () => {},
    }
    const { clock, take, silence } = setting(gate)
    const hold = await take()
    isDown = true
    clock.advance(14)
    await hold.guard()
    clock.advance(2)
    let passed = false
    const waiting = hold.guard().then(() => {
      passed = true
    })
    await settled()
    expect(passed).toBe(false)
    expect(silence).toEqual([true])
    isDown = false
    await waiting
    expect(silence).toEqual([true, false])
  })

  it('ends the wait when the run is told to stop', async () => {
    let isDown = false
    const { clock, stop, take } = setting({
      before: async () => (isDown ? Promise.reject(new Error('down')) : undefined),
      after: async () => {},
    })
    const hold = await take()
    isDown = true
    clock.advance(16)
    const waiting = hold.guard()
    stop.abort(new Error('stop'))
    await expect(waiting).rejects.toThrow('stop')
  })

  it.each(['NotFound', 'Forbidden'])('that is taken away (%s) ends the run, at the next request', async (reason) => {
    let answer: Error | undefined
    const { clock, take } = setting({
      before: async () => (answer ? Promise.reject(answer) : undefined),
      after: async () => {},
    })
    const hold = await take()
    answer = Object.assign(new Error('gone'), { reason })
    clock.advance(16)
    await expect(hold.guard()).rejects.toThrow(CheckpointGone)
    await expect(hold.release({} as Report, [])).rejects.toThrow(CheckpointGone)
  })

  it('goes on after a conflict that is nobody else’s claim, and keeps what stands beside its own', async () => {
    const { store, take } = setting()
    const hold = await take()
    store.version += 5
    store.checkpoint = { ...(store.checkpoint as Checkpoint), streams: { Groups: chain } }
    hold.move('Users', chain)
    await hold.confirm()
    expect(store.checkpoint.streams).toEqual({ Groups: chain, Users: chain })
  })

  it('is not fenced by its own write whose answer was lost', async () => {
    let lose = false
    const gate: Gate = {
      before: async () => {},
      after: async () => {
        if (!lose) return
        lose = false
        throw new Error('answer lost')
      },
    }
    const { store, take } = setting(gate)
    lose = true
    const hold = await take()
    expect(hold.found).toBeUndefined()
    lose = true
    hold.move('Users', chain)
    await hold.confirm()
    await hold.confirm()
    expect(store.checkpoint?.streams.Users).toEqual(chain)
  })

  it('writes one at a time, and many moves at once as few writes', async () => {
    let under = 0
    let most = 0
    const gate: Gate = {
      before: async (what) => {
        if (what !== 'write') return
        most = Math.max(most, ++under)
        await settled()
        under--
      },
      after: async () => {},
    }
    const { store, take } = setting(gate)
    const hold = await take()
    for (let next = 1; next <= 50; next++) hold.move('Users', { ...chain, next })
    await hold.confirm()
    expect(most).toBe(1)
    expect(store.history.length).toBeLessThanOrEqual(3)
    expect(store.checkpoint?.streams.Users?.next).toBe(50)
  })

  it('begins chains anew for another sink', async () => {
    const { take } = setting()
    const hold = await take()
    hold.move('Users', chain)
    await hold.confirm()
    expect((await take({ pod: 'b' })).chains).toEqual({ Users: chain })
    expect((await take({ pod: 'c', sink: 'file/other' })).chains).toEqual({})
  })

  it('is an error when the store refuses, not a conflict', async () => {
    expect(new Conflict().reason).toBe('Conflict')
    const { take } = setting({
      before: async (what) => (what === 'write' ? Promise.reject(new Error('403')) : undefined),
      after: async () => {},
    })
    await expect(take()).rejects.toThrow('403')
  })
})

describe('what was spent before', () => {
  const at = Date.parse('2026-11-20T10:00:00Z')
  const held = (released: boolean): Checkpoint => ({
    account: 'acme',
    sink: '',
    streams: {},
    holder: {
      run: 'r',
      slot: 1,
      pod: 'p',
      claimTime: new Date(at).toISOString(),
      renewTime: new Date(at).toISOString(),
      released,
    },
    budget: {
      at: new Date(at).toISOString(),
      spent: [
        { secondsAgo: 5, requests: 7 },
        { secondsAgo: 50, requests: 9 },
      ],
    },
  })
  const since = (seconds: number) => new Date(at + seconds * 1000)
  const all = (secondsAgo: number) => fullySpent(200).map((one) => ({ ...one, secondsAgo }))

  it.each([
    ['nothing before the first run', undefined, 0, []],
    ['what a clean end recorded, aged', held(true), 20, [{ secondsAgo: 25, requests: 7 }]],
    [
      'the same by a clock that is behind',
      held(true),
      -5,
      [
        { secondsAgo: 5, requests: 7 },
        { secondsAgo: 50, requests: 9 },
      ],
    ],
    ['all of it right after a death', held(false), 0, all(0)],
    ['all of it, from the last moment at which the dead may have sent', held(false), 45, all(30)],
    ['nothing a minute later', held(false), 75, []],
  ] as const)('is %s', (_, found, seconds, expected) => {
    expect(spentBefore(found, since(seconds), 200)).toEqual(expected)
  })

  it('never forgets a request of the last minute, whenever the next run begins', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 120 }), (secondsAgo, later) => {
        const found = {
          ...held(true),
          budget: { at: new Date(at).toISOString(), spent: [{ secondsAgo, requests: 1 }] },
        }
        expect(spentBefore(found, since(later), 200).length).toBe(secondsAgo + later < 60 ? 1 : 0)
      }),
    )
  })

  it('waits for a holder that may only be frozen', () => {
    expect(stillSending(held(false), since(4))).toBe(11_000)
    expect(stillSending(held(false), since(20))).toBe(0)
    expect(stillSending(held(false), since(-100))).toBe(15_000)
    expect(stillSending(held(true), since(0))).toBe(0)
  })
})
