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
const CONNECTORS_OF_ALL = `${CONNECTORS}/${PLURAL}`
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
  const fleet = membersOf(ACCOUNTS.good.prefix, count).map((member) => ({ member, uids: new Map<string, string>() }))
  const etcd = await openEtcd(cluster)
  const inBatches = async (store: (batch: typeof fleet) => Promise<unknown>) => {
    for (let at = 0; at < count; at += BATCH) await store(fleet.slice(at, at + BATCH))
  }
  // The status of a connector tells the version of the Secret that was tested.
  await inBatches(async (batch) => {
    const secrets = batch.map(({ member }) => storedSecret(member))
    const versions = await etcd.put(secrets)
    await etcd.put(batch.map((one, index) => storedConnector(model, one, secrets[index], versions[index])))
  })
  // Owners first: the cluster's garbage collector asks for those that it has not seen yet.
  await allServed(cluster.api, count, [CONNECTORS_OF_ALL, '/api/v1/secrets'])
  await inBatches((batch) =>
    etcd.put(
      batch.flatMap((one) => [
        copy(model.checkpoint, model, one, { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' }),
        ...model.jobs.map((job) => copy(job, model, one, { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs' })),
      ]),
    ),
  )
  await allServed(cluster.api, count * model.jobs.length, ['/apis/batch/v1/jobs'])
  await inBatches((batch) =>
    etcd.put(
      batch.map((one) => unscheduled(copy(model.pod, model, one, { apiVersion: 'v1', kind: 'Pod', plural: 'pods' }))),
    ),
  )
  await etcd.close()
  await allServed(cluster.api, count, ['/api/v1/configmaps', '/api/v1/pods'])
  return fleet.map(({ member }) => member)
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
async function allServed(api: Api, count: number, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
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

/** A member that is being made; `uids`: what stands for those of the model. */
type Made = { readonly member: Member; readonly uids: Map<string, string> }
type Kind = { readonly apiVersion: string; readonly kind: string; readonly plural: string }

function copy(original: Served, model: Model, { member, uids }: Made, { plural, ...kind }: Kind) {
  const uid = randomUUID()
  uids.set(original.metadata.uid, uid)
  const { metadata, ...rest } = copied(original, model, member, uids)
  const object: Served = { ...rest, ...kind, metadata: { ...metadata, uid, resourceVersion: '' } }
  return { key: `/registry/${plural}/${member.namespace}/${metadata.name}`, object }
}

function storedConnector(
  model: Model,
  made: Made,
  secret: ReturnType<typeof storedSecret> | undefined,
  resourceVersion = '',
): Stored {
  const { key, object } = copy(model.connector, model, made, {
    apiVersion: 'cloudapps.security/v1alpha1',
    kind: 'ZendeskConnector',
    plural: `cloudapps.security/${PLURAL}`,
  })
  const { metadata, status } = object
  const tested = { name: secret?.object.metadata.name, uid: secret?.object.metadata.uid, resourceVersion }
  // Nobody asks for anything.
  return { key, object: { ...object, metadata: { ...metadata, annotations: {} }, status: asTested(status, tested) } }
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
