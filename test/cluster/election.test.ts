/** Leader election and the writes of leaders, past and present, against a real API server and with real processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { RunOrders } from '../../src/connector/run.ts'
import { type Connector, connector as schema } from '../../src/connector/schema.ts'
import type { Status } from '../../src/connector/status.ts'
import { type Cluster, loadCluster } from '../../src/kube/cluster.ts'
import { patchStatus } from '../../src/kube/connectors.ts'
import { campaign } from '../../src/kube/election.ts'
import { checkpointName, egressName, jobName, syncIdentityName } from '../../src/kube/names.ts'
import { deleteRun, startRun } from '../../src/kube/runs.ts'
import type { View } from '../../src/kube/view.ts'
import { kubernetesPort } from '../../src/kubernetes-port.ts'
import type { Said } from '../support/candidate.ts'
import { startCluster, type Cluster as TestCluster } from '../support/cluster/cluster.ts'

const OPERATOR = 'system:serviceaccount:zendesk-connector-system:zendesk-connector'
const SYSTEM = 'zendesk-connector-system'
const often = { timeout: 30_000, interval: 10 }
const ours = 'app.kubernetes.io/managed-by=zendesk-connector'
const deaf = { connector: () => undefined, job: () => undefined, noJob: () => undefined }

let k8s: TestCluster
/** The operator, with the rights of deploy/rbac.yaml and no more. */
let operator: Cluster
const candidates = new Set<ChildProcess>()

beforeAll(async () => {
  k8s = await startCluster({ name: 'election', images: {}, node: 'none' })
  await k8s.kubectl('create', 'namespace', SYSTEM)
  await k8s.kubectl('apply', '-f', 'crds/zendeskconnectors.yaml', '-f', 'deploy/rbac.yaml')
  await k8s.kubectl('wait', '--for=condition=Established', 'crd/zendeskconnectors.cloudapps.security')
  operator = await loadCluster({ kubeconfig: await operatorConfig() })
})
afterAll(async () => {
  for (const candidate of candidates) candidate.kill('SIGKILL')
  await operator?.close()
  await k8s?.stop()
})

const operatorConfig = () =>
  k8s.kubeconfigFor({ name: OPERATOR, groups: ['system:serviceaccounts', 'system:authenticated'] })

/** A replica as a process of its own. */
function candidate(kubeconfig: string, lease: string, name: string) {
  const script = join(import.meta.dirname, '..', 'support', 'candidate.ts')
  const child = spawn(process.execPath, [script, kubeconfig, SYSTEM, lease, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  candidates.add(child)
  const said: Said[] = []
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)))
  const last = () => said.findLast(({ what }) => what === 'leads' || what === 'lost')?.what
  return {
    said,
    leads: () => last() === 'leads',
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    ended: new Promise((resolve) => child.once('exit', resolve)),
    written: async () =>
      (await k8s.kubectl('-n', SYSTEM, 'get', 'configmaps', '-l', `writer=${name}`, '-o', 'name')).split('\n').length -
      1,
  }
}

async function two(kubeconfig: string, lease: string) {
  const a = candidate(kubeconfig, lease, `${lease}-a`)
  await vi.waitUntil(a.leads, often)
  const b = candidate(kubeconfig, lease, `${lease}-b`)
  await vi.waitUntil(() => b.said.some(({ what, text }) => what === 'sees' && text === `${lease}-a`), often)
  return { a, b }
}

async function secondsUntil(holds: () => boolean): Promise<number> {
  const began = performance.now()
  await vi.waitUntil(holds, often)
  return (performance.now() - began) / 1000
}

const readLease = async (name: string) =>
  (
    await k8s.api.request<{ spec: Record<string, unknown> }>(
      'GET',
      `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases/${name}`,
    )
  ).spec

