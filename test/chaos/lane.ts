/**
 * A lane: one connector with its account, its sink and its checkpoint, apart from all others. What the operator would
 * make for it is made here by the operator's own manifests; its API server and its sink's server stand behind relays.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ordersFor } from '../../src/connector/orders.ts'
import type { Spent } from '../../src/connector/run.ts'
import { type Connector, connector as connectorSchema } from '../../src/connector/schema.ts'
import { checkpointName, jobName } from '../../src/kube/names.ts'
import { checkpointManifest, identityManifests, jobManifest } from '../../src/kube/run-manifests.ts'
import type { Account } from '../simulator/account.ts'
import type { AccountOptions } from '../simulator/options.ts'
import type { Simulator } from '../simulator/simulator.ts'
import type { KeyPair } from '../support/certificates.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import { writeKubeconfig } from '../support/cluster/kubeconfig.ts'
import type { S3Server } from '../support/s3/server.ts'
import type { SinkKind } from './books.ts'
import type { Dice } from './dice.ts'
import { type Disk, mountDisk } from './disk.ts'
import { createPeople, type People } from './people.ts'
import type { Container } from './pod.ts'
import { type Exchange, type Relay, type Ruling, startRelay } from './relay.ts'
import { fileSide, httpSide, type SinkSide, s3Side } from './sink-side.ts'

export const NAMESPACE = 'chaos'
export const STREAMS = ['Users', 'DeletedUsers', 'Groups', 'GroupMemberships', 'CustomRoles', 'AuditLogs'] as const

/** What lanes share. */
export type Ground = {
  readonly cluster: Cluster
  readonly clusterCa: string
  readonly simulator: Simulator
  readonly s3: S3Server | undefined
  /** What relays in front of the API server show, and the authority that pods trust for it. */
  readonly relayTls: KeyPair
  readonly relayCa: string
  /** Folder for all that lanes write. */
  readonly folder: string
}

/** Who decides what becomes of requests at the relays. */
export type Gate = { atCluster(exchange: Exchange): Promise<Ruling>; atSink(exchange: Exchange): Promise<Ruling> }

export type LaneOptions = {
  readonly name: string
  readonly sink: SinkKind
  /** The file sink is a small disk of its own, which can be filled. */
  readonly ownDisk: boolean
  /** Requests a minute that its account allows: one of these. */
  readonly rates: readonly number[]
}

export type Lane = {
  readonly name: string
  readonly requestsPerMinute: number
  readonly account: Account
  readonly people: People
  readonly sink: SinkSide
  readonly disk: Disk | undefined
  /** Name of the ConfigMap. */
  readonly checkpoint: string
  readonly folder: string
  readonly volumes: Readonly<Record<string, string>>
  readonly kubeconfig: string
  readonly toCluster: Relay
  /** Nobody decides until one is set. */
  guardedBy(gate: Gate | undefined): void
  /** The container that the operator would start for this slot. */
  container(slot: number, spent: readonly Spent[]): Container
  /** All snapshots are to be taken anew, as an annotation of the connector would ask for. */
  resync(at: Date): void
  /** As if somebody had deleted the checkpoint, and the operator made it anew. */
  loseCheckpoint(): Promise<void>
  stop(): Promise<void>
}

