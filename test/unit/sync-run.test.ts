import { describe, expect, it } from 'vitest'
import { EXIT } from '../../src/connector/run.ts'
import { runSync } from '../../src/sync/run.ts'
import { SinkError } from '../../src/sync/sinks/sink.ts'
import { ZendeskError } from '../../src/zendesk/errors.ts'
import { EPOCH, modelWorld, open, orders, podOf, type World } from './sync-model.ts'

const idsOf = async (world: World, stream: string) =>
  (await world.sink.events(stream)).map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid)

const worldWith = (logs: number, users: number): World => {
  const world = modelWorld()
  for (let index = 0; index < logs; index++) world.zendesk.addLog(EPOCH - 600 + index, 0)
  for (let id = 1; id <= users; id++) world.zendesk.changeUser(id)
  world.clock.advance(600)
  return world
}

const failing = (world: World, what: (path: string) => Error | undefined) => {
  const pod = podOf(world, open, 'pod')
  return {
    ...pod,
    client: (given: Parameters<typeof pod.client>[0]) => {
      const client = pod.client(given)
      return {
        ...client,
        get: async (path: () => string, options: Parameters<typeof client.get>[1]) => {
          const error = what(path())
          if (error) throw error
          return client.get(path, options)
        },
      }
    },
  }
}