describe.concurrent('two replicas', () => {
  test('hand over within seconds when the leader is told to stop, with the rights that deploy/ grants', async () => {
    const { a, b } = await two(await operatorConfig(), 'zendesk-connector')
    expect(await readLease('zendesk-connector')).toMatchObject({
      holderIdentity: 'zendesk-connector-a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    })
    a.signal('SIGTERM')
    // 2.2 s, and what a busy machine adds.
    expect(await secondsUntil(b.leads)).toBeLessThan(4)
    expect(await a.ended).toBe(0)
    expect(await readLease('zendesk-connector')).toMatchObject({ leaseTransitions: 1 })
    // And back, to one that is started only now: nobody waits for a Lease that was given back.
    b.signal('SIGTERM')
    await b.ended
    expect(await readLease('zendesk-connector')).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
    const c = candidate(await operatorConfig(), 'zendesk-connector', 'zendesk-connector-c')
    // The start of the process counts, too.
    expect(await secondsUntil(c.leads)).toBeLessThan(10)
    c.signal('SIGTERM')
    await c.ended
    for (const { said } of [a, b, c]) expect(said.filter(({ what }) => what === 'problem')).toEqual([])
  })

  test('go on within 20 seconds when the leader is killed', async () => {
    const { a, b } = await two(k8s.kubeconfig, 'killed')
    a.signal('SIGKILL')
    const seconds = await secondsUntil(b.leads)
    expect(seconds).toBeGreaterThan(10)
    expect(seconds).toBeLessThan(20)
    expect(await readLease('killed')).toMatchObject({ holderIdentity: 'killed-b', leaseTransitions: 1 })
    b.signal('SIGKILL')
  })

  test('never write both: one that was stopped past its lease writes nothing when it goes on, and stands again', async () => {
    const { a, b } = await two(k8s.kubeconfig, 'frozen')
    await vi.waitUntil(() => a.said.some(({ what }) => what === 'wrote'), often)
    a.signal('SIGSTOP')
    const stopped = performance.now()
    await vi.waitUntil(b.leads, often)
    await vi.waitUntil(() => b.said.some(({ what }) => what === 'wrote'), often)
    const written = await a.written()
    const heard = a.said.length
    a.signal('SIGCONT')
    const frozenMs = performance.now() - stopped
    await vi.waitUntil(() => a.said.filter(({ what }) => what === 'refused').length >= 10, often)
    await vi.waitUntil(() => a.said.some(({ what, text }) => what === 'sees' && text === 'frozen-b'), often)

    // A write may have left right before it was stopped: its answer is heard only now, before anything is refused.
    const since = a.said.slice(heard)
    const firstRefused = since.findIndex(({ what }) => what === 'refused')
    expect(since.slice(0, firstRefused).filter(({ what }) => what === 'wrote').length).toBeLessThanOrEqual(1)
    expect(since.slice(firstRefused).filter(({ what }) => what === 'wrote')).toEqual([])
    expect(await a.written()).toBe(written)
    // Its clock has counted the time in which it was stopped.
    const [before, after] = [a.said[heard - 1]?.at ?? 0, since.find(({ what }) => what === 'refused')?.at ?? 0]
    expect(after - before).toBeGreaterThan(frozenMs - 500)
    expect(b.leads()).toBe(true)
    for (const { signal } of [a, b]) signal('SIGKILL')
  })

  test('leave a Lease that is deleted by hand to the one that leads', async () => {
    const { a, b } = await two(k8s.kubeconfig, 'deleted')
    await k8s.kubectl('-n', SYSTEM, 'delete', 'lease', 'deleted')
    expect(await secondsUntil(() => a.said.filter(({ what }) => what === 'leads').length === 2)).toBeLessThan(7)
    expect(b.said.some(({ what }) => what === 'leads')).toBe(false)
    expect(await readLease('deleted')).toMatchObject({ holderIdentity: 'deleted-a' })
    for (const { signal } of [a, b]) signal('SIGKILL')
  })
})

test('a Lease without a word in it is nobody’s; one that may not be read is told of', async () => {
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'empty', labels: { by: 'hand' } },
  }
  await k8s.kubectlWithInput(JSON.stringify(lease), '-n', SYSTEM, 'create', '-f', '-')
  const problems: unknown[] = []
  const stop = new AbortController()
  const options = {
    namespace: SYSTEM,
    name: 'empty',
    identity: 'me',
    signal: stop.signal,
    onProblem: (error: unknown) => problems.push(error),
  }
  const admin = await loadCluster({ kubeconfig: k8s.kubeconfig })
  const leadership = await campaign(admin, options)
  expect(await readLease('empty')).toMatchObject({ holderIdentity: 'me', leaseTransitions: 1 })
  await leadership.release()
  expect(await readLease('empty')).toMatchObject({ holderIdentity: '' })
  const refused = campaign(operator, options)
  await vi.waitUntil(() => problems.length > 0, often)
  expect(problems).toMatchObject([{ reason: 'Forbidden' }])
  stop.abort(new Error('enough'))
  await expect(refused).rejects.toThrow('enough')
  await admin.close()
})

