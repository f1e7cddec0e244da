/** Who leads: one at a time, whatever happens to machines, clocks and network; and one again soon. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../src/kube/cluster.ts'
import { campaign, type ElectionOptions, type Leadership } from '../../src/kube/election.ts'
import { KubeError } from '../../src/kube/errors.ts'
import { fenced } from '../../src/kube/fenced.ts'
import { createWorld, type Machine, type MachineOptions, type World } from './election-world.ts'

const SECOND = 1000

/** A replica: a process that stands again whenever it has lost the lead. */
function replica(world: World, name: string, options: MachineOptions & { readonly random?: () => number } = {}) {
  const machine = world.machine(options)
  const stop = new AbortController()
  const problems: unknown[] = []
  const leaders: string[] = []
  const won: Leadership[] = []
  const lostWhenWon: Leadership[] = []
  let leadership: Leadership | undefined
  const settings: ElectionOptions = {
    namespace: 'system',
    name: 'zendesk-connector',
    identity: name,
    signal: stop.signal,
    onProblem: (error) => problems.push(error),
    onLeader: (identity) => leaders.push(identity),
    clock: machine.clock,
    random: options.random ?? (() => 0.5),
  }
  const ended = (async () => {
    for (;;) {
      const current = await campaign(machine.cluster, settings)
      if (!current.mayWrite()) lostWhenWon.push(current)
      won.push(current)
      leadership = current
      await new Promise<void>((resolve) => {
        current.signal.addEventListener('abort', () => resolve())
        if (current.signal.aborted) resolve()
      })
      await current.release()
    }
  })().catch((error: unknown) => error)
  return {
    name,
    machine,
    problems,
    leaders,
    won,
    lostWhenWon,
    ended,
    stop: () => stop.abort(new Error('stopped')),
    current: () => leadership,
    leads: () => leadership?.mayWrite() ?? false,
    release: () => leadership?.release(),
  }
}

async function leading(world: World, name = 'a') {
  const one = replica(world, name)
  await world.until(one.leads, 100)
  return one
}

describe('the Lease', () => {
  it('is made as client-go makes it', async () => {
    const world = createWorld()
    await leading(world)
    expect(world.lease).toMatchObject({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'system', name: 'zendesk-connector' },
    })
    expect(world.lease?.spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '1970-01-01T00:00:01.010000Z',
      renewTime: '1970-01-01T00:00:01.010000Z',
      leaseTransitions: 0,
    })
  })

  it('is renewed every two seconds in one call, and says since when it is held', async () => {
    const world = createWorld()
    await leading(world)
    const calls: number[] = []
    world.network = () => {
      calls.push(world.nowMs())
      return { there: 5, back: 5 }
    }
    await world.run(world.nowMs() + 60 * SECOND)
    expect(calls).toHaveLength(29)
    expect(world.written).toHaveLength(30)
    expect(world.lease?.spec).toMatchObject({ acquireTime: '1970-01-01T00:00:01.010000Z', leaseTransitions: 0 })
    expect(world.lease?.spec?.renewTime).toMatch(/^1970-01-01T00:00:59\.\d{3}000Z$/)
  })

  it('counts how often it went from one to another, and keeps what others wrote beside it', async () => {
    const world = createWorld()
    world.lease = {
      metadata: {
        namespace: 'system',
        name: 'zendesk-connector',
        uid: 'u',
        resourceVersion: '7',
        labels: { of: 'others' },
      },
      spec: { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 4 },
    }
    const a = await leading(world)
    expect(world.lease?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 5 })
    expect(world.lease?.metadata).toMatchObject({ uid: 'u', labels: { of: 'others' } })
    expect(a.problems).toEqual([])
  })

  it('may be empty: then it is nobody’s', async () => {
    const world = createWorld()
    world.lease = { metadata: { resourceVersion: '7' } }
    await leading(world)
    expect(world.lease?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 1 })
  })

  it('of a leader whose clock stands still changes all the same: others take an unchanged one for a dead one’s', async () => {
    const world = createWorld()
    const a = replica(world, 'a', { wall: () => 5 })
    await world.until(a.leads, 100)
    const b = replica(world, 'b')
    await world.run(world.nowMs() + 60 * SECOND, () => expect(b.leads()).toBe(false))
    expect(a.leads()).toBe(true)
  })
})

