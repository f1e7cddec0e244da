/** That what comes as protobuf is what would have come as JSON, for each kind and by the API server's own hand. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Cluster, loadCluster } from '../../src/kube/cluster.ts'
import { keepJob, keepPod, keepSecret } from '../../src/kube/kept.ts'
import { CONFIG_MAP, JOB, METADATA, POD } from '../../src/kube/messages.ts'
import { type Message, PROTOBUF } from '../../src/kube/protobuf.ts'
import { takeSnapshot } from '../../src/kube/snapshot.ts'
import { startCluster, type Cluster as TestCluster } from '../support/cluster/cluster.ts'

const HOSTILE = 'ein „Satz“ mit 🧨, \u001b[31m\n"}],\\u0000 und {'
const BATCH = '/apis/batch/v1/namespaces/default'
const CORE = '/api/v1/namespaces/default'
const OURS = {
  'app.kubernetes.io/managed-by': 'zendesk-connector',
  'cloudapps.security/account': 'acme',
  'cloudapps.security/slot': '3',
}

type Made = { readonly metadata: { readonly name: string; readonly uid: string } }

let k8s: TestCluster
let cluster: Cluster
beforeAll(async () => {
  k8s = await startCluster({ name: 'protobuf', images: {}, node: 'none' })
  cluster = await loadCluster({ kubeconfig: k8s.kubeconfig })
})
afterAll(async () => {
  await cluster?.close()
  await k8s?.stop()
})

const post = (path: string, body: object) => k8s.api.request<Made>('POST', path, { body })
/** Of kinds that the cluster does not know: neither its garbage collector nor its Job controller does anything. */
const owner = (kind: string) => ({ apiVersion: 'example.com/v1', kind, name: 'acme', uid: 'u', controller: true })
const template = {
  metadata: { labels: OURS },
  spec: { restartPolicy: 'Never', containers: [{ name: 'sync', image: 'none' }] },
}

async function status(path: string, value: object): Promise<void> {
  const contentType = 'application/merge-patch+json'
  await k8s.api.request('PATCH', `${path}/status`, { body: { status: value }, contentType })
}

/** What is kept of each object of a collection, as it came in that format. */
async function kept<T>(path: string, keep: (raw: unknown) => T, message: Message | undefined, as = ''): Promise<T[]> {
  const seen: T[] = []
  const problems: unknown[] = []
  const begin = () => ({ take: (raw: unknown) => void seen.push(keep(raw)), end: () => {}, done: () => {} })
  await takeSnapshot(cluster, begin, {
    ...{ path, selectors: {}, without: ['managedFields'], message, signal: AbortSignal.timeout(10_000) },
    accept: { object: `${message === undefined ? 'application/json' : PROTOBUF}${as}`, list: 'none' },
    onProgress: () => {},
    onProblem: (problem) => problems.push(problem),
  })
  expect(problems).toEqual([])
  return seen
}

