import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Checkpoint, RunOrders } from '../../src/connector/run.ts'
import type { Connector } from '../../src/connector/schema.ts'
import type { Status } from '../../src/connector/status.ts'
import { checkpointStore } from '../../src/kube/checkpoint.ts'
import { type Cluster, loadCluster } from '../../src/kube/cluster.ts'
import { patchStatus } from '../../src/kube/connectors.ts'
import { isKubeError } from '../../src/kube/errors.ts'
import { createEvents } from '../../src/kube/events.ts'
import { keepSecret } from '../../src/kube/kept.ts'
import { checkpointName, jobName, syncIdentityName } from '../../src/kube/names.ts'
import { deleteRun, startRun } from '../../src/kube/runs.ts'
import { readSecret } from '../../src/kube/secrets.ts'
import { createView, type View } from '../../src/kube/view.ts'
import { watchCollection } from '../../src/kube/watch.ts'
import { startCluster, type Cluster as TestCluster } from '../support/cluster/cluster.ts'
import { aProgress } from '../unit/fixtures/connectors.ts'

const CANARY = 'c4n4ry-s3cret'
const OPERATOR = 'system:serviceaccount:zendesk-connector-system:zendesk-connector'
const soon = { timeout: 30_000, interval: 20 }
/** The garbage collector looks for new kinds twice a minute. */
const collected = { timeout: 100_000, interval: 100 }

/** For calls beside which nothing is watched. */
const deaf = { secret: () => undefined, secretSeen: () => undefined, noSecret: () => undefined }

let k8s: TestCluster
let relay: Relay
/** The operator, with the rights of deploy/rbac.yaml and no more, through the relay. */
let operator: Cluster
let namespace: string
let counter = 0
let end: AbortController

beforeAll(async () => {
  k8s = await startCluster({ name: 'kube', images: {}, node: 'none' })
  await k8s.kubectl('apply', '-f', 'crds/zendeskconnectors.yaml')
  await k8s.kubectl('create', 'namespace', 'zendesk-connector-system')
  await k8s.kubectl('apply', '-f', 'deploy/rbac.yaml')
  await k8s.kubectl('wait', '--for=condition=Established', 'crd/zendeskconnectors.cloudapps.security')
  relay = await startRelay(Number(new URL(k8s.server).port))
  operator = await through(relay, OPERATOR)
})
afterAll(async () => {
  await operator?.close()
  await relay?.close()
  await k8s?.stop()
})

beforeEach(async () => {
  namespace = `test-${++counter}`
  end = new AbortController()
  await k8s.kubectlWithInput(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    }),
    'apply',
    '-f',
    '-',
  )
})
afterEach(() => end.abort())