describe('a stand-by', () => {
  it('waits for as long as the Lease changes, whatever its times say', async () => {
    const world = createWorld()
    const a = replica(world, 'a', { wall: () => Date.parse('1999-01-01T00:00:00Z') + world.nowMs() })
    await world.until(a.leads, 100)
    const b = replica(world, 'b', { wall: (ms) => Date.parse('2199-01-01T00:00:00Z') - ms })
    await world.run(world.nowMs() + 300 * SECOND, () => expect(b.leads()).toBe(false))
    expect(b.leaders).toEqual(['a'])
  })

  it('takes over within 2.3 s when the leader gives the Lease back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(4_000), async (chance, afterMs) => {
        const world = createWorld()
        const a = await leading(world)
        const b = replica(world, 'b', { random: () => chance })
        await world.run(world.nowMs() + afterMs)
        a.stop()
        const given = a.release()
        await world.until(() => world.lease?.spec?.holderIdentity === '', 100)
        expect(world.lease?.spec).toMatchObject({ leaseDurationSeconds: 1, leaseTransitions: 0 })
        expect(world.lease?.spec?.renewTime).toBe(world.lease?.spec?.acquireTime)
        expect(await world.until(b.leads, 2_300)).toBeLessThan(2_300)
        await given
        expect(world.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
      }),
      { numRuns: 50 },
    )
  })

  it('takes over within 17.5 s of the death of the leader', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(4_000), async (chance, afterMs) => {
        const world = createWorld()
        const a = await leading(world)
        const b = replica(world, 'b', { random: () => chance })
        await world.run(world.nowMs() + 10 * SECOND + afterMs)
        a.machine.kill()
        expect(await world.until(b.leads, 17_500)).toBeGreaterThan(12 * SECOND)
      }),
      { numRuns: 50 },
    )
  })

  it('tells once what is wrong for as long as it is wrong, and goes on', async () => {
    const world = createWorld()
    world.answer = () => ({ kind: 'Lease', metadata: 'none', spec: { clientSecret: 'c4n4ry' } })
    world.lease = { metadata: { resourceVersion: '7' }, spec: {} }
    const a = replica(world, 'a')
    await world.run(world.nowMs() + 20 * SECOND)
    expect(a.problems).toMatchObject([{ name: 'KubeError', reason: 'Malformed' }])
    expect(String(a.problems[0])).not.toContain('c4n4ry')
    world.answer = (raw) => raw
    await world.until(a.leads, 3 * SECOND)
  })

  it('that is told to stop rejects, and keeps no Lease that it was just taking', async () => {
    const world = createWorld()
    world.network = () => ({ there: 50, back: 500 })
    const a = replica(world, 'a')
    await world.until(() => world.lease?.spec?.holderIdentity === 'a', 2 * SECOND)
    a.stop()
    await world.until(() => world.lease?.spec?.holderIdentity === '', 2 * SECOND)
    await world.run(world.nowMs() + 5 * SECOND, () => expect(a.leads()).toBe(false))
    expect(await a.ended).toMatchObject({ message: 'stopped' })
  })
})