export async function createLane(ground: Ground, options: LaneOptions, dice: Dice): Promise<Lane> {
  const { cluster, simulator } = ground
  const { name } = options
  const folder = join(ground.folder, name)
  const volumeOf = (volume: string) => join(folder, volume)
  const secrets = { credentials: volumeOf('credentials'), 'sink-secret': volumeOf('sink-secret') }
  const volumes = { ...secrets, sink: volumeOf('sink'), ca: join(ground.folder, 'ca') }
  for (const path of Object.values(volumes)) await mkdir(path, { recursive: true })

  let gate: Gate | undefined
  const place = {
    name,
    below: join(NAMESPACE, name),
    at: async (exchange: Exchange) => gate?.atSink(exchange) ?? 'go on',
  }
  const disk = options.ownDisk ? await mountDisk(volumes.sink) : undefined
  const sink =
    options.sink === 'http'
      ? await httpSide(place, dice)
      : options.sink === 's3' && ground.s3 !== undefined
        ? await s3Side(ground.s3, place)
        : fileSide(volumes.sink, place)
  await writeSecret(secrets.credentials, { clientId: 'zendesk-connector', clientSecret: `${name}-secret` })
  await writeSecret(secrets['sink-secret'], sink.secret)

  const requestsPerMinute = dice.of(options.rates)
  const settings = accountSettings(dice, requestsPerMinute)
  const account = simulator.account(name, settings)
  const toCluster = await startRelay({
    to: cluster.server,
    ca: ground.clusterCa,
    tls: ground.relayTls,
    at: async (exchange) => gate?.atCluster(exchange) ?? 'go on',
  })
  const checkpoint = checkpointName(name)
  const kubeconfig = join(folder, 'kubeconfig')
  const tokenFile = join(folder, 'token')
  let connector = await createConnector(cluster, name, requestsPerMinute, sink)
  await writeFile(tokenFile, await createIdentity(cluster, connector, checkpoint))
  await writeKubeconfig(kubeconfig, { server: toCluster.origin, caPem: ground.relayCa, tokenFile }, NAMESPACE)

  return {
    name,
    requestsPerMinute,
    account,
    people: createPeople(account, simulator.clock, dice, settings.users),
    sink,
    disk,
    checkpoint,
    folder,
    volumes,
    kubeconfig,
    toCluster,
    guardedBy: (next) => {
      gate = next
    },
    container: (slot, spent) => {
      const names = { run: jobName(name, connector.metadata.uid, slot), checkpoint }
      const orders = ordersFor(connector, slot, names, spent, new Date())
      const run = { image: 'none', logLevel: 'info', httpsProxy: simulator.proxyUrl, caBundle: 'stands in a folder' }
      const [container] = jobManifest(connector, orders, run).spec.template.spec.containers
      if (container === undefined) throw new Error('the Job has no container')
      return container
    },
    resync: (at) => {
      const status = connectorSchema.shape.status.parse({ sync: { resyncTime: at.toISOString() } })
      connector = { ...connector, status }
    },
    loseCheckpoint: async () => {
      const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/${checkpoint}`
      await cluster.api.request('PATCH', path, { body: { data: null }, contentType: 'application/merge-patch+json' })
    },
    stop: async () => {
      await Promise.all([sink.stop(), toCluster.stop()])
      await disk?.unmount()
    },
  }
}

/** Small accounts and larger ones, limits that bind and such that do not, ids and texts that break careless readers. */
function accountSettings(dice: Dice, requests: number) {
  return {
    plan: 'enterprise',
    limit: { requests, kind: dice.of(['fixed', 'sliding']) },
    users: {
      count: dice.of([200, 300, 600, 1500]),
      firstId: dice.of(['360000000001', '9007199254740993']),
      exportPageSize: dice.of([100, 250, 1000]),
      repeatAtBoundaries: dice.of([0, 0, 3]),
    },
    // None before the seven days: all of them lie within the lookback, however far the clock is advanced meanwhile.
    activities: { days: 7, lastSevenDays: dice.between(100, 800), perEarlierDay: 0, sharing: dice.of([1, 7, 40]) },
    groups: dice.between(3, 230),
    groupMemberships: dice.between(5, 350),
    hostileStrings: dice.chance(0.3),
    recordServed: true,
    seed: dice.between(1, 1_000_000),
  } satisfies AccountOptions
}

async function writeSecret(folder: string, data: Readonly<Record<string, string>>): Promise<void> {
  for (const [key, value] of Object.entries(data)) await writeFile(join(folder, key), value)
}

async function createConnector(
  cluster: Cluster,
  name: string,
  requestsPerMinute: number,
  sink: SinkSide,
): Promise<Connector> {
  const path = `/apis/cloudapps.security/v1alpha1/namespaces/${NAMESPACE}/zendeskconnectors`
  const body = {
    apiVersion: 'cloudapps.security/v1alpha1',
    kind: 'ZendeskConnector',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      endpoint: `${name}.zendesk.com`,
      secretRef: { name },
      rateLimit: { requestsPerMinute },
      sync: { lookback: '240h', streams: STREAMS, sink: sink.spec },
    },
  }
  return connectorSchema.parse(await cluster.api.request('POST', path, { body }))
}

/** The run's own identity with its one right, and the checkpoint that this is a right to. Returns the identity's token. */
async function createIdentity(cluster: Cluster, connector: Connector, checkpoint: string): Promise<string> {
  const { serviceAccount, role, roleBinding } = identityManifests(connector, checkpoint)
  const core = `/api/v1/namespaces/${NAMESPACE}`
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}`
  const post = <T>(path: string, body: unknown) => cluster.api.request<T>('POST', path, { body })
  await post(`${core}/serviceaccounts`, serviceAccount)
  await post(`${rbac}/roles`, role)
  await post(`${rbac}/rolebindings`, roleBinding)
  await post(`${core}/configmaps`, checkpointManifest(connector, checkpoint))
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 36_000 } }
  const path = `${core}/serviceaccounts/${serviceAccount.metadata.name}/token`
  return (await post<{ status: { token: string } }>(path, request)).status.token
}
