import { describe, expect, it } from 'vitest'
import { runSync } from '../../src/sync/run.ts'
import { modelWorld, open, orders, podOf, type World } from './sync-model.ts'

type Event = {
  readonly metadata: { uid: string }
  readonly activity_name: string
  readonly raw_data: string
  time: number
}

const eventsOf = async (world: World) => (await world.sink.events('Groups')).map((line) => JSON.parse(line) as Event)
const namesOf = async (world: World) =>
  (await eventsOf(world)).map(
    ({ metadata, activity_name }) => `${metadata.uid.split('/').slice(2, 4).join('/')} ${activity_name}`,
  )

const withGroups = (count: number): World => {
  const world = modelWorld()
  for (let id = 1; id <= count; id++) world.zendesk.changeGroup(id)
  return world
}
let slot = 0
const sync = (world: World, more: object = {}, records = 4) => {
  slot += 1
  return runSync(orders({ slot, streams: ['Groups'], ...more }), podOf(world, open, `pod-${slot}`, records))
}
const DAY = 24 * 3600

describe('a snapshot', () => {
  it('is taken once a day, whole', async () => {
    const world = withGroups(2)
    expect((await sync(world)).report).toMatchObject({ result: 'Succeeded', records: 2 })
    world.clock.advance(DAY - 10)
    expect((await sync(world)).report).toMatchObject({ result: 'Succeeded', records: 0, streams: [{ requests: 0 }] })
    world.clock.advance(10)
    expect((await sync(world)).report).toMatchObject({ result: 'Succeeded', records: 2 })
    expect(await namesOf(world)).toEqual(['0/1 Collect', '0/2 Collect', '1/1 Collect', '1/2 Collect'])
  })

  it('is taken anew when that was asked for after it had begun', async () => {
    const world = withGroups(1)
    const before = world.clock.now().toISOString()
    await sync(world)
    expect((await sync(world, { snapshotsSince: before })).report.records).toBe(0)
    world.clock.advance(5)
    const after = world.clock.now().toISOString()
    expect((await sync(world, { snapshotsSince: after })).report.records).toBe(1)
    expect((await sync(world, { snapshotsSince: after })).report.records).toBe(0)
  })

  it('says what is gone since the one before, with its last text, and says it once', async () => {
    const world = withGroups(3)
    await sync(world)
    const [, second] = world.zendesk.groups()
    world.zendesk.deleteGroup(2)
    for (let day = 0; day < 2; day++) {
      world.clock.advance(DAY)
      await sync(world)
    }
    const gone = (await eventsOf(world)).filter(({ activity_name }) => activity_name === 'Removed')
    expect(gone).toHaveLength(1)
    expect(gone[0]).toMatchObject({ raw_data: second, metadata: { uid: 'acme/Groups/1/2/removed' } })
  })

  it('marks its end even when nothing is left', async () => {
    const world = withGroups(0)
    expect((await sync(world)).report).toMatchObject({ records: 0, streams: [{ complete: true }] })
    expect(world.sink.chains.get('Groups')).toHaveLength(1)
    await sync(world)
    expect(world.sink.chains.get('Groups')).toHaveLength(1)
    world.zendesk.changeGroup(1)
    world.clock.advance(DAY)
    await sync(world)
    world.zendesk.deleteGroup(1)
    world.clock.advance(DAY)
    await sync(world)
    expect(await namesOf(world)).toEqual(['1/1 Collect', '2/1 Removed'])
  })

  it('says nothing of what is gone when the one before was taken out of the sink', async () => {
    const world = withGroups(2)
    await sync(world)
    world.zendesk.deleteGroup(1)
    world.clock.advance(DAY)
    const chain = world.sink.chains.get('Groups') ?? []
    delete chain[0]
    expect((await sync(world)).report).toMatchObject({ result: 'Succeeded', records: 1 })
  })

  it('says nothing of what is gone, rather than a part, when a segment of the one before was taken out of the sink', async () => {
    const world = withGroups(9)
    await sync(world)
    for (const id of [1, 5, 9]) world.zendesk.deleteGroup(id)
    world.clock.advance(DAY)
    const chain = world.sink.chains.get('Groups') ?? []
    expect(chain).toHaveLength(2)
    delete chain[0]
    expect((await sync(world)).report).toMatchObject({ result: 'Succeeded', records: 6 })
  })

  it('goes to a sink that cannot be read back, too, without what is gone', async () => {
    const world = withGroups(2)
    const blind = () => {
      slot += 1
      const { sink, ...rest } = podOf(world, open, `pod-${slot}`)
      const pod = { ...rest, sink: { identity: 'blind', publish: sink.publish } }
      return runSync(orders({ slot, streams: ['Groups'] }), pod)
    }
    await blind()
    world.zendesk.deleteGroup(1)
    world.clock.advance(DAY)
    expect((await blind()).report).toMatchObject({ result: 'Succeeded', records: 1 })
  })
})