describe('a leader', () => {
  it('is none any more ten seconds after it sent its last good renewal, to the millisecond', async () => {
    const world = createWorld()
    const a = await leading(world)
    await world.run(world.nowMs() + 20 * SECOND)
    world.isDown = true
    const sentMs = (world.written.at(-1)?.atMs ?? 0) - 5
    const first = a.current()
    await world.run(sentMs + 10 * SECOND - 1)
    expect([first?.mayWrite(), first?.signal.aborted]).toEqual([true, false])
    await world.run(sentMs + 10 * SECOND)
    expect([first?.mayWrite(), first?.signal.aborted]).toEqual([false, true])
    expect(first?.signal.reason).toMatchObject({ name: 'KubeError', reason: 'NotLeader' })
    expect(a.problems).toMatchObject([{ reason: 'Unavailable' }])
    world.isDown = false
    await world.until(a.leads, 3 * SECOND)
    expect(first?.mayWrite()).toBe(false)
    expect(world.lease?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 })
  })

  it('counts from its very first write, also when that was answered late', async () => {
    const world = createWorld()
    world.network = () => ({ there: 5, back: 3_000 })
    const a = replica(world, 'a')
    await world.until(a.leads, 7 * SECOND)
    world.isDown = true
    const sentMs = (world.written[0]?.atMs ?? 0) - 5
    await world.run(sentMs + 10 * SECOND - 1)
    expect(a.leads()).toBe(true)
    await world.run(sentMs + 10 * SECOND)
    expect(a.leads()).toBe(false)
  })

  it('is none when it was frozen while it took the Lease', async () => {
    const world = createWorld()
    const a = replica(world, 'a')
    await world.until(() => world.lease !== undefined, SECOND)
    a.machine.freeze(world.nowMs() + 12 * SECOND)
    await world.run(world.nowMs() + 12 * SECOND)
    expect(a.won).toEqual([])
    await world.until(a.leads, 3 * SECOND)
    expect(a.lostWhenWon).toEqual([])
  })

  it('that was refused once is refused for good, also when its renewal had arrived', async () => {
    const world = createWorld()
    const a = await leading(world)
    const [first] = a.won
    const sentMs = (world.written[0]?.atMs ?? 0) - 5
    const before = world.written.length
    await world.until(() => world.written.length > before, 3 * SECOND)
    // It wakes with the answer at hand: by that the Lease would be good for two seconds more.
    a.machine.freeze(sentMs + 10_500)
    await world.run(sentMs + 10_400)
    expect(first?.mayWrite()).toBe(false)
    await world.run(sentMs + 10_501)
    expect(first?.mayWrite()).toBe(false)
    await world.until(a.leads, 3 * SECOND)
  })

  it('stays one through an outage that is shorter than that, and through any number of lost answers', async () => {
    const world = createWorld()
    const a = await leading(world)
    const first = a.current()
    await world.run(world.nowMs() + 3 * SECOND)
    world.isDown = true
    await world.run(world.nowMs() + 7 * SECOND)
    world.isDown = false
    await world.run(world.nowMs() + 3 * SECOND)
    let call = 0
    // Each renewal takes effect and its answer is lost: the next one is sent from an old version.
    world.network = () => ({ there: 5, back: call++ % 3 === 0 ? 'lost' : 5 })
    await world.run(world.nowMs() + 60 * SECOND, () => expect(first?.mayWrite()).toBe(true))
  })

  it('that was frozen may write nothing from the moment it wakes, and nothing that comes late revives it', async () => {
    const world = createWorld()
    const a = await leading(world)
    const b = replica(world, 'b')
    await world.run(world.nowMs() + 5 * SECOND)
    const first = a.current()
    // In the middle of a renewal: it is sent, and the answer waits for the process.
    world.network = (machine) => ({ there: 5, back: machine === a.machine ? 400 : 5 })
    const before = world.written.length
    await world.until(() => world.written.length > before, 3 * SECOND)
    a.machine.freeze(world.nowMs() + 60 * SECOND)
    await world.until(b.leads, 20 * SECOND)
    await world.run(world.nowMs() + 60 * SECOND, () => expect(first?.mayWrite()).toBe(false))
    expect(first?.signal.aborted).toBe(true)
    expect(b.leads()).toBe(true)
    expect(world.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
    expect(a.leaders.at(-1)).toBe('b')
  })

  it('gives back nothing that another holds', async () => {
    const world = createWorld()
    const a = await leading(world)
    const b = replica(world, 'b')
    await world.run(world.nowMs() + 5 * SECOND)
    a.machine.freeze(world.nowMs() + 30 * SECOND)
    await world.until(b.leads, 20 * SECOND)
    const late = a.release()
    await world.run(world.nowMs() + 30 * SECOND)
    await late
    expect(world.lease?.spec).toMatchObject({ holderIdentity: 'b' })
    expect(a.problems).toEqual([])
  })

  it('gives back also what a renewal has changed that was under way, and never throws', async () => {
    const world = createWorld()
    const a = await leading(world)
    const before = world.written.length
    world.network = () => ({ there: 5, back: 300 })
    await world.until(() => world.written.length > before, 3 * SECOND)
    const given = a.release()
    expect(a.leads()).toBe(false)
    await world.until(() => world.lease?.spec?.holderIdentity === '', 2 * SECOND)
    a.stop()
    await world.run(world.nowMs() + SECOND)
    await given
    await a.release()

    const other = createWorld()
    const c = await leading(other)
    other.isDown = true
    const refused = c.release()
    await other.run(other.nowMs() + SECOND)
    await refused
    expect(c.problems).toContainEqual(expect.objectContaining({ reason: 'Unavailable' }))
  })

  it('whose Lease is deleted by hand ends its work and stands again, undisturbed by those who have seen it', async () => {
    const world = createWorld()
    const a = await leading(world)
    const b = replica(world, 'b', { random: () => 0 })
    await world.run(world.nowMs() + 7 * SECOND)
    const first = a.current()
    world.lease = undefined
    await world.until(() => first?.signal.aborted ?? false, 2_100)
    await world.until(a.leads, 100)
    await world.run(world.nowMs() + 30 * SECOND, () => expect([a.leads(), b.leads()]).toEqual([true, false]))
    expect(a.current()).not.toBe(first)
  })

  it('is none any more as soon as it reads another’s name', async () => {
    const world = createWorld()
    const a = await leading(world)
    if (world.lease)
      world.lease = { metadata: { resourceVersion: '99' }, spec: { ...world.lease.spec, holderIdentity: 'x' } }
    await world.until(() => !a.leads(), 2_100)
  })
})