describe('a sync run', () => {
  it('reports what it published, and leaves the report in the checkpoint', async () => {
    const world = worldWith(5, 7)
    const { report, exitCode } = await runSync(orders(), podOf(world, open, 'pod'))
    expect(exitCode).toBe(EXIT.ok)
    expect(report).toMatchObject({ result: 'Succeeded', records: 12, run: 'acme-1', slot: 1 })
    expect(report.streams).toMatchObject([
      { name: 'Users', records: 7, complete: true, late: 0, unmapped: 0 },
      { name: 'AuditLogs', records: 5, complete: true, late: 0, newestRecordTime: '2026-11-20T09:50:04Z' },
    ])
    expect(world.store.checkpoint).toMatchObject({
      report,
      holder: { released: true },
      budget: { spent: [{ secondsAgo: 0 }] },
    })
    expect(world.store.checkpoint?.progress).toMatchObject({
      sentence: 'Users: 7 records; AuditLogs: up to 2026-11-20T09:50:04Z, 5 records',
      percent: 100,
      measures: { records: 12 },
    })
  })

  it('publishes nothing when nothing is new', async () => {
    const world = worldWith(5, 7)
    await runSync(orders(), podOf(world, open, 'pod'))
    const segments = [...world.sink.chains.values()].map((chain) => chain.length)
    const { report } = await runSync(orders({ slot: 2 }), podOf(world, open, 'pod-2'))
    expect(report).toMatchObject({ result: 'Succeeded', records: 0 })
    expect([...world.sink.chains.values()].map((chain) => chain.length)).toEqual(segments)
  })

  it('publishes an activity that surfaces 15 minutes late, and counts it', async () => {
    const world = modelWorld()
    const streams = ['AuditLogs']
    world.zendesk.addLog(EPOCH, 900)
    world.zendesk.addLog(EPOCH + 838, 0)
    world.clock.advance(898)
    expect((await runSync(orders({ streams }), podOf(world, open, 'pod'))).report.records).toBe(1)
    world.clock.advance(60)
    const { report } = await runSync(orders({ slot: 2, streams }), podOf(world, open, 'pod-2'))
    expect(report.streams).toMatchObject([{ records: 2, late: 1 }])
    expect(await idsOf(world, 'AuditLogs')).toEqual(['acme/AuditLogs/1001', 'acme/AuditLogs/1000'])
  })

  it('leaves alone what is so new that others of its second may be missing', async () => {
    const world = modelWorld()
    world.zendesk.addLog(EPOCH, 0)
    world.clock.advance(50)
    expect((await runSync(orders(), podOf(world, open, 'pod'))).report.records).toBe(0)
  })

  it('asks for nothing before its lower bound, and publishes nothing older if Zendesk ignores the filter', async () => {
    const world = worldWith(3, 0)
    world.zendesk.addLog(EPOCH - 3700, 0)
    const pod = podOf(world, open, 'pod')
    const unfiltered = (path: string) => {
      const url = new URL(path, 'https://acme.zendesk.com')
      expect(url.searchParams.getAll('filter[created_at][]')).toEqual(['2026-11-20T09:10:00Z', '2026-11-20T10:09:00Z'])
      url.searchParams.delete('filter[created_at][]')
      for (const year of [2020, 2030]) url.searchParams.append('filter[created_at][]', `${year}-01-01T00:00:00Z`)
      return url.pathname + url.search
    }
    const client: typeof pod.client = (given) => {
      const real = pod.client(given)
      return { ...real, get: (path, options) => real.get(() => unfiltered(path()), options) }
    }
    await runSync(orders({ streams: ['AuditLogs'] }), { ...pod, client })
    expect(await idsOf(world, 'AuditLogs')).toEqual([
      'acme/AuditLogs/1000',
      'acme/AuditLogs/1001',
      'acme/AuditLogs/1002',
    ])
  })

  it('finds a lost checkpoint again in the sink', async () => {
    const world = worldWith(5, 7)
    await runSync(orders(), podOf(world, open, 'pod'))
    world.store.checkpoint = undefined
    const { report } = await runSync(orders({ slot: 2 }), podOf(world, open, 'pod-2'))
    expect(report).toMatchObject({ result: 'Succeeded', records: 0, streams: [{ records: 7 }, { records: 5 }] })
  })

  it('refuses a chain of another account', async () => {
    const world = worldWith(1, 1)
    await runSync(orders(), podOf(world, open, 'pod'))
    const { report, exitCode } = await runSync(
      orders({ slot: 2, endpoint: 'other.zendesk.com' }),
      podOf(world, open, 'p'),
    )
    expect(exitCode).toBe(EXIT.sink)
    expect(report).toMatchObject({ result: 'Failed', reason: 'SinkUnavailable' })
    expect(report.message).toContain('another Zendesk account, acme')
  })

  it('keeps keys in the checkpoint for a sink that cannot be read back', async () => {
    const world = worldWith(5, 7)
    const blind = (pod: string) => {
      const { sink, ...rest } = podOf(world, open, pod)
      return { ...rest, sink: { identity: 'blind', publish: sink.publish } }
    }
    await runSync(orders(), blind('pod'))
    expect(world.store.checkpoint?.streams.AuditLogs?.recent).toHaveLength(5)
    expect((await runSync(orders({ slot: 2 }), blind('pod-2'))).report).toMatchObject({
      result: 'Succeeded',
      records: 0,
    })
  })

  it('lets the other streams finish when Zendesk denies one, and fails naming it', async () => {
    const world = worldWith(5, 7)
    const denied = failing(world, (path) =>
      path.includes('audit_logs')
        ? new ZendeskError('NotAdmin', 'Zendesk forbids it: make the user an admin.')
        : undefined,
    )
    const { report, exitCode } = await runSync(orders(), denied)
    expect(exitCode).toBe(EXIT.permission)
    expect(report).toMatchObject({ result: 'Failed', reason: 'NotAdmin', records: 7 })
    expect(report.message).toBe('AuditLogs: Zendesk forbids it: make the user an admin.')
  })

  it('publishes what it read before Zendesk failed, and is to be tried again', async () => {
    const world = worldWith(0, 7)
    let calls = 0
    const broken = failing(world, (path) =>
      !path.includes('count') && ++calls > 2 ? new ZendeskError('NetworkError', 'No connection.') : undefined,
    )
    const { report, exitCode } = await runSync(orders({ streams: ['Users'] }), broken)
    expect(exitCode).toBe(EXIT.tryAgain)
    expect(report).toMatchObject({ reason: 'NetworkError', records: 6, streams: [{ complete: false }] })
  })

  it('ends with an error when a page leads back to itself', async () => {
    const world = worldWith(0, 1)
    const pod = podOf(world, open, 'pod')
    const page = '{"users":[{"id":1,"updated_at":"2026-11-20T09:00:00Z"}],"after_cursor":"same","end_of_stream":false}'
    const client: typeof pod.client = (given) => ({ ...pod.client(given), get: async () => Buffer.from(page) })
    const { report, exitCode } = await runSync(orders({ streams: ['Users'] }), { ...pod, client })
    expect(exitCode).toBe(EXIT.tryAgain)
    expect(report.message).toContain('links back')
    expect(report.records).toBe(1)
  })

  it('refuses activities that are served newest first: a position among them would skip the rest', async () => {
    const world = worldWith(0, 0)
    const pod = podOf(world, open, 'pod')
    const record = (id: number, at: string) => `{"id":${id},"created_at":"2026-11-20T${at}Z"}`
    const page = `{"audit_logs":[${record(2, '09:40:00')},${record(1, '09:20:00')}],"meta":{"has_more":false}}`
    const client: typeof pod.client = (given) => ({ ...pod.client(given), get: async () => Buffer.from(page) })
    const { report } = await runSync(orders({ streams: ['AuditLogs'] }), { ...pod, client })
    expect(report).toMatchObject({ result: 'Failed', reason: 'ZendeskUnavailable', records: 0 })
  })

  it('keeps records that cannot be read, once, and counts them', async () => {
    const world = worldWith(0, 0)
    const pod = podOf(world, open, 'pod')
    const page =
      '{"audit_logs":[{"id":1,"created_at":"2026-11-20T09:40:00Z"},{"id":oops},7,null],"meta":{"has_more":false}}'
    const client: typeof pod.client = (given) => ({ ...pod.client(given), get: async () => Buffer.from(page) })
    for (const slot of [1, 2])
      await runSync(orders({ slot, streams: ['AuditLogs'] }), { ...pod, pod: `${slot}`, client })
    expect(world.store.checkpoint?.streams.AuditLogs?.records).toBe(4)
    const events = (await world.sink.events('AuditLogs')).map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events.map(({ raw_data }) => raw_data)).toEqual([
      '{"id":1,"created_at":"2026-11-20T09:40:00Z"}',
      '{"id":oops}',
      '7',
      'null',
    ])
    expect(
      events.every(
        ({ class_uid, activity_id, time }) =>
          class_uid === 0 && activity_id === 99 && time === Date.parse('2026-11-20T09:40:00Z'),
      ),
    ).toBe(true)
  })

  it('ends as SinkUnavailable when the sink refuses, and goes on from there when it is mended', async () => {
    const world = worldWith(5, 7)
    const pod = podOf(world, open, 'pod')
    const full = async () => {
      throw new SinkError('The volume is full: enlarge it.')
    }
    const { report, exitCode } = await runSync(orders(), { ...pod, sink: { ...pod.sink, publish: full } })
    expect(exitCode).toBe(EXIT.sink)
    expect(report).toMatchObject({
      result: 'Failed',
      reason: 'SinkUnavailable',
      message: 'The volume is full: enlarge it.',
      records: 0,
    })
    expect((await runSync(orders({ slot: 2 }), podOf(world, open, 'pod-2'))).report).toMatchObject({ records: 12 })
  })

  it('publishes what it read when it is told to stop, and has more to do', async () => {
    const world = worldWith(0, 12)
    const stop = new AbortController()
    let calls = 0
    const stopping = failing(world, (path) => {
      if (!path.includes('count') && ++calls > 2) stop.abort()
      return undefined
    })
    const { report, exitCode } = await runSync(orders({ streams: ['Users'] }), { ...stopping, signal: stop.signal })
    expect(exitCode).toBe(EXIT.ok)
    expect(report).toMatchObject({ result: 'MoreToDo', records: 6 })
    expect((await runSync(orders({ slot: 2, streams: ['Users'] }), podOf(world, open, 'p'))).report).toMatchObject({
      result: 'Succeeded',
      records: 6,
    })
  })

  it('stops after its slice, so that others have their turn', async () => {
    const world = worldWith(0, 12)
    const { report } = await runSync(orders({ sliceSeconds: 2, streams: ['Users'] }), podOf(world, open, 'pod'))
    expect(report.result).toBe('MoreToDo')
    expect(report.records).toBeLessThan(12)
  })

  it('is fenced by a later run, and leaves its checkpoint alone', async () => {
    const world = worldWith(1, 1)
    await runSync(orders({ slot: 5 }), podOf(world, open, 'pod'))
    const before = world.store.checkpoint
    expect((await runSync(orders({ slot: 4 }), podOf(world, open, 'old'))).exitCode).toBe(EXIT.fenced)
    expect(world.store.checkpoint).toBe(before)
  })

  it('refuses orders with a stream it does not know', async () => {
    expect(await runSync(orders({ streams: ['Wishes'] }), podOf(modelWorld(), open, 'p'))).toMatchObject({
      exitCode: EXIT.usage,
    })
  })

  it('calls an unforeseen error a defect, without its words, which may quote what was read', async () => {
    const world = worldWith(1, 1)
    const { report, exitCode } = await runSync(
      orders(),
      failing(world, () => new TypeError('ada@example.com is undefined')),
    )
    expect(exitCode).toBe(EXIT.software)
    expect(JSON.stringify(report)).not.toContain('ada@example.com')
  })

  it('tries again later when the checkpoint cannot be reached', async () => {
    const world = worldWith(1, 1)
    const down = async () => {
      throw new Error('connect ECONNREFUSED')
    }
    const { exitCode } = await runSync(orders(), { ...podOf(world, open, 'p'), store: { read: down, write: down } })
    expect(exitCode).toBe(EXIT.tryAgain)
  })

  it('asks for a smaller page when Zendesk takes too long, and goes on with it', async () => {
    const world = worldWith(0, 7)
    const pod = podOf(world, open, 'pod')
    const sizes: (string | null)[] = []
    const client: typeof pod.client = (given) => {
      const real = pod.client(given)
      return {
        ...real,
        get: async (path, options) => {
          const sizeOf = () => new URL(path(), 'https://acme.zendesk.com').searchParams.get('per_page')
          while (Number(sizeOf()) > 300) options.onTooLarge?.()
          if (!path().includes('count')) sizes.push(sizeOf())
          return real.get(path, options)
        },
      }
    }
    const { report } = await runSync(orders({ streams: ['Users'] }), { ...pod, client })
    expect(report).toMatchObject({ result: 'Succeeded', records: 7 })
    expect(new Set(sizes)).toEqual(new Set(['250']))
    const texts = (await world.sink.events('Users')).map((line) => JSON.parse(line).raw_data)
    expect(texts.sort()).toEqual([...world.zendesk.servedUsers].sort())
  })

  it('stores nothing of a field that is to be redacted', async () => {
    const world = worldWith(0, 2)
    await runSync(orders({ streams: ['Users'], redact: ['name'] }), podOf(world, open, 'pod'))
    const lines = await world.sink.events('Users')
    expect(lines.map((line) => JSON.parse(line).raw_data)).toEqual([
      '{"id":1,"name":null,"updated_at":"2026-11-20T10:00:00Z"}',
      '{"id":2,"name":null,"updated_at":"2026-11-20T10:00:00Z"}',
    ])
    expect(lines.join('')).not.toContain('v1')
  })

  it('keeps a record that is no JSON as it is, and only its hash where something is to be redacted', async () => {
    const broken = async (redact: string[]) => {
      const world = worldWith(0, 1)
      const pod = podOf(world, open, 'pod')
      const client: typeof pod.client = (given) => ({
        ...pod.client(given),
        get: async () => Buffer.from('{"users":[{"id":1,"name":bob}],"after_cursor":"c","end_of_stream":true}'),
      })
      const { report } = await runSync(orders({ streams: ['Users'], redact }), { ...pod, client })
      expect(report).toMatchObject({ result: 'Succeeded', records: 1, streams: [{ unmapped: 1 }] })
      const [line = ''] = await world.sink.events('Users')
      return JSON.parse(line).raw_data
    }
    expect(await broken([])).toBe('{"id":1,"name":bob}')
    expect(await broken(['name'])).toMatch(/^\{"unreadable":"[0-9a-f]{16}"\}$/)
  })

  it('counts records that the sink refuses for good, and goes on', async () => {
    const world = worldWith(5, 0)
    const pod = podOf(world, open, 'pod')
    const publish: typeof pod.sink.publish = async (segment) => {
      await pod.sink.publish(segment)
      return segment.header.number === 0 ? { rejected: ['acme/AuditLogs/1000'] } : 'published'
    }
    const { report } = await runSync(orders({ streams: ['AuditLogs'] }), { ...pod, sink: { ...pod.sink, publish } })
    expect(report).toMatchObject({ result: 'Succeeded', records: 4, streams: [{ records: 5, rejected: 1 }] })
  })

  it('does not read a quiet stretch again, so that a sink that cannot be read back gets nothing twice', async () => {
    const world = worldWith(1500, 0)
    world.clock.advance(1000)
    const blind = (slot: number) => {
      const { sink, ...rest } = podOf(world, open, `pod-${slot}`, 10_000)
      return runSync(orders({ slot, streams: ['AuditLogs'] }), {
        ...rest,
        sink: {
          identity: 'blind',
          publish: async ({ header }) => {
            published += header.records
            return 'published'
          },
        },
      })
    }
    let published = 0
    await blind(1)
    for (let slot = 2; slot < 5; slot++) {
      world.clock.advance(900)
      const { report } = await blind(slot)
      expect(report).toMatchObject({ result: 'Succeeded', records: 0, streams: [{ late: 0 }] })
    }
    expect(published).toBe(1500)
    expect(world.zendesk.paths.at(-1)).not.toContain('2026-11-20T09')
  })

  it('puts a record whose time cannot be read beside its neighbour, wherever in a page it stands', async () => {
    const world = worldWith(0, 0)
    for (let index = 0; index < 6; index++) world.zendesk.addLog(EPOCH - 3000 + index * 500, 0)
    const pod = podOf(world, open, 'pod')
    const client: typeof pod.client = (given) => {
      const real = pod.client(given)
      return {
        ...real,
        get: async (path, options) => {
          const page = (await real.get(path, options)).toString()
          return Buffer.from(page.replace(/\{"id":1003.*?\}/, '{"id":1003,"created_at":"?"}'))
        },
      }
    }
    const { report } = await runSync(orders({ streams: ['AuditLogs'] }), { ...pod, client })
    expect(report).toMatchObject({ result: 'Succeeded', records: 6, streams: [{ unmapped: 1 }] })
    const times = (await world.sink.events('AuditLogs')).map((line) => JSON.parse(line).time)
    expect(times[3]).toBe(times[2])
  })
})