describe('the view', () => {
  test('sees a connector created, changed, deleted and created again', async () => {
    const { view } = await watching()
    expect(view.observe(`${namespace}/acme`)).toBeUndefined()
    await createConnector('acme')
    const first = await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.connector, soon)
    await k8s.kubectl('-n', namespace, 'patch', 'zdc', 'acme', '--type=merge', '-p', '{"spec":{"suspend":true}}')
    await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.connector.spec.suspend, soon)
    await k8s.kubectl('-n', namespace, 'delete', 'zdc', 'acme')
    await vi.waitUntil(() => view.observe(`${namespace}/acme`) === undefined, soon)
    await createConnector('acme')
    const second = await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.connector, soon)
    expect(second.metadata.uid).not.toBe(first.metadata.uid)
  })

  test('goes on after each break of its connections, and misses nothing', async () => {
    const { view, changed } = await watching()
    for (const name of ['one', 'two', 'three']) {
      relay.drop()
      await createConnector(name)
      await vi.waitUntil(() => view.observe(`${namespace}/${name}`), soon)
    }
    expect(changed.filter((key) => key.startsWith(namespace))).toHaveLength(3)
  })

  test('sees what was deleted and created again while nothing could be reached', async () => {
    const { view } = await watching()
    await createConnector('acme')
    const first = await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.connector, soon)
    relay.receive('refusing')
    relay.drop()
    await k8s.kubectl('-n', namespace, 'delete', 'zdc', 'acme')
    await createConnector('acme')
    relay.receive('passing')
    await vi.waitUntil(() => {
      const seen = view.observe(`${namespace}/acme`)?.connector.metadata.uid
      return seen !== undefined && seen !== first.metadata.uid
    }, soon)
  })

  test('never holds what is in a Secret, not even what kubectl apply copied', async () => {
    const kept: unknown[] = []
    const raw: unknown[] = []
    const secrets = watchCollection(operator, {
      api: '/api/v1',
      plural: 'secrets',
      namespaces: [namespace],
      metadataOnly: true,
      keep: (object) => {
        raw.push(object)
        return keepSecret(object)
      },
      onChange: (_key, before, after) => kept.push(before, after),
      onMalformed: (...args) => kept.push(args),
      onProblem: (problem) => kept.push(problem),
      signal: end.signal,
    })
    await secrets.synced
    await applySecret('creds', CANARY)
    await vi.waitUntil(() => secrets.get(`${namespace}/creds`), soon)
    // A second copy begins with a list where the first began with a watch.
    const { view } = await watching()
    await createConnector('acme', 'creds')
    await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.secret, soon)

    expect(raw[0]).toMatchObject({ kind: 'PartialObjectMetadata' })
    expect(raw[0]).not.toHaveProperty('data')
    expect(JSON.stringify(raw)).toContain('last-applied-configuration')
    const everything = inspect([kept, view.observe(`${namespace}/acme`), [...secrets.values()]], { depth: null })
    expect(everything).not.toContain(CANARY)
    expect(everything).not.toContain(Buffer.from(CANARY).toString('base64'))
    expect(await readSecret(operator, deaf, namespace, 'creds')).toMatchObject({ data: { clientSecret: CANARY } })
    expect(await readSecret(operator, deaf, namespace, 'none')).toBeUndefined()
  })

  test('opens a watch again that says nothing any more', async () => {
    await using own = await ownWay()
    const problems: unknown[] = []
    const secrets = watchCollection(own.cluster, {
      api: '/api/v1',
      plural: 'secrets',
      namespaces: [namespace],
      keep: keepSecret,
      onChange: () => {},
      onMalformed: () => {},
      onProblem: (problem) => problems.push(problem),
      signal: end.signal,
      stallMilliseconds: 1_500,
    })
    await secrets.synced
    await applySecret('early', CANARY)
    await vi.waitUntil(() => secrets.get(`${namespace}/early`), soon)
    own.relay.freeze()
    await applySecret('late', CANARY)
    await vi.waitUntil(() => secrets.get(`${namespace}/late`), soon)
    expect(problems[0]).toMatchObject({ reason: 'Timeout' })
  })

  test('ends when it is told to, with no connection left', async () => {
    await using own = await ownWay()
    const { view } = await watching(own.cluster)
    expect(own.relay.open()).toBeGreaterThan(0)
    end.abort()
    await view.ended
    await own.cluster.close()
    await vi.waitUntil(() => own.relay.open() === 0, soon)
  })
})