it('durations that do not fit together are refused', async () => {
  const { cluster, clock } = createWorld().machine()
  const base = { namespace: 'n', name: 'l', identity: 'i', signal: AbortSignal.abort(), onProblem: () => {}, clock }
  for (const wrong of [
    { renewDeadline: 15_000 },
    { leaseDuration: 15_500 },
    { retryPeriod: 9_000 },
    { retryPeriod: 0 },
  ]) {
    await expect(campaign(cluster, { ...base, ...wrong })).rejects.toThrow(RangeError)
  }
})

const chance = fc.double({ min: 0, max: 0.999, noNaN: true })
const seconds = (most: number) => fc.integer({ min: 0, max: most * SECOND })
const trouble = fc.record({
  atMs: seconds(90),
  forMs: seconds(40),
  who: fc.nat(2),
  what: fc.constantFrom('freeze', 'die', 'release', 'down', 'slow', 'deaf', 'mute', 'touch'),
})
const history = fc.record({
  rates: fc.tuple(...[1, 2, 3].map(() => fc.double({ min: 0.85, max: 1.2, noNaN: true }))),
  chances: fc.array(chance, { minLength: 5, maxLength: 40 }),
  troubles: fc.array(trouble, { maxLength: 12 }),
})

/** What happens to the world, and where it ends: then all is well again. */
function befall(
  world: World,
  replicas: ReturnType<typeof replica>[],
  troubles: readonly (typeof trouble extends fc.Arbitrary<infer T> ? T : never)[],
  next: () => number,
  add: () => void,
) {
  const bad = new Map<Machine, Set<string>>()
  world.network = (machine) => {
    const faults = bad.get(machine) ?? new Set()
    const way = () => (faults.has('slow') ? next() * 8_000 : next() * 300)
    return {
      there: faults.has('deaf') && next() < 0.7 ? 'lost' : way(),
      back: faults.has('mute') && next() < 0.7 ? 'lost' : way(),
    }
  }
  for (const { atMs, forMs, who, what } of troubles) {
    world.at(world.nowMs() + atMs, () => {
      const victim = replicas[who % replicas.length]
      if (victim === undefined) return
      const faults = bad.get(victim.machine) ?? new Set()
      bad.set(victim.machine, faults)
      const back = (undo: () => void) => world.at(world.nowMs() + forMs, undo)
      if (what === 'freeze') victim.machine.freeze(world.nowMs() + forMs)
      else if (what === 'release') void victim.release()
      else if (what === 'die') {
        victim.machine.kill()
        replicas.splice(replicas.indexOf(victim), 1)
        back(add)
      } else if (what === 'down') {
        world.isDown = true
        back(() => {
          world.isDown = false
        })
      } else if (what === 'touch') {
        // Somebody else changes the object: a label, say.
        if (world.lease)
          world.lease = { ...world.lease, metadata: { ...world.lease.metadata, resourceVersion: `${world.nowMs()}` } }
      } else {
        faults.add(what)
        back(() => faults.delete(what))
      }
    })
  }
}

