/** Thousands of connectors with all that belongs to each, made as copies of one model. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '../../../test/support/cluster/api.ts'
import type { Cluster } from '../../../test/support/cluster/cluster.ts'
import { openEtcd, type Stored } from './etcd.ts'
import { inParallel } from './in-parallel.ts'
import { connectorOf, MERGE, type Model, type Served, secretOf } from './model.ts'
import { ACCOUNTS, CONNECTORS, NAMESPACES } from './world.ts'

export type Member = { readonly namespace: string; readonly name: string }

const PLURAL = 'zendeskconnectors'
const BATCH = 500
/** Enough to keep an API server busy. */
const WIDTH = 32

/** The members of a fleet of that size. */
export function membersOf(prefix: string, count: number): Member[] {
  return Array.from({ length: count }, (_, index) => ({
    namespace: NAMESPACES[index % NAMESPACES.length] ?? '',
    name: `${prefix}${String(index).padStart(5, '0')}`,
  }))
}

export const pathOfConnector = ({ namespace, name }: Member) =>
  `${CONNECTORS}/namespaces/${namespace}/zendeskconnectors/${name}`

/** Makes them; nothing is due for any of them: their last test and run were a minute ago. */
export async function makeFleet(cluster: Cluster, model: Model, count: number): Promise<readonly Member[]> {
  const members = membersOf(ACCOUNTS.good.prefix, count)
  const etcd = await openEtcd(cluster)
  // The status of a connector tells the version of the Secret that was tested.
  for (let at = 0; at < count; at += BATCH) {
    const some = members.slice(at, at + BATCH)
    const secrets = some.map(storedSecret)
    const versions = await etcd.put(secrets)
    await etcd.put(some.flatMap((member, index) => storedMember(model, member, secrets[index], versions[index])))
  }
  await etcd.close()
  await allServed(cluster.api, count)
  return members
}

/** Lets the connection test of each fall due. */
export async function makeDue(api: Api, members: readonly Member[]): Promise<void> {
  const longAgo = new Date(Date.now() - 3 * 24 * 3600_000).toISOString()
  const status = { connectionTest: { lastTime: longAgo }, sync: { lastRun: { startTime: longAgo, endTime: longAgo } } }
  await inParallel(members, WIDTH, async (member) => {
    await api.request('PATCH', `${pathOfConnector(member)}/status`, { body: { status }, contentType: MERGE })
  })
}

/** Removes connectors by the label that `makeNewcomer` gives them, with their Secrets. */
export async function removeNewcomers(api: Api): Promise<void> {
  await inParallel(NAMESPACES, NAMESPACES.length, async (namespace) => {
    await api.request('DELETE', `${CONNECTORS}/namespaces/${namespace}/zendeskconnectors?labelSelector=newcomer`)
    await api.request('DELETE', `/api/v1/namespaces/${namespace}/secrets?labelSelector=newcomer`)
  })
}

/** The Secrets of connectors that are still to come. */
export async function makeSecrets(api: Api, members: readonly Member[]): Promise<void> {
  await inParallel(members, WIDTH, async ({ namespace, name }) => {
    await api.request('POST', `/api/v1/namespaces/${namespace}/secrets`, { body: asNewcomer(secretOf(name)) })
  })
}

/** A connector that has never been tested. */
export async function makeNewcomer(api: Api, { namespace, name }: Member): Promise<void> {
  const path = `${CONNECTORS}/namespaces/${namespace}/zendeskconnectors`
  await api.request('POST', path, { body: asNewcomer(connectorOf(name)) })
}

function asNewcomer<T extends { readonly metadata: object }>(body: T) {
  return { ...body, metadata: { ...body.metadata, labels: { newcomer: 'yes' } } }
}

/** The API server copies what stands in etcd, and is behind for a while: until then its lists wait, and time out. */
async function allServed(api: Api, count: number): Promise<void> {
  const kinds = [
    `${CONNECTORS}/${PLURAL}`,
    ...['secrets', 'configmaps', 'pods'].map((plural) => `/api/v1/${plural}`),
    '/apis/batch/v1/jobs',
  ]
  for (const path of kinds) {
    while ((await countOf(api, path).catch(() => 0)) < count) await delay(500)
  }
}

async function countOf(api: Api, path: string): Promise<number> {
  let count = 0
  let next = ''
  do {
    const { items, metadata } = await api.request<Listed>(
      'GET',
      `${path}?limit=500&continue=${encodeURIComponent(next)}`,
    )
    count += items.length
    next = metadata.continue ?? ''
  } while (next !== '')
  return count
}

type Listed = { readonly items: readonly object[]; readonly metadata: { readonly continue?: string } }

const freshMetadata = ({ namespace, name }: Member) => ({
  name,
  namespace,
  uid: randomUUID(),
  creationTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
})

function storedSecret({ namespace, name }: Member) {
  const { metadata, stringData } = secretOf(name)
  const data = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  const described = freshMetadata({ namespace, name: metadata.name })
  return {
    key: `/registry/secrets/${namespace}/${metadata.name}`,
    object: { apiVersion: 'v1', kind: 'Secret', metadata: described, type: 'Opaque', data: Object.fromEntries(data) },
  }
}

function storedMember(
  model: Model,
  { namespace, name }: Member,
  secret: ReturnType<typeof storedSecret> | undefined,
  resourceVersion = '',
): Stored[] {
  const uids = new Map<string, string>()
  const copy = (original: Served, apiVersion: string, kind: string, plural: string) => {
    const uid = randomUUID()
    uids.set(original.metadata.uid, uid)
    const { metadata, ...rest } = copied(original, model, { namespace, name }, uids)
    const object: Served = { ...rest, apiVersion, kind, metadata: { ...metadata, uid, resourceVersion: '' } }
    return { key: `/registry/${plural}/${namespace}/${metadata.name}`, object }
  }
  const connector = copy(
    model.connector,
    'cloudapps.security/v1alpha1',
    'ZendeskConnector',
    `cloudapps.security/${PLURAL}`,
  )
  const { metadata, status } = connector.object
  const tested = { name: secret?.object.metadata.name, uid: secret?.object.metadata.uid, resourceVersion }
  return [
    {
      key: connector.key,
      // Nobody asks for anything.
      object: { ...connector.object, metadata: { ...metadata, annotations: {} }, status: asTested(status, tested) },
    },
    copy(model.checkpoint, 'v1', 'ConfigMap', 'configmaps'),
    ...model.jobs.map((job) => copy(job, 'batch/v1', 'Job', 'jobs')),
    unscheduled(copy(model.pod, 'v1', 'Pod', 'pods')),
  ]
}

/** Its node is not to look after it. */
function unscheduled({ key, object }: { readonly key: string; readonly object: Served }): Stored {
  const { nodeName: _, ...spec } = object.spec
  return { key, object: { ...object, spec } }
}

/** The same object for another connector: names, account and uids stand in its text. */
function copied(
  original: Served,
  model: Model,
  { namespace, name }: Member,
  uids: ReadonlyMap<string, string>,
): Served {
  let text = JSON.stringify(original).replaceAll(model.name, name).replaceAll(`"${model.namespace}"`, `"${namespace}"`)
  for (const [from, to] of uids) text = text.replaceAll(from, to)
  return JSON.parse(text)
}

function asTested(status: Served['status'], tested: object) {
  const lastTime = new Date(Date.now() - 60_000).toISOString()
  const sync = { ...status.sync, lastStartTime: lastTime, lastRun: { ...status.sync.lastRun, endTime: lastTime } }
  return { ...status, connectionTest: { ...status.connectionTest, lastTime, testedSecrets: [tested] }, sync }
}