describe('the status of a connector', () => {
  test('is put in place as a whole, is seen at once, and leaves the rest alone', async () => {
    const { view } = await watching()
    const before = await observedConnector(view, 'acme')
    const progress = [{ name: 'Users', records: 1, complete: false }]
    const first: Status = { observedGeneration: 1, connection: 'Error', sync: { lastSlot: 1, streams: progress } }
    expect(await patchStatus(operator, view.learn, before, first)).toMatchObject({ status: first })
    const between = view.observe(`${namespace}/acme`)?.connector
    expect(between?.status).toEqual(first)
    const second: Status = { observedGeneration: 1, connection: 'Connected', sync: { lastSlot: 2 } }
    expect(await patchStatus(operator, view.learn, between ?? before, second)).toMatchObject({ status: second })

    const stored = await k8s.api.request<Connector>('GET', connectorPath('acme'))
    expect(stored.status).toEqual(second)
    expect(stored.spec).toMatchObject({ endpoint: 'acme.zendesk.com', secretRef: { name: 'acme-zendesk' } })
    expect(stored.metadata.generation).toBe(1)
  })

  test('is not written when nothing differs', async () => {
    const { view } = await watching()
    const status: Status = { observedGeneration: 1, connection: 'Connected' }
    await patchStatus(operator, view.learn, await observedConnector(view, 'acme'), status)
    const written = view.observe(`${namespace}/acme`)?.connector
    if (!written) throw new Error('not seen')
    const calls = vi.spyOn(operator, 'request')
    expect(await patchStatus(operator, view.learn, written, { ...status, sync: undefined } as Status)).toBeDefined()
    expect(calls).not.toHaveBeenCalled()
    calls.mockRestore()
  })

  test('of a connector that is gone, or that is another by now, is not written', async () => {
    const { view } = await watching()
    const first = await observedConnector(view, 'acme')
    await k8s.kubectl('-n', namespace, 'delete', 'zdc', 'acme')
    expect(
      await patchStatus(operator, view.learn, first, { observedGeneration: 1, connection: 'Error' }),
    ).toBeUndefined()
    await createConnector('acme')
    expect(
      await patchStatus(operator, view.learn, first, { observedGeneration: 1, connection: 'Error' }),
    ).toBeUndefined()
    const stored = await k8s.api.request<Connector>('GET', connectorPath('acme'))
    expect(stored.status?.connection).not.toBe('Error')
  })

  test('that the API server refuses is an error that says where and quotes nothing', async () => {
    const { view } = await watching()
    const acme = await observedConnector(view, 'acme')
    const refused = { observedGeneration: 1, connection: CANARY } as unknown as Status
    const error: unknown = await patchStatus(operator, view.learn, acme, refused).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'KubeError', reason: 'Invalid', status: 422 })
    expect(String(error)).toContain('status.connection')
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(CANARY)
  })
})

/** Whether to try again: false. */
function isConflict(error: unknown): false {
  if (isKubeError(error, 'Conflict')) return false
  throw error
}