describe('a leader that does not know yet that it is none any more', () => {
  let count = 0
  let namespace: string
  const fresh = async () => {
    namespace = `stale-${++count}`
    await k8s.kubectl('create', 'namespace', namespace)
    return createConnector()
  }
  const path = () => `/apis/cloudapps.security/v1alpha1/namespaces/${namespace}/zendeskconnectors/acme`
  const read = async () => schema.parse(await k8s.api.request('GET', path()))
  const createConnector = async (): Promise<Connector> => {
    const spec = { endpoint: 'acme.zendesk.com', secretRef: { name: 'acme' }, sync: { sink: { stdout: {} } } }
    const body = {
      apiVersion: 'cloudapps.security/v1alpha1',
      kind: 'ZendeskConnector',
      metadata: { name: 'acme' },
      spec,
    }
    await k8s.kubectlWithInput(JSON.stringify(body), '-n', namespace, 'create', '-f', '-')
    return read()
  }
  const object = (api: string, plural: string, name: string) =>
    k8s.api.request<Served>('GET', `${api}/namespaces/${namespace}/${plural}/${name}`)
  const settings = (caBundle: string) => ({ image: 'zendesk-connector:test', logLevel: 'info', caBundle })
  const start = (connector: Connector, slot = 1, caBundle = 'PEM') =>
    startRun(operator, deaf, connector, ordersFor(connector, slot), settings(caBundle))

  test('writes no status over the next one’s', async () => {
    const seen = await fresh()
    const first: Status = { observedGeneration: 1, connection: 'Connected' }
    const shown = await patchStatus(operator, deaf, seen, first)
    const late = patchStatus(operator, deaf, seen, { observedGeneration: 1, connection: 'Error' })
    await expect(late).rejects.toMatchObject({ name: 'KubeError', reason: 'Conflict' })
    expect((await read()).status).toEqual(first)
    expect(shown).toEqual(await read())
  })

  test('and none is lost because a person changed the connector meanwhile', async () => {
    const seen = await fresh()
    const shown = await patchStatus(operator, deaf, seen, { observedGeneration: 1, connection: 'Pending' })
    await k8s.kubectl('-n', namespace, 'label', 'zdc', 'acme', 'team=security')
    await k8s.kubectl('-n', namespace, 'patch', 'zdc', 'acme', '--type=merge', '-p', '{"spec":{"suspend":true}}')
    const next: Status = { observedGeneration: 1, connection: 'Connected' }
    const written = await patchStatus(operator, deaf, shown ?? seen, next)
    expect(written).toMatchObject({ metadata: { generation: 2 }, spec: { suspend: true }, status: next })
    expect(await patchStatus(operator, deaf, written ?? seen, { ...next, connection: 'Error' })).toEqual(await read())
  })

  test('puts nothing of its own configuration in place of the next one’s, but what a person changed is mended', async () => {
    const acme = await fresh()
    await start(acme, 1, 'old bundle')
    const calls = vi.spyOn(operator, 'request')
    await start(acme, 2, 'old bundle')
    expect(calls.mock.calls.map(([method]) => method).sort()).toEqual(['GET', 'GET', 'GET', 'GET', 'GET', 'POST'])
    calls.mockRestore()

    await k8s.kubectl('-n', namespace, 'patch', 'role', syncIdentityName('acme'), '--type=merge', '-p', '{"rules":[]}')
    await k8s.kubectl('-n', namespace, 'annotate', 'serviceaccount', syncIdentityName('acme'), 'team=security')
    await start(acme, 3, 'new bundle')
    const role = await object('/apis/rbac.authorization.k8s.io/v1', 'roles', syncIdentityName('acme'))
    expect(role.rules).toMatchObject([{ resourceNames: [checkpointName('acme')] }])
    const account = await object('/api/v1', 'serviceaccounts', syncIdentityName('acme'))
    expect(account.metadata.annotations).toEqual({ team: 'security' })
    expect((await object('/api/v1', 'configmaps', egressName('acme'))).data).toEqual({ 'ca.crt': 'new bundle' })

    // The old one reads, and is stopped; the next one writes meanwhile.
    const frozen: Cluster = {
      ...operator,
      request: async (method, at, call) => {
        if (method === 'PATCH')
          await k8s.kubectl('-n', namespace, 'annotate', 'configmap', egressName('acme'), 'by=next')
        return operator.request(method, at, call)
      },
    }
    const late = startRun(frozen, deaf, acme, ordersFor(acme, 4), settings('old bundle'))
    await expect(late).rejects.toMatchObject({ reason: 'Conflict' })
    expect((await object('/api/v1', 'configmaps', egressName('acme'))).data).toEqual({ 'ca.crt': 'new bundle' })
  })

  test('starts no run of a slot that has had its Job, which is gone: it looks how the connector stands right before', async () => {
    const seen = await fresh()
    await patchStatus(operator, deaf, seen, { observedGeneration: 1, connection: 'Connected', sync: { lastSlot: 1 } })
    const view = { learn: deaf } as unknown as View
    const events = { record: async () => {}, close: () => {} }
    const port = kubernetesPort(operator, view, events, settings('PEM'), new AbortController().signal)
    await expect(port.startRun(seen, ordersFor(seen, 1))).rejects.toMatchObject({ reason: 'Conflict' })
    expect(await k8s.kubectl('-n', namespace, 'get', 'jobs,configmaps', '-l', ours, '-o', 'name')).toBe('')
    await port.startRun(await read(), ordersFor(seen, 2))
    expect(await k8s.kubectl('-n', namespace, 'get', 'jobs', '-l', ours, '-o', 'name')).not.toBe('')
  })

  test('takes nothing from a connector that was made again under the same name', async () => {
    const before = await fresh()
    await k8s.kubectl('-n', namespace, 'delete', 'zdc', 'acme')
    const acme = await createConnector()
    await start(acme)
    await expect(start(before)).rejects.toMatchObject({ reason: 'Conflict' })
    for (const [api, plural, name] of belongings) {
      const { metadata } = await object(api, plural, name)
      expect(metadata.ownerReferences).toMatchObject([{ uid: acme.metadata.uid }])
    }
    expect(await k8s.kubectl('-n', namespace, 'get', 'jobs', '-o', 'name')).not.toContain(
      jobName('acme', before.metadata.uid, 1),
    )
  })

  test('uses nothing that is not the connector’s own, and leaves it as it is', async () => {
    const acme = await fresh()
    const name = syncIdentityName('acme')
    await k8s.kubectl('-n', namespace, 'create', 'serviceaccount', name)
    await expect(start(acme)).rejects.toMatchObject({ reason: 'AlreadyExists' })
    expect((await object('/api/v1', 'serviceaccounts', name)).metadata.ownerReferences).toBeUndefined()
    expect(await k8s.kubectl('-n', namespace, 'get', 'jobs', '-o', 'name')).toBe('')
  })

  test('deletes no run in another version than it knows, and none of another uid', async () => {
    const acme = await fresh()
    await start(acme)
    const run = jobName('acme', acme.metadata.uid, 1)
    const known = (await object('/apis/batch/v1', 'jobs', run)).metadata
    const view = (version: { uid: string; resourceVersion: string } | undefined) => ({
      learn: deaf as never,
      jobVersion: () => version,
    })
    await k8s.kubectl('-n', namespace, 'annotate', 'job', run, 'seen=later')
    const now = (await object('/apis/batch/v1', 'jobs', run)).metadata
    for (const wrong of [known, { ...now, uid: acme.metadata.uid }]) {
      const late = deleteRun(operator, view(wrong), namespace, run)
      await expect(late).rejects.toMatchObject({ name: 'KubeError', reason: 'Conflict' })
    }
    await deleteRun(operator, view(undefined), namespace, run)
    expect((await object('/apis/batch/v1', 'jobs', run)).metadata.deletionTimestamp).toBeUndefined()
    await vi.waitFor(async () => {
      await deleteRun(operator, view((await object('/apis/batch/v1', 'jobs', run)).metadata), namespace, run)
    }, often)
    await vi.waitUntil(async () => (await k8s.kubectl('-n', namespace, 'get', 'jobs', '-o', 'name')) === '', {
      ...often,
      timeout: 100_000,
    })
    await deleteRun(operator, view(now), namespace, run)
  })

  type Served = {
    readonly metadata: {
      readonly uid: string
      readonly resourceVersion: string
      readonly annotations?: Readonly<Record<string, string>>
      readonly deletionTimestamp?: string
      readonly ownerReferences?: readonly { readonly uid: string }[]
    }
    readonly rules?: unknown
    readonly data?: unknown
  }
  const belongings = [
    ['/api/v1', 'serviceaccounts', syncIdentityName('acme')],
    ['/apis/rbac.authorization.k8s.io/v1', 'roles', syncIdentityName('acme')],
    ['/apis/rbac.authorization.k8s.io/v1', 'rolebindings', syncIdentityName('acme')],
    ['/api/v1', 'configmaps', checkpointName('acme')],
    ['/api/v1', 'configmaps', egressName('acme')],
  ] as const

  function ordersFor({ metadata, spec }: Connector, slot: number): RunOrders {
    return {
      namespace,
      connector: metadata.name,
      displayName: metadata.name,
      run: jobName(metadata.name, metadata.uid, slot),
      slot,
      endpoint: spec.endpoint,
      requestsPerMinute: 200,
      lookbackSeconds: 60,
      streams: ['Users'],
      sink: { kind: 'stdout' },
      checkpoint: checkpointName(metadata.name),
      sliceSeconds: 3600,
      spent: [],
      redact: [],
    }
  }
})
