/**
 * `npm run bench -- cold-start`: from the start of a sync pod's process to the first request that Zendesk receives. All is
 * real but Zendesk: the bundle with its compiled code as in the image, read-only, in a root of its own; the service
 * account's token; the checkpoint on an API server, with what the run before has left in it. Beside each run, `node -e 0`
 * in the same place.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from '../scripts/bundle.ts'
import { ordersFor } from '../src/connector/orders.ts'
import { CHECKPOINT_KEY, EXIT } from '../src/connector/run.ts'
import { connector } from '../src/connector/schema.ts'
import { textTable } from '../src/text-table.ts'
import { type Simulator, startSimulator } from '../test/simulator/simulator.ts'
import { type Cluster, startCluster } from '../test/support/cluster/cluster.ts'
import type { Mount } from '../test/support/process-node/isolation.ts'
import { enterPod, type Pod } from './support/pod.ts'

/** 300 ms where `node -e 0` takes 40. */
const GOOD = 300 / 40

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const CREDENTIALS_DIR = '/var/run/cold-start/credentials'
const SINK_DIR = '/var/run/cold-start/sink'
const NODE_COMPILE_CACHE = '/app/cache'
const SYNC = [process.execPath, '/app/dist/main.js', 'sync'] as const

const help = `npm run bench -- cold-start [--times 15]

Median time from the start of the sync process to its first request, beside node -e 0.`