describe('a run', () => {
  test('is started once, with all that it needs, in a namespace with restricted Pod Security', async () => {
    const { view } = await watching()
    const acme = await observedConnector(view, 'acme')
    const orders = ordersFor(acme, 1)
    const [first, again] = [await start(view, acme, orders), await start(view, acme, orders)]
    expect(again).toEqual(first)
    expect(view.observe(`${namespace}/acme`)?.runs).toMatchObject([{ run: orders.run, slot: 1, state: 'Active' }])
    // The Job controller has made a pod: Pod Security let it in.
    const pod = await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.runs[0]?.pods[0], soon)
    expect(pod.phase).toBe('Pending')
    await vi.waitUntil(
      () => view.observe(`${namespace}/acme`)?.runs[0]?.pods[0]?.waiting?.startsWith('Unschedulable'),
      soon,
    )
    expect(await warnings()).toEqual([])
  })

  test('is stopped in the foreground; stopping it again is no error', async () => {
    const { view } = await watching()
    const acme = await observedConnector(view, 'acme')
    const orders = ordersFor(acme, 1)
    await start(view, acme, orders)
    await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.runs[0]?.pods.length === 1, soon)
    // The Job controller writes, too: what has changed since it was seen is looked at again.
    const stopped = () => deleteRun(operator, view, namespace, orders.run).then(() => true, isConflict)
    await vi.waitUntil(stopped, soon)
    // Being deleted, or gone already: the watch may have been quicker than the answer.
    expect(view.observe(`${namespace}/acme`)?.runs.filter(({ deleting }) => !deleting)).toEqual([])
    await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.runs.length === 0, collected)
    await deleteRun(operator, view, namespace, orders.run)
  })

  test('does not take over a Job or a checkpoint of someone else', async () => {
    const { view } = await watching()
    const acme = await observedConnector(view, 'acme')
    const orders = ordersFor(acme, 1)
    await k8s.kubectl('-n', namespace, 'create', 'job', orders.run, '--image=none')
    await expect(start(view, acme, orders)).rejects.toMatchObject({ reason: 'AlreadyExists' })
    expect(view.observe(`${namespace}/acme`)?.runs).toEqual([])

    const other = await observedConnector(view, 'other')
    await k8s.kubectl('-n', namespace, 'create', 'configmap', checkpointName('other'))
    await expect(start(view, other, ordersFor(other, 1))).rejects.toMatchObject({ reason: 'AlreadyExists' })
  })

  test('may get and update its own checkpoint and nothing else', async () => {
    const { view } = await watching()
    const acme = await observedConnector(view, 'acme')
    const orders = ordersFor(acme, 1)
    await start(view, acme, orders)
    const pod = await through(relay, `system:serviceaccount:${namespace}:${syncIdentityName('acme')}`)
    const store = checkpointStore(pod, { namespace, name: orders.checkpoint })
    const { checkpoint, resourceVersion } = await store.read()
    expect(checkpoint).toBeUndefined()
    const written: Checkpoint = { account: 'acme', sink: 'stdout', streams: {} }
    const next = await store.write(written, resourceVersion)
    await vi.waitUntil(() => view.observe(`${namespace}/acme`)?.checkpoint?.account === 'acme', soon)

    // Whoever read before that write is too late.
    await expect(store.write(written, resourceVersion)).rejects.toMatchObject({ name: 'KubeError', reason: 'Conflict' })
    await store.write({ ...written, progress: aProgress('more') }, next.resourceVersion)
    expect((await store.read()).checkpoint?.progress?.sentence).toBe('more')
    // A run of the next slot finds it as it is, still the connector's.
    await start(view, acme, ordersFor(acme, 2))
    expect((await store.read()).checkpoint?.progress?.sentence).toBe('more')

    const others = checkpointStore(pod, { namespace, name: 'kube-root-ca.crt' })
    await expect(others.read()).rejects.toMatchObject({ reason: 'Forbidden' })
    await expect(readSecret(pod, deaf, namespace, 'any')).rejects.toMatchObject({ reason: 'Forbidden' })
    await pod.close()
  })

  test('and all that was made for it goes with the connector', async () => {
    const { view } = await watching()
    const acme = await observedConnector(view, 'acme')
    await start(view, acme, ordersFor(acme, 1))
    await k8s.kubectl('-n', namespace, 'delete', 'zdc', 'acme')
    await vi.waitUntil(async () => {
      const kinds = 'jobs,pods,configmaps,serviceaccounts,roles,rolebindings'
      const label = 'app.kubernetes.io/managed-by=zendesk-connector'
      return (await k8s.kubectl('-n', namespace, 'get', kinds, '-l', label, '-o', 'name')) === ''
    }, collected)
  })
})

test('an Event is seen where the connector is, and counted on there by the operator that comes after', async () => {
  const { view } = await watching()
  const acme = await observedConnector(view, 'acme')
  const problems: unknown[] = []
  let minutes = 0
  const begin = () =>
    createEvents(operator, {
      now: () => new Date(Date.now() + minutes * 60_000),
      monotonic: () => performance.now() + minutes * 60_000,
      onProblem: (_key, problem) => problems.push(problem),
    })
  const happened = (message: string) => ({ type: 'Warning', reason: 'NotAdmin', message }) as const
  const shown = () => k8s.kubectl('-n', namespace, 'events', '--for', 'zdc/acme')

  const events = begin()
  await events.record(acme, happened('Make the user an admin.'))
  expect(await shown()).toMatch(/Warning +NotAdmin .*Make the user an admin/)
  minutes = 6
  await events.record(acme, happened('Make user 7 an admin.'))
  events.close()
  minutes = 12
  const next = begin()
  await next.record(acme, happened('Make user 8 an admin.'))
  next.close()
  expect(problems).toEqual([])
  expect(await shown()).toMatch(/\(x3 over .*\) +Warning +NotAdmin .*Make user 8 an admin/)
  expect((await shown()).trim().split('\n')).toHaveLength(2)

  await begin().record(inNamespace(acme, 'none'), happened('Nobody sees this.'))
  expect(problems).toMatchObject([{ reason: 'NotFound' }])
})

