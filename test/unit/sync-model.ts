/** A world in memory for sync runs: a Zendesk that changes while it is read, a sink, a checkpoint, and a clock. */
import { Readable } from 'node:stream'
import type { Checkpoint, RunOrders } from '../../src/connector/run.ts'
import type { CheckpointStore } from '../../src/sync/checkpoint.ts'
import type { Clock } from '../../src/sync/clock.ts'
import type { Log, RunDependencies } from '../../src/sync/run.ts'
import { type Segment, segmentLines } from '../../src/sync/segment.ts'
import type { Sink } from '../../src/sync/sinks/sink.ts'
import type { ZendeskClient } from '../../src/zendesk/client.ts'

export const EPOCH = Date.parse('2026-11-20T10:00:00Z') / 1000

export type ManualClock = Clock & { advance(seconds: number): void; seconds(): number }

/** Stands still until advanced; the short waits between tries pass by themselves. */
export function manualClock(): ManualClock {
  let ms = EPOCH * 1000
  const sleepers = new Set<{ until: number; wake: () => void }>()
  const advance = (seconds: number) => {
    ms += seconds * 1000
    for (const sleeper of sleepers) {
      if (sleeper.until > ms) continue
      sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
  return {
    now: () => new Date(ms),
    monotonic: () => ms,
    seconds: () => ms / 1000,
    advance,
    wait: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal.aborted || milliseconds <= 0) return resolve()
        const sleeper = { until: ms + milliseconds, wake: resolve }
        sleepers.add(sleeper)
        signal.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          resolve()
        })
        if (milliseconds <= 1000) setImmediate(() => advance(milliseconds / 1000))
      }),
  }
}

export type Log_ = { readonly id: number; readonly at: number; readonly surfacesAt: number }
type Group = { readonly id: number; readonly at: number; readonly version: number }
type User = { readonly id: number; readonly at: number; readonly version: number }

const iso = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
const logText = (log: Log_) =>
  `{"id":${log.id}, "action":"update","source_type":"rule","source_id":1,"actor_id":2,"created_at":"${iso(log.at)}"}`
const accessText = (log: Log_) =>
  `{"id":"A${log.id}", "method":"GET","url":"/","user_id":"1","timestamp":"${iso(log.at)}"}`
const groupText = (group: Group) => `{"id":${group.id},"name":"v${group.version}","updated_at":"${iso(group.at)}"}`
const userText = (user: User) => `{"id":${user.id},"name":"v${user.version}","updated_at":"${iso(user.at)}"}`

export type Zendesk = {
  /** Of the audit log, and of the access log. */
  readonly logs: Log_[]
  readonly visits: Log_[]
  readonly servedUsers: Set<string>
  /** Texts of the groups as they are. */
  groups(): string[]
  changeGroup(id: number): void
  deleteGroup(id: number): void
  addVisit(at: number, surfacesAfter: number): void
  readonly paths: string[]
  addLog(at: number, surfacesAfter: number): void
  changeUser(id: number): void
  /** Whether this is what the user is now. */
  isNewest(text: string): boolean
  get(path: string): string
}