describe('whatever is delayed, lost, frozen, killed or skewed', () => {
  it('there are never two that may write, and half a minute later one leads again', async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ rates, chances, troubles }) => {
        const world = createWorld()
        let drawn = 0
        const next = () => chances[drawn++ % chances.length] ?? 0
        const all: ReturnType<typeof replica>[] = []
        const replicas: typeof all = []
        const add = () => {
          const rate = rates[all.length % 3] ?? 1
          const one = replica(world, `replica-${all.length}`, { rate, wall: (ms) => ms * 40 * next(), random: next })
          all.push(one)
          replicas.push(one)
        }
        for (const _ of rates) add()
        befall(world, replicas, troubles, next, add)
        const refused = new Set<Leadership>()
        const one = () => {
          const may = all.flatMap(({ won }) => won).filter((leadership) => leadership.mayWrite())
          expect(may.length).toBeLessThan(2)
          expect(may.filter((leadership) => refused.has(leadership))).toEqual([])
          for (const { won } of all)
            for (const leadership of won) if (!may.includes(leadership)) refused.add(leadership)
        }
        await world.run(world.nowMs() + 130 * SECOND, one)
        world.isDown = false
        await world.run(world.nowMs() + 30 * SECOND, one)
        const leaders = replicas.filter(({ leads }) => leads())
        expect(leaders.map(({ name }) => name)).toEqual([world.lease?.spec?.holderIdentity])
        for (const { problems, lostWhenWon } of all) {
          expect(lostWhenWon).toEqual([])
          expect(problems.filter((problem) => !(problem instanceof KubeError))).toEqual([])
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe('the fenced cluster', () => {
  it('refuses every write once the lead is lost, and lets reads and watches pass', async () => {
    const sent: string[] = []
    let may = true
    const { signal } = new AbortController()
    const cluster = fenced(
      {
        request: async (method) => sent.push(method),
        watch: async () => void sent.push('watch'),
        close: async () => void sent.push('close'),
      },
      { mayWrite: () => may, signal },
    )
    const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
    for (const method of all) await cluster.request(method, '/')
    may = false
    for (const method of all.slice(1)) {
      await expect(cluster.request(method, '/')).rejects.toMatchObject({ name: 'KubeError', reason: 'NotLeader' })
    }
    await cluster.request('GET', '/')
    await cluster.watch('/', { signal: AbortSignal.abort(), stallMilliseconds: 1, onEvent: () => {} })
    await cluster.close()
    expect(sent).toEqual([...all, 'GET', 'watch', 'close'])
  })

  it('gives up the writes that are under way when the lead is lost', async () => {
    const lost = new AbortController()
    const given: (AbortSignal | undefined)[] = []
    const request: Cluster['request'] = async (_method, _path, call) => void given.push(call?.signal)
    const cluster = fenced(
      { request, watch: async () => {}, close: async () => {} },
      { mayWrite: () => true, signal: lost.signal },
    )
    const own = new AbortController()
    await cluster.request('POST', '/')
    await cluster.request('PATCH', '/', { signal: own.signal })
    await cluster.request('GET', '/')
    lost.abort()
    expect(given.map((signal) => signal?.aborted)).toEqual([true, true, undefined])
    expect(own.signal.aborted).toBe(false)
  })
})