test('a hundred calls share a connection or two', async () => {
  await using own = await ownWay()
  for (let call = 0; call < 100; call++) await readSecret(own.cluster, deaf, namespace, 'none')
  expect(own.relay.accepted()).toBeLessThanOrEqual(3)
})

test('a call that is not answered ends in time, and so does what is not connected yet', async () => {
  await using own = await ownWay()
  await own.cluster.request('GET', '/version')
  own.relay.freeze()
  own.relay.receive('silent')
  const began = performance.now()
  const silent = own.cluster.request('GET', '/version', { timeoutMilliseconds: 300 })
  await expect(silent).rejects.toMatchObject({ reason: 'Timeout' })
  await own.cluster.close()
  expect(performance.now() - began).toBeLessThan(2_000)
  await expect(own.cluster.request('GET', '/version')).rejects.toMatchObject({ reason: 'Aborted' })
})

test('no error holds the body, the token or the headers of a call', async () => {
  const path = `/api/v1/namespaces/${namespace}/secrets`
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, stringData: { clientSecret: CANARY } }
  const errors = [
    await operator.request('POST', path, { body }).catch((error: unknown) => error),
    await operator.request('POST', '/api/v1/nowhere', { body }).catch((error: unknown) => error),
    await operator.request('GET', path, { timeoutMilliseconds: 0 }).catch((error: unknown) => error),
  ]
  expect(errors).toMatchObject([{ reason: 'Forbidden' }, { status: 403 }, { reason: 'Timeout' }])
  expect(inspect(errors, { depth: null, showHidden: true })).not.toMatch(/c4n4ry|Bearer|BEGIN/)
})

describe('the way to a cluster', () => {
  test('is a kubeconfig that was named, or a service account, and nothing else', async () => {
    vi.stubEnv('KUBERNETES_SERVICE_HOST', undefined)
    vi.stubEnv('KUBECONFIG', k8s.kubeconfig)
    await expect(loadCluster({})).rejects.toThrow('no cluster: pass a kubeconfig, or run in a pod')
    await expect(loadCluster({ kubeconfig: '/nowhere' })).rejects.toThrow(
      'kubeconfig /nowhere cannot be read: it does not exist',
    )
    vi.unstubAllEnvs()
  })

  test('may be a kubeconfig with a token file, read again as the token changes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const token = () => k8s.kubectl('-n', namespace, 'create', 'token', 'default')
    const file = `${k8s.folder}/token-${namespace}`
    const config = JSON.parse(await k8s.kubectl('config', 'view', '--raw', '-o', 'json'))
    config.users[0].user = { tokenFile: file }
    await writeFile(`${file}.kubeconfig`, JSON.stringify(config))
    await writeFile(file, 'wrong')
    const cluster = await loadCluster({ kubeconfig: `${file}.kubeconfig` })
    await expect(cluster.request('GET', '/version')).rejects.toMatchObject({ reason: 'Unauthorized' })
    await writeFile(file, await token())
    vi.setSystemTime(Date.now() + 61_000)
    await expect(cluster.request('GET', '/version')).resolves.toHaveProperty('gitVersion')
    vi.useRealTimers()
    await cluster.close()
  })
})

async function watching(cluster = operator): Promise<{ view: View; changed: string[] }> {
  const changed: string[] = []
  const view = createView(cluster, {
    onChange: (key) => changed.push(key),
    onRunEnd: () => {},
    onMalformed: (key, message) => {
      throw new Error(`${key} ${message}`)
    },
    onProblem: () => {},
    now: () => new Date(),
    signal: end.signal,
  })
  await view.ready()
  return { view, changed }
}

async function observedConnector(view: View, name: string): Promise<Connector> {
  await createConnector(name)
  return vi.waitUntil(() => view.observe(`${namespace}/${name}`)?.connector, soon)
}