/** Cursors are keys, as opaque as Zendesk's; pages are small; `repeat` users at a page's end come again. */
export function modelZendesk(clock: ManualClock, { page = 3, repeat = 0 } = {}): Zendesk {
  const logs: Log_[] = []
  const visits: Log_[] = []
  const users = new Map<number, User>()
  const groups = new Map<number, Group>()
  const servedUsers = new Set<string>()
  const paths: string[] = []
  const key = ({ at, id }: { at: number; id: number }) => at * 1e6 + id
  const json = (name: string, texts: string[], rest: object) =>
    `{"${name}":[${texts.join(', ')}],${JSON.stringify(rest).slice(1)}`

  const exportUsers = (query: URLSearchParams) => {
    const [after = 0, from = after] = (query.get('cursor') ?? '0').split('/').map(Number)
    const settled = [...users.values()].filter(({ at }) => at <= clock.seconds() - 60).sort((a, b) => key(a) - key(b))
    const fresh = settled.filter((user) => key(user) > after).slice(0, page)
    const served =
      fresh.length === 0 ? [] : [...settled.filter((user) => key(user) > from && key(user) <= after), ...fresh]
    const texts = served.map(userText)
    for (const text of texts) servedUsers.add(text)
    const keys = fresh.map(key)
    const last = keys.at(-1) ?? after
    const cursor = `${last}/${keys.at(-1 - repeat) ?? after}`
    const more = settled.some((user) => key(user) > last)
    return json('users', texts, { after_cursor: cursor, end_of_stream: !more })
  }

  const listLogs = (query: URLSearchParams) => {
    const [from = '', to = ''] = query.getAll('filter[created_at][]')
    const after = Number(query.get('page[after]') ?? 0)
    const visible = logs
      .filter((log) => log.surfacesAt <= clock.seconds() && key(log) > after)
      .filter(({ at }) => at >= Date.parse(from) / 1000 && at <= Date.parse(to) / 1000)
      .sort((a, b) => key(a) - key(b))
    const served = visible.slice(0, page)
    const last = served.at(-1)
    const meta = { has_more: visible.length > page, after_cursor: last ? String(key(last)) : null }
    return json('audit_logs', served.map(logText), { meta })
  }

  /** Newest first: nobody has promised an order. */
  const listVisits = (query: URLSearchParams) => {
    const [from, to] = ['filter[start]', 'filter[end]'].map((name) => Date.parse(query.get(name) ?? '') / 1000)
    const before = Number(query.get('filter[after]') ?? Number.POSITIVE_INFINITY)
    const visible = visits
      .filter((visit) => visit.surfacesAt <= clock.seconds() && key(visit) < before)
      .filter(({ at }) => at >= (from ?? 0) && at <= (to ?? 0))
      .sort((a, b) => key(b) - key(a))
    const served = visible.slice(0, page)
    const last = served.at(-1)
    const meta = { has_more: visible.length > page, after_cursor: last ? String(key(last)) : null }
    return json('access_logs', served.map(accessText), { meta })
  }

  const listGroups = (query: URLSearchParams) => {
    const after = Number(query.get('page[after]') ?? 0)
    const rest = [...groups.values()].filter(({ id }) => id > after).sort((a, b) => a.id - b.id)
    const served = rest.slice(0, page)
    const meta = { has_more: rest.length > page, after_cursor: served.length > 0 ? String(served.at(-1)?.id) : null }
    return json('groups', served.map(groupText), { meta })
  }

  const answer = (url: URL) => {
    switch (url.pathname) {
      case '/api/v2/audit_logs':
        return listLogs(url.searchParams)
      case '/api/v2/access_logs':
        return listVisits(url.searchParams)
      case '/api/v2/groups':
        return listGroups(url.searchParams)
      case '/api/v2/users/count':
        return JSON.stringify({ count: { value: users.size } })
      default:
        return exportUsers(url.searchParams)
    }
  }

  return {
    logs,
    visits,
    servedUsers,
    groups: () => [...groups.values()].map(groupText),
    changeGroup: (id) => {
      groups.set(id, { id, at: Math.floor(clock.seconds()), version: (groups.get(id)?.version ?? 0) + 1 })
    },
    deleteGroup: (id) => void groups.delete(id),
    addVisit: (at, surfacesAfter) => void visits.push({ id: 1000 + visits.length, at, surfacesAt: at + surfacesAfter }),
    paths,
    addLog: (at, surfacesAfter) => void logs.push({ id: 1000 + logs.length, at, surfacesAt: at + surfacesAfter }),
    changeUser: (id) => {
      users.set(id, { id, at: Math.floor(clock.seconds()), version: (users.get(id)?.version ?? 0) + 1 })
    },
    isNewest: (text) => [...users.values()].some((user) => userText(user) === text),
    get: (path) => {
      paths.push(path)
      return answer(new URL(path, 'https://acme.zendesk.com'))
    },
  }
}

export const textOfLog = logText
export const textOfVisit = accessText

/** Called around each thing that leaves the process: may hang for ever (a death) or a while, or throw. */
export type Gate = { before(what: string): Promise<void>; after(what: string): Promise<void> }
export const open: Gate = { before: async () => {}, after: async () => {} }

