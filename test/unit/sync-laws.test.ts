import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../src/connector/run.ts'
import { type RunEnd, runSync } from '../../src/sync/run.ts'
import type { Segment } from '../../src/sync/segment.ts'
import {
  EPOCH,
  type Gate,
  type Log_,
  modelWorld,
  orders,
  podOf,
  textOfLog,
  textOfVisit,
  type World,
} from './sync-model.ts'

const STREAMS = ['Users', 'Groups', 'AuditLogs', 'AccessLogs'] as const
const LOGS = ['AuditLogs', 'AccessLogs'] as const

type Trouble = {
  readonly kind: 'none' | 'killed' | 'frozen'
  /** At which call to Zendesk, sink or checkpoint, before or after it took effect. */
  readonly call: number
  readonly afterwards: boolean
  /** Seconds until the next run, and what happens in them. */
  readonly pause: number
  readonly logs: readonly { readonly ago: number; readonly delay: number }[]
}
type Change =
  | { readonly user: number }
  | { readonly group: number }
  | { readonly gone: number }
  | { readonly logDelay: number }
  | { readonly visitDelay: number }
  | undefined
type Story = {
  readonly page: number
  readonly repeat: number
  readonly segment: number
  readonly oldLogs: readonly { readonly ago: number; readonly delay: number }[]
  readonly users: number
  readonly groups: number
  /** Slices read side by side. */
  readonly sideBySide: number
  /** One for each request. */
  readonly changes: readonly Change[]
  readonly troubles: readonly Trouble[]
}

/** Up to 15 minutes until a record surfaces, extremes more often. */
const delay = fc.oneof(fc.constant(0), fc.integer({ min: 600, max: 900 }), fc.nat({ max: 900 }))
const storyWith = (troubles: fc.Arbitrary<Trouble[]>): fc.Arbitrary<Story> =>
  fc.record({
    page: fc.integer({ min: 1, max: 4 }),
    repeat: fc.nat({ max: 1 }),
    segment: fc.integer({ min: 1, max: 8 }),
    oldLogs: fc.array(fc.record({ ago: fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: 1200 })), delay }), {
      maxLength: 30,
    }),
    users: fc.nat({ max: 12 }),
    groups: fc.nat({ max: 6 }),
    sideBySide: fc.integer({ min: 1, max: 3 }),
    changes: fc.array(
      fc.option(
        fc.oneof(
          fc.record({ user: fc.nat({ max: 12 }) }),
          fc.record({ group: fc.integer({ min: 1, max: 6 }) }),
          fc.record({ gone: fc.integer({ min: 1, max: 6 }) }),
          fc.record({ logDelay: delay }),
          fc.record({ visitDelay: delay }),
        ),
        { nil: undefined },
      ),
      { maxLength: 60 },
    ),
    troubles,
  })
const troubleOf = (...kinds: Trouble['kind'][]) =>
  fc.record({
    kind: fc.constantFrom(...kinds),
    call: fc.integer({ min: 1, max: 40 }),
    afterwards: fc.boolean(),
    pause: fc.integer({ min: 16, max: 900 }),
    logs: fc.array(fc.record({ ago: fc.nat({ max: 899 }), delay }), { maxLength: 4 }),
  })

/** Seconds of a few neighbours are the same, so that boundaries run through them. */
const coarse = (second: number) => Math.floor(second / 7) * 7

