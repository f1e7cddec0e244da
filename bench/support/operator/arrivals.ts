/** What happens to connectors, and how soon: new ones, and those whose Secret changes. */
import { setTimeout as delay } from 'node:timers/promises'
import { follow } from '../../../test/support/cluster/api.ts'
import { clockMs } from './figures.ts'
import { type Member, makeNewcomer, makeSecrets, membersOf } from './fleet.ts'
import type { Served } from './model.ts'
import { CONNECTORS, type World } from './world.ts'

/** Longer than this nothing may take. */
const GIVE_UP_MS = 60_000

/** Sees what becomes of connectors, through a watch of its own. */
export type Onlooker = {
  /** Resolves with the time of the first change after which the connector is so. */
  when(member: Member, holds: (connector: Served) => boolean): Promise<number>
  stop(): void
}

export async function watchConnectors({ cluster: { api } }: World): Promise<Onlooker> {
  const end = new AbortController()
  const waiting = new Map<string, { holds: (connector: Served) => boolean; resolve: (at: number) => void }>()
  const listed = Promise.withResolvers<void>()
  const changed = (connector: Served) => {
    const key = `${connector.metadata.namespace}/${connector.metadata.name}`
    const one = waiting.get(key)
    if (one?.holds(connector) !== true) return
    waiting.delete(key)
    one.resolve(clockMs())
  }
  // A watch of its own may be closed by the API server when the machine is at its limit.
  follow<Served>(api, `${CONNECTORS}/zendeskconnectors`, end.signal, {
    changed,
    gone: () => {},
    listed: listed.resolve,
  })
  await listed.promise
  return {
    when: ({ namespace, name }, holds) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      const timer = setTimeout(() => reject(new Error(`${name}: nothing has become of it`)), 10 * GIVE_UP_MS)
      waiting.set(`${namespace}/${name}`, { holds, resolve })
      promise.catch(() => {})
      return promise.finally(() => clearTimeout(timer))
    },
    stop: () => end.abort(),
  }
}

/** Milliseconds after which something happened, of each connector. */
export type Delays = { readonly firstStatus: readonly number[]; readonly firstRequest: readonly number[] }

/** Makes new connectors, one every so many milliseconds. `tested`: waits for their first requests, too. */
export async function arrive(
  world: World,
  onlooker: Onlooker,
  { prefix, count, everyMs, tested }: { prefix: string; count: number; everyMs: number; tested: boolean },
): Promise<Delays> {
  const members = membersOf(prefix, count)
  await makeSecrets(world.cluster.api, members)
  const statuses = await paced(members, everyMs, async (member) => {
    const seen = onlooker.when(member, ({ status }) => status !== undefined)
    const began = clockMs()
    await makeNewcomer(world.cluster.api, member)
    return { member, began, seen }
  })
  const requests = tested ? statuses.map(({ member, began }) => firstRequestAfter(world, member, began)) : []
  return {
    firstStatus: await Promise.all(statuses.map(async ({ seen, began }) => (await seen) - began)),
    firstRequest: await Promise.all(requests),
  }
}

/** Changes the Secrets of connectors, one every so many milliseconds: how long until each account is asked something. */
export async function changeSecrets(world: World, members: readonly Member[], everyMs: number): Promise<number[]> {
  const changed = await paced(members, everyMs, async (member) => {
    const began = clockMs()
    const path = `/api/v1/namespaces/${member.namespace}/secrets/${member.name}-zendesk`
    const body = { stringData: { note: `changed at ${began}` } }
    await world.cluster.api.request('PATCH', path, { body, contentType: 'application/merge-patch+json' })
    return { member, began }
  })
  return Promise.all(changed.map(({ member, began }) => firstRequestAfter(world, member, began)))
}

/** Begins with the next when its time has come, whether the one before is done or not. */
async function paced<T, R>(items: readonly T[], everyMs: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const begin = clockMs()
  const all = items.map(async (item, index) => {
    await delay(Math.max(0, begin + index * everyMs - clockMs()))
    return work(item)
  })
  return Promise.all(all)
}

async function firstRequestAfter({ simulator }: World, { name }: Member, sinceMs: number): Promise<number> {
  const { ledger } = simulator.control.find(name)
  for (;;) {
    const first = (await ledger.requests()).find(({ at }) => at >= sinceMs)
    if (first !== undefined) return first.at - sinceMs
    if (clockMs() - sinceMs > GIVE_UP_MS) return Number.POSITIVE_INFINITY
    await delay(100)
  }
}