export function modelClient(
  zendesk: Zendesk,
  clock: ManualClock,
  gate: Gate,
  guard: () => Promise<void>,
  sideBySide = 1,
): ZendeskClient {
  let requests = 0
  return {
    get: async (path, { signal }) => {
      signal.throwIfAborted()
      await guard()
      await gate.before('get')
      signal.throwIfAborted()
      requests++
      clock.advance(1)
      const body = Buffer.from(zendesk.get(path()))
      await gate.after('get')
      return body
    },
    now: async () => clock.now(),
    waiting: () => undefined,
    sideBySide: () => sideBySide,
    usage: () => ({
      requests,
      throttled: 0,
      throttledMs: 0,
      retries: {},
      codes: {},
      spent: [{ secondsAgo: 0, requests }],
    }),
    close: () => {},
  }
}

export type ModelSink = { readonly chains: Map<string, Segment[]>; events(stream: string): Promise<string[]> }

export function modelSink(): ModelSink {
  const chains = new Map<string, Segment[]>()
  return {
    chains,
    events: async (stream) => {
      const lines: string[] = []
      for (const { gzip } of chains.get(stream) ?? []) for await (const line of linesOf(gzip)) lines.push(line)
      return lines
    },
  }
}

const linesOf = (gzip: Uint8Array) => segmentLines(Readable.from([gzip]))

export function openSink({ chains }: ModelSink, gate: Gate): Sink {
  const chain = (stream: string) => chains.get(stream) ?? []
  return {
    identity: 'model',
    publish: async (segment) => {
      const { stream, number } = segment.header
      await gate.before('publish')
      const standing = chain(stream)[number]
      if (standing === undefined) chains.set(stream, [...chain(stream), segment])
      await gate.after('publish')
      return standing === undefined ? 'published' : { taken: standing.header }
    },
    readBack: {
      last: async (stream) => (chain(stream).length === 0 ? undefined : chain(stream).length - 1),
      header: async (stream, number) => chain(stream)[number]?.header,
      lines: (stream, number) => linesOf(chain(stream)[number]?.gzip ?? Buffer.alloc(0)),
    },
  }
}

export type ModelStore = { checkpoint: Checkpoint | undefined; version: number; readonly history: Checkpoint[] }
export const modelStore = (): ModelStore => ({ checkpoint: undefined, version: 0, history: [] })

export class Conflict extends Error {
  readonly reason = 'Conflict'
}

export function openStore(store: ModelStore, gate: Gate): CheckpointStore {
  return {
    read: async () => {
      await gate.before('read')
      return { checkpoint: structuredClone(store.checkpoint), version: String(store.version) }
    },
    write: async (checkpoint, version) => {
      const text = structuredClone(checkpoint)
      await gate.before('write')
      if (version !== String(store.version)) throw new Conflict()
      store.checkpoint = text
      store.history.push(text)
      store.version++
      const written = String(store.version)
      await gate.after('write')
      return { version: written }
    },
  }
}

export const silent: Log = { info: () => {}, warn: () => {}, error: () => {} }

export function orders(over: Partial<RunOrders> = {}): RunOrders {
  return {
    namespace: 'security',
    connector: 'acme',
    displayName: 'Acme support',
    run: `acme-${over.slot ?? 1}`,
    slot: 1,
    endpoint: 'acme.zendesk.com',
    requestsPerMinute: 200,
    lookbackSeconds: 3600,
    streams: ['Users', 'AuditLogs'],
    sink: { kind: 'file', claimName: 'data' },
    checkpoint: 'acme-checkpoint',
    sliceSeconds: 100_000,
    spent: [],
    redact: [],
    ...over,
  }
}

export type World = {
  readonly clock: ManualClock
  readonly zendesk: Zendesk
  readonly sink: ModelSink
  readonly store: ModelStore
}

export function modelWorld(options: { page?: number; repeat?: number } = {}): World {
  const clock = manualClock()
  return { clock, zendesk: modelZendesk(clock, options), sink: modelSink(), store: modelStore() }
}

/** What one pod of a run is given. */
export function podOf(world: World, gate: Gate, pod: string, records = 4, sideBySide = 1): RunDependencies {
  const { clock, zendesk, sink, store } = world
  return {
    client: ({ guard }) => modelClient(zendesk, clock, gate, guard, sideBySide),
    store: openStore(store, gate),
    sink: openSink(sink, gate),
    clock,
    log: silent,
    pod,
    segmentLimits: { characters: 1e6, records, milliseconds: 60_000 },
    signal: new AbortController().signal,
  }
}