async function live(story: Story): Promise<World> {
  const world = modelWorld(story)
  const { zendesk, clock } = world
  for (const { ago, delay } of story.oldLogs) {
    zendesk.addLog(coarse(EPOCH - ago), delay)
    zendesk.addVisit(coarse(EPOCH - ago), delay)
  }
  for (let id = 1; id <= story.users; id++) zendesk.changeUser(id)
  for (let id = 1; id <= story.groups; id++) zendesk.changeGroup(id)
  clock.advance(61)
  const changes = story.changes.values()
  let quiet = false
  const change = () => {
    if (quiet) return
    const next = changes.next().value
    if (next === undefined) return
    if ('user' in next) zendesk.changeUser(next.user)
    else if ('group' in next) zendesk.changeGroup(next.group)
    else if ('gone' in next) zendesk.deleteGroup(next.gone)
    else if ('logDelay' in next) zendesk.addLog(coarse(clock.seconds()), next.logDelay)
    else zendesk.addVisit(coarse(clock.seconds()), next.visitDelay)
  }
  const runAs = (slot: number, gate: Gate) =>
    runSync(orders({ slot, streams: [...STREAMS] }), podOf(world, gate, `pod-${slot}`, story.segment, story.sideBySide))

  let slot = 0
  const frozen: { wake: () => void; run: Promise<RunEnd> }[] = []
  for (const trouble of story.troubles) {
    const stuck = Promise.withResolvers<'stuck'>()
    const woken = Promise.withResolvers<void>()
    const never = new Promise<void>(() => {})
    let calls = 0
    let isStuck = false
    const pass = async (afterwards: boolean) => {
      if (isStuck) return trouble.kind === 'killed' ? never : woken.promise
      if (trouble.kind === 'none' || trouble.afterwards !== afterwards || ++calls !== trouble.call) return
      isStuck = true
      stuck.resolve('stuck')
      return trouble.kind === 'killed' ? never : woken.promise
    }
    const gate: Gate = {
      before: async (what) => {
        if (what === 'get' && !isStuck) change()
        await pass(false)
      },
      after: () => pass(true),
    }
    const run = runAs(++slot, gate)
    const outcome = await Promise.race([run, stuck.promise])
    if (outcome === 'stuck' && trouble.kind === 'frozen') frozen.push({ wake: woken.resolve, run })
    clock.advance(trouble.pause)
    for (const { ago, delay } of trouble.logs) {
      zendesk.addLog(Math.floor(clock.seconds() - (ago % trouble.pause)), delay)
      zendesk.addVisit(Math.floor(clock.seconds() - (ago % trouble.pause)), delay)
    }
  }

  const gate: Gate = { before: async (what) => void (what === 'get' && change()), after: async () => {} }
  const last = async () => {
    clock.advance(1000)
    return runAs(++slot, gate)
  }
  expect(await last()).toMatchObject({ exitCode: EXIT.ok, report: { result: 'Succeeded' } })
  for (const { wake, run } of frozen) {
    wake()
    const { exitCode, report } = await run
    const hadEnded = world.store.history.some(({ holder }) => holder?.run === report.run && holder.released)
    expect(exitCode).toBe(hadEnded ? EXIT.ok : EXIT.fenced)
  }
  for (const late of changes) {
    if (late !== undefined && 'logDelay' in late) zendesk.addLog(coarse(clock.seconds()), late.logDelay)
    if (late !== undefined && 'visitDelay' in late) zendesk.addVisit(coarse(clock.seconds()), late.visitDelay)
  }
  clock.advance(1000)
  expect(await last()).toMatchObject({ exitCode: EXIT.ok, report: { result: 'Succeeded' } })
  quiet = true
  clock.advance(24 * 3600)
  expect(await last()).toMatchObject({ exitCode: EXIT.ok, report: { result: 'Succeeded' } })
  const newest = (await snapshotsOfGroups(world)).at(-1)?.present ?? []
  expect(inOrder(newest.map(({ raw_data }) => raw_data))).toEqual(inOrder(zendesk.groups()))
  return world
}

const rawOf = (line: string) => (JSON.parse(line) as { raw_data: string }).raw_data

const inOrder = (texts: readonly string[]) => [...texts].sort()

async function expectEveryLogOnce({ sink, zendesk, store }: World): Promise<void> {
  const wanted = (stream: string, records: readonly Log_[], textOf: (record: Log_) => string) => {
    const from = Date.parse(store.checkpoint?.streams[stream]?.lowerBound ?? '') / 1000
    return records.filter(({ at }) => at >= from).map(textOf)
  }
  const published = async (stream: string) => (await sink.events(stream)).map(rawOf)
  expect(inOrder(await published('AuditLogs'))).toEqual(inOrder(wanted('AuditLogs', zendesk.logs, textOfLog)))
  expect(inOrder(await published('AccessLogs'))).toEqual(inOrder(wanted('AccessLogs', zendesk.visits, textOfVisit)))
}

type Event = { readonly metadata: { readonly uid: string }; readonly raw_data: string; readonly activity_name: string }