export async function bench(args: string[]) {
  const { values } = parseArgs({ args, options: { times: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) return { table: help, json: {}, good: true }
  const cluster = await startCluster({ name: 'cold-start', images: {}, node: 'none' })
  const simulator = await startSimulator()
  try {
    const mounts = await prepare(cluster)
    await compile(cluster, mounts)
    const pod = enterPod(join(cluster.folder, 'cold-start', 'pod'), mounts)
    const times = await inTurns(pod, cluster, simulator, Number(values.times ?? 15))
    pod.leave()
    return told(times)
  } finally {
    await simulator.stop()
    await cluster.stop()
  }
}

type Times = { readonly bare: number[]; readonly first: number[]; readonly whole: number[] }

async function inTurns(pod: Pod, cluster: Cluster, simulator: Simulator, rounds: number): Promise<Times> {
  const times: Times = { bare: [], first: [], whole: [] }
  await syncOnce(pod, cluster, simulator, 1)
  const checkpoint = await readCheckpoint(cluster)
  for (let round = 1; round <= rounds; round += 1) {
    const node = await pod.start({ command: [process.execPath, '-e', '0'], env: {} })
    times.bare.push(node.ended - node.began)
    await writeCheckpoint(cluster, checkpoint)
    const { first, whole } = await syncOnce(pod, cluster, simulator, round + 1)
    times.first.push(first)
    times.whole.push(whole)
  }
  return times
}

function told({ bare, first, whole }: Times) {
  const ratio = Math.round((median(first) / median(bare)) * 100) / 100
  const json = { firstRequestMs: rounded(median(first)), nodeMs: rounded(median(bare)), ratio }
  const row = (name: string, all: number[]) => {
    const figures = [median(all), Math.min(...all), Math.max(...all)]
    return [name, ...figures.map((figure) => `${figure.toFixed(1)} ms`)]
  }
  const rows = [
    ['', 'MEDIAN', 'LEAST', 'MOST'],
    row('node -e 0', bare),
    row('sync: first request', first),
    row('sync: end', whole),
  ]
  const table = `${textTable(rows, [1, 2, 3])}First request: ${ratio} × node -e 0; good: up to ${GOOD}.`
  return { table, json, good: ratio <= GOOD }
}

/** Program, Secret, service account and checkpoint, as a pod finds them. */
async function prepare(cluster: Cluster): Promise<Mount[]> {
  const folder = (name: string) => join(cluster.folder, 'cold-start', name)
  for (const name of ['app/cache', 'sink', 'secret', 'account']) await mkdir(folder(name), { recursive: true })
  await bundle(folder('app/dist'))
  await writeFile(join(folder('secret'), 'clientId'), 'zendesk-connector')
  await writeFile(join(folder('secret'), 'clientSecret'), 'acme-secret')
  await cluster.kubectlWithInput(manifests, 'apply', '-f', '-')
  const path = '/api/v1/namespaces/default/serviceaccounts/acme-sync/token'
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
  const { status } = await cluster.api.request<{ status: { token: string } }>('POST', path, { body })
  await writeFile(join(folder('account'), 'token'), status.token)
  await copyFile(join(cluster.folder, 'certificates', 'ca.crt'), join(folder('account'), 'ca.crt'))
  return [
    { source: folder('app'), target: '/app', readOnly: true },
    { source: folder('secret'), target: CREDENTIALS_DIR, readOnly: true },
    { source: folder('account'), target: SERVICE_ACCOUNT, readOnly: true },
    { source: folder('sink'), target: SINK_DIR, readOnly: false },
  ]
}

const manifests = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: acme-sync, namespace: default }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: acme-sync, namespace: default }
rules: [{ apiGroups: [''], resources: [configmaps], resourceNames: [acme-checkpoint], verbs: [get, update] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: acme-sync, namespace: default }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: acme-sync }
subjects: [{ kind: ServiceAccount, name: acme-sync, namespace: default }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: acme-checkpoint, namespace: default }
`

/** As scripts/compile.ts does it for the image. */
async function compile(cluster: Cluster, mounts: readonly Mount[]): Promise<void> {
  const writable = mounts.map((mount) => ({ ...mount, readOnly: false }))
  const image = enterPod(join(cluster.folder, 'cold-start', 'image'), writable)
  const { code, log } = await image.start({ command: SYNC, env: { NODE_COMPILE_CACHE } })
  image.leave()
  if (code !== EXIT.usage) throw new Error(`sync without orders ended with ${code}: ${log}`)
}

/** A run from its start to its first request, and to its end, in ms. */
async function syncOnce(pod: Pod, cluster: Cluster, simulator: Simulator, slot: number) {
  const account = simulator.account('acme', { plan: 'enterprise-plus' })
  const { hostname, port } = new URL(cluster.server)
  const { began, ended, code, log } = await pod.start({
    command: SYNC,
    env: {
      NODE_COMPILE_CACHE,
      CREDENTIALS_DIR,
      SINK_DIR,
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      HTTPS_PROXY: simulator.proxyUrl,
      NODE_EXTRA_CA_CERTS: simulator.caFile,
      POD_UID: `pod-${slot}`,
      RUN_ORDERS: JSON.stringify(ordersOf(slot)),
    },
  })
  const [first] = account.ledger.requests()
  if (code !== EXIT.ok || first === undefined) throw new Error(`The run ended with ${code}: ${log}`)
  // The ledger counts from 1970.
  const toMonotonic = Number(process.hrtime.bigint()) / 1e6 - (performance.timeOrigin + performance.now())
  return { first: first.at + toMonotonic - began, whole: ended - began }
}

function ordersOf(slot: number) {
  const now = new Date()
  const acme = connector.parse({
    metadata: { name: 'acme', namespace: 'default', uid: 'cold-start', creationTimestamp: now.toISOString() },
    spec: {
      endpoint: 'acme.zendesk.com',
      secretRef: { name: 'acme-zendesk' },
      rateLimit: { requestsPerMinute: 2500 },
      sync: { sink: { file: { claimName: 'data' } } },
    },
  })
  return ordersFor(acme, slot, { run: `acme-${slot}`, checkpoint: 'acme-checkpoint' }, [], now)
}

const checkpointPath = '/api/v1/namespaces/default/configmaps/acme-checkpoint'

async function readCheckpoint({ api }: Cluster): Promise<string> {
  const { data } = await api.request<{ data: Record<string, string> }>('GET', checkpointPath)
  return data[CHECKPOINT_KEY] ?? ''
}

/** As the first run left it, but long ago: what that one has spent must not hold up the next. */
async function writeCheckpoint({ api }: Cluster, checkpoint: string): Promise<void> {
  const { budget: _, ...others } = JSON.parse(checkpoint)
  const body = { data: { [CHECKPOINT_KEY]: JSON.stringify(others) } }
  await api.request('PATCH', checkpointPath, { body, contentType: 'application/merge-patch+json' })
}

const median = (all: readonly number[]) => all.toSorted((one, other) => one - other)[all.length >> 1] ?? 0
const rounded = (value: number) => Math.round(value * 10) / 10