test('Jobs and pods, waiting, ended and failed, with what others say in them', async () => {
  const metadata = (name: string) => ({
    name,
    labels: OURS,
    annotations: { 'cloudapps.security/generation': '12', 'cloudapps.security/sink-secret': HOSTILE },
    finalizers: ['cloudapps.security/kept-for-the-test'],
    ownerReferences: [{ apiVersion: 'v1', kind: 'Other', name: 'o', uid: 'v' }, owner('ZendeskConnector')],
  })
  await post(`${BATCH}/jobs`, { metadata: metadata('done'), spec: { template } })
  await post(`${BATCH}/jobs`, { metadata: metadata('late'), spec: { template, activeDeadlineSeconds: 1 } })
  await post(`${BATCH}/jobs`, { metadata: metadata('asleep'), spec: { template, suspend: true } })
  const pod = { labels: OURS, ownerReferences: [owner('Job')] }
  for (const name of ['waits', 'ended', 'evicted', 'fresh']) {
    await post(`${CORE}/pods`, { metadata: { ...pod, name }, spec: template.spec })
  }
  const waiting = { reason: 'ImagePullBackOff', message: HOSTILE }
  const beside = { name: 'beside', ready: true, restartCount: 0, image: 'i', imageID: '' }
  const sync = { name: 'sync', ready: false, restartCount: 3, image: 'i', imageID: '' }
  await status(`${CORE}/pods/waits`, { containerStatuses: [beside, { ...sync, state: { waiting } }] })
  const terminated = { exitCode: -3, reason: 'Error', message: HOSTILE, finishedAt: '2026-11-23T10:00:00Z' }
  await status(`${CORE}/pods/ended`, { phase: 'Failed', containerStatuses: [{ ...sync, state: { terminated } }] })
  await status(`${CORE}/pods/evicted`, { phase: 'Failed', reason: 'Evicted', message: HOSTILE })
  // The Job controller's own pod; with its end the Job is complete.
  const own = await vi.waitUntil(
    async () => {
      const { items } = await k8s.api.request<{ items: Made[] }>('GET', `${CORE}/pods?labelSelector=job-name=done`)
      return items.find(({ metadata: { name } }) => name.startsWith('done-'))
    },
    { timeout: 30_000, interval: 100 },
  )
  await status(`${CORE}/pods/${own.metadata.name}`, { phase: 'Succeeded' })
  await k8s.kubectl('wait', '--for=condition=Complete', '--timeout=30s', 'job/done')
  await k8s.kubectl('wait', '--for=condition=Failed', '--timeout=30s', 'job/late')
  await k8s.kubectl('delete', '--wait=false', 'job/asleep')

  const jobs = await kept(`${BATCH}/jobs`, keepJob, JOB)
  expect(jobs).toEqual(await kept(`${BATCH}/jobs`, keepJob, undefined))
  expect(jobs.map((one) => [one?.run.state, one?.run.deleting]).sort()).toEqual([
    ['Active', true],
    ['Failed', false],
    ['Succeeded', false],
  ])
  expect(jobs[0]).toMatchObject({ account: 'acme', owner: { uid: 'u' }, run: { slot: 3, generation: 12 } })
  const pods = await kept(`${CORE}/pods`, keepPod, POD)
  expect(pods).toEqual(await kept(`${CORE}/pods`, keepPod, undefined))
  expect(pods.map((one) => one?.pod.exitCode).filter((code) => code !== undefined)).toEqual([-3])
  expect(pods.find((one) => one?.pod.name === 'waits')?.pod.waiting).toContain('🧨')
}, 90_000)

test('ConfigMaps and Secrets, whatever is in them', async () => {
  const checkpoint = `\ufeff${HOSTILE}${'🧨'.repeat(100_000)}`
  const data = { 'checkpoint.json': checkpoint, ['__proto__']: HOSTILE, long: HOSTILE }
  await post(`${CORE}/configmaps`, { metadata: { name: 'mine', labels: OURS }, data })
  await post(`${CORE}/secrets`, { metadata: { name: 'secret' }, stringData: { token: 'c4n4ry' } })

  const read = (object: unknown) => {
    const { metadata, data } = object as { metadata: { name: string; labels?: object }; data?: Record<string, string> }
    return { name: metadata.name, labels: metadata.labels, checkpoint: data?.['checkpoint.json'] }
  }
  const configMaps = await kept(`${CORE}/configmaps`, read, CONFIG_MAP)
  expect(configMaps).toEqual(await kept(`${CORE}/configmaps`, read, undefined))
  expect(configMaps).toContainEqual({ name: 'mine', labels: OURS, checkpoint })

  const metadataOnly = ';as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
  const secrets = await kept(`${CORE}/secrets`, keepSecret, METADATA, metadataOnly)
  expect(secrets).toEqual(await kept(`${CORE}/secrets`, keepSecret, undefined, metadataOnly))
  expect(secrets.map(({ metadata: { name } }) => name)).toContain('secret')
})

test('and what the API server has to say against it', async () => {
  const refused = (accept: string) => {
    const query = { resourceVersion: 'none' }
    const call = { query, accept, message: JOB, signal: AbortSignal.timeout(10_000), stallMilliseconds: 10_000 }
    return cluster.watch(`${BATCH}/jobs`, { ...call, onEvent: () => {} }).catch((error: unknown) => error)
  }
  const error = await refused(PROTOBUF)
  expect(error).toEqual(await refused('application/json'))
  expect(error).toMatchObject({ name: 'KubeError', message: expect.stringContaining('resourceVersion') })
})