/** What each snapshot of the groups in the sink holds, and which it says are gone: by its number. */
async function snapshotsOfGroups({ sink }: World) {
  const events = (await sink.events('Groups')).map((line) => JSON.parse(line) as Event)
  expect(new Set(events.map(({ metadata }) => metadata.uid)).size).toBe(events.length)
  const snapshots = new Map<string, { readonly present: Event[]; readonly gone: Event[] }>()
  for (const { header } of sink.chains.get('Groups') ?? []) {
    const { snapshot } = JSON.parse(header.end) as { snapshot: number }
    snapshots.set(String(snapshot), { present: [], gone: [] })
  }
  for (const event of events) {
    const one = snapshots.get(event.metadata.uid.split('/')[2] ?? '')
    if (event.activity_name === 'Removed') one?.gone.push(event)
    else one?.present.push(event)
  }
  return [...snapshots.values()]
}

const idOf = (text: string) => (JSON.parse(text) as { id: number }).id

/** Groups that are missing in a snapshot are said to be gone, once, and no others are. */
async function expectSnapshots(world: World): Promise<void> {
  const snapshots = await snapshotsOfGroups(world)
  for (const [index, { present, gone }] of snapshots.entries()) {
    const before = snapshots[index - 1]?.present.map(({ raw_data }) => idOf(raw_data)) ?? []
    const now = present.map(({ raw_data }) => idOf(raw_data))
    const missing = [...new Set(before)].filter((id) => !now.includes(id))
    expect(gone.map(({ raw_data }) => idOf(raw_data)).sort()).toEqual(missing.sort())
  }
}

async function publishedUsers({ sink }: World): Promise<string[]> {
  const published = (await sink.events('Users')).map(rawOf)
  expect(published.length).toBe(new Set(published).size)
  return published
}

function expectNoStepBack({ store, sink }: World): void {
  for (const stream of STREAMS) {
    const states = store.history.flatMap(({ streams }) => streams[stream] ?? [])
    for (const [index, state] of states.entries()) {
      const before = states[index - 1]
      if (before === undefined) continue
      expect(state.next).toBeGreaterThanOrEqual(before.next)
      expect(state.records).toBeGreaterThanOrEqual(before.records)
      expect(state.lowerBound === before.lowerBound || before.next === 0).toBe(true)
      if (LOGS.includes(stream as (typeof LOGS)[number]) && before.position !== undefined) {
        expect(Date.parse(state.position ?? '')).toBeGreaterThanOrEqual(Date.parse(before.position))
      }
    }
    const isWorthIt = ({ header }: Segment) => header.records > 0 || header.end.includes('"ended":true')
    expect((sink.chains.get(stream) ?? []).every(isWorthIt)).toBe(true)
    const chain = (sink.chains.get(stream) ?? []).map(({ header }) => header)
    expect(chain.map(({ start }) => start)).toEqual([undefined, ...chain.map(({ end }) => end)].slice(0, chain.length))
  }
}

describe('a sync run', () => {
  it('publishes each activity once and each served version of a user once, while all of them change', async () => {
    await fc.assert(
      fc.asyncProperty(storyWith(fc.array(troubleOf('none'), { maxLength: 5 })), async (story) => {
        const world = await live(story)
        await expectEveryLogOnce(world)
        expect((await publishedUsers(world)).sort()).toEqual([...world.zendesk.servedUsers].sort())
        await expectSnapshots(world)
        expectNoStepBack(world)
      }),
      { numRuns: 100 },
    )
  }, 60_000)

  it('loses nothing and repeats nothing when pods are killed or frozen at any call', async () => {
    await fc.assert(
      fc.asyncProperty(
        storyWith(fc.array(troubleOf('none', 'killed', 'frozen'), { minLength: 1, maxLength: 6 })),
        async (story) => {
          const world = await live(story)
          await expectEveryLogOnce(world)
          const published = await publishedUsers(world)
          const newest = [...world.zendesk.servedUsers].filter((text) => world.zendesk.isNewest(text))
          expect(published).toEqual(expect.arrayContaining(newest))
          await expectSnapshots(world)
          expectNoStepBack(world)
        },
      ),
      { numRuns: 300 },
    )
  }, 120_000)
})