const connectorPath = (name: string) =>
  `/apis/cloudapps.security/v1alpha1/namespaces/${namespace}/zendeskconnectors/${name}`

async function createConnector(name: string, secret = `${name}-zendesk`): Promise<void> {
  const spec = { endpoint: `${name}.zendesk.com`, secretRef: { name: secret }, sync: { sink: { stdout: {} } } }
  const manifest = { apiVersion: 'cloudapps.security/v1alpha1', kind: 'ZendeskConnector', metadata: { name }, spec }
  await k8s.kubectlWithInput(JSON.stringify(manifest), '-n', namespace, 'create', '-f', '-')
}

async function applySecret(name: string, clientSecret: string): Promise<void> {
  const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { clientSecret } }
  await k8s.kubectlWithInput(JSON.stringify(manifest), '-n', namespace, 'apply', '-f', '-')
}

function ordersFor(connector: Connector, slot: number): RunOrders {
  const { name, uid } = connector.metadata
  return {
    namespace,
    connector: name,
    displayName: name,
    run: jobName(name, uid, slot),
    slot,
    endpoint: connector.spec.endpoint,
    requestsPerMinute: 200,
    lookbackSeconds: 60,
    streams: ['Users'],
    sink: { kind: 'stdout' },
    checkpoint: checkpointName(name),
    sliceSeconds: 3600,
    spent: [],
    redact: [],
  }
}

function start(view: View, connector: Connector, orders: RunOrders) {
  const settings = { image: 'zendesk-connector:test', logLevel: 'info', caBundle: 'PEM', httpsProxy: 'http://proxy:1' }
  return startRun(operator, view.learn, connector, orders, settings)
}

async function warnings(): Promise<string[]> {
  const lines = await k8s.kubectl('-n', namespace, 'events', '--types=Warning', '--no-headers')
  return lines
    .split('\n')
    .filter((line) => line !== '' && !line.includes('FailedScheduling') && !line.includes('No events'))
}

function inNamespace(connector: Connector, other: string): Connector {
  return { ...connector, metadata: { ...connector.metadata, namespace: other } }
}

async function through(way: Relay, user: string): Promise<Cluster> {
  const direct = await k8s.kubeconfigFor({ name: user, groups: ['system:serviceaccounts', 'system:authenticated'] })
  const file = `${direct}-${way.port}`
  await writeFile(file, (await readFile(direct, 'utf8')).replaceAll(k8s.server, `https://127.0.0.1:${way.port}`))
  return loadCluster({ kubeconfig: file })
}

/** The operator through a relay of its own. */
async function ownWay() {
  const own = await startRelay(Number(new URL(k8s.server).port))
  const cluster = await through(own, OPERATOR)
  const dispose = async () => {
    end.abort()
    await cluster.close()
    await own.close()
  }
  return { relay: own, cluster, [Symbol.asyncDispose]: dispose }
}

type Relay = Awaited<ReturnType<typeof startRelay>>

/** Stands before the API server and can break, refuse and silence connections. */
async function startRelay(target: number) {
  const pairs = new Set<readonly [Socket, Socket]>()
  let accepted = 0
  let manner: 'passing' | 'refusing' | 'silent' = 'passing'
  const server = createServer((near) => {
    accepted++
    if (manner === 'refusing') return void near.destroy()
    const far = connect(target, '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    if (manner === 'passing') near.pipe(far).pipe(near)
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        near.destroy()
        far.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    open: () => pairs.size,
    /** Breaks all connections. */
    drop() {
      for (const [near, far] of pairs) for (const socket of [near, far]) socket.resetAndDestroy()
    },
    /** The connections there are say nothing any more, and stay open; new ones work. */
    freeze() {
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
        near.pause()
        far.pause()
      }
    },
    /** What becomes of new connections. */
    receive(next: typeof manner) {
      manner = next
    },
    async close() {
      for (const [near, far] of pairs) for (const socket of [near, far]) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
