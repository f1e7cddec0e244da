/**
 * The chart on a real API server: what helm installs into a namespace that enforces `restricted` works, drifts nowhere, and
 * leaves the connectors behind when it goes. What its dry run says of it stands in dry-run.test.ts.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { stringify } from 'yaml'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { foreignCrds } from '../support/foreign-crds.ts'
import { buildGitops } from '../support/gitops.ts'
import { buildHelm, CHART, helm, type Manifest, manifestsIn, rendered } from '../support/helm.ts'
import { judgeStatuses } from '../support/status-judge.ts'
import { auditedStatuses, livesIn } from '../support/statuses.ts'

const root = join(import.meta.dirname, '..', '..')
const system = 'zendesk-connector-system'
const RELEASE = 'zendesk-connector'

let cluster: Cluster
let simulator: Simulator
/** Zendesk's side of the connector that the examples make. */
let account: ReturnType<Simulator['account']>
/** Values of the installation: behind a company's proxy and CA, with ports that pods of one machine can share. */
let values: object

/** All that a platform team may say of sync pods. */
const SYNC = {
  resources: { requests: { cpu: '10m' }, limits: { memory: '512Mi' } },
  imagePullSecrets: ['registry'],
  nodeSelector: { 'kubernetes.io/os': process.platform },
  tolerations: [{ key: 'batch', operator: 'Exists', effect: 'NoSchedule' }],
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: {} } },
      ],
    },
  },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: {} },
  ],
  priorityClassName: 'batch-low',
  runtimeClassName: 'sandbox',
  labels: { 'sidecar.istio.io/inject': 'false' },
  annotations: { 'linkerd.io/inject': 'disabled' },
}
const CLASSES = `
{ apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: { name: batch-low }, value: -10 }
---
{ apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: { name: sandbox }, handler: runc }
`

beforeAll(async () => {
  const [started, simulated, crds] = await Promise.all([
    startCluster({
      name: 'chart',
      auditRules: auditedStatuses,
      images: { 'zendesk-connector:0.1.0': [process.execPath, join(root, 'src', 'main.ts')] },
    }),
    startSimulator(),
    foreignCrds(),
    buildHelm(),
    buildGitops(),
  ])
  cluster = started
  simulator = simulated
  account = simulator.account('acme')
  await cluster.kubectlWithInput(CLASSES, 'apply', '-f', '-')
  await cluster.kubectl('apply', '--server-side', ...crds.flatMap((file) => ['-f', file]))
  for (const namespace of [system, 'security', 'sales', 'flux-system', 'argocd']) {
    await cluster.kubectl('create', 'namespace', namespace)
    await cluster.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted')
  }
  // kubectl gives up on one that has no status at all yet.
  const established = () => cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
  await vi.waitFor(established, { timeout: 60_000, interval: 100 })
  values = {
    watchNamespaces: ['security'],
    httpsProxy: simulator.proxyUrl,
    caBundle: await readFile(simulator.caFile, 'utf8'),
    extraArgs: ['--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0'],
    sync: SYNC,
  }
})
afterAll(async () => {
  await simulator?.stop()
  await cluster?.stop()
})

const yamlOf = (manifests: readonly object[]) => manifests.map((one) => stringify(one)).join('---\n')
const release = (command: string, ...args: string[]) =>
  helm(
    [command, RELEASE, ...args, '--namespace', system, '--kubeconfig', cluster.kubeconfig, '--timeout', '90s'],
    JSON.stringify(values),
  )
const withValues = [CHART, '--values', '-', '--wait']

const syncNow = (id: string) =>
  cluster.kubectl('annotate', '-n', 'security', 'zdc/acme', '--overwrite', `cloudapps.security/sync-requested-at=${id}`)

/** As it is in the cluster, without what each write changes. */
async function now({ apiVersion, kind, metadata }: Manifest) {
  const [group] = apiVersion.includes('/') ? apiVersion.split('/') : ['']
  const type = group ? `${kind}.${apiVersion.split('/')[1]}.${group}` : kind
  const namespace = metadata.namespace ? ['-n', metadata.namespace] : []
  const found = JSON.parse(await cluster.kubectl('get', type, metadata.name, ...namespace, '-o', 'json'))
  const { resourceVersion, managedFields: _, ...rest } = found.metadata
  const { status: __, ...object } = found
  return { resourceVersion: resourceVersion as string, object: { ...object, metadata: rest } }
}

/** Applies what stands there already, as two others would: nothing may change, and nobody may be in another's way. */
async function expectNoDrift(manifests: readonly Manifest[]) {
  const before = await Promise.all(manifests.map(now))
  const apply = (by: string) =>
    cluster.kubectlWithInput(yamlOf(manifests), 'apply', '--server-side', `--field-manager=${by}`, '-f', '-')
  await apply('argocd-controller')
  await apply('kustomize-controller')
  const twice = await Promise.all(manifests.map(now))
  expect(twice.map(({ object }) => object)).toEqual(before.map(({ object }) => object))
  await apply('argocd-controller')
  const again = await Promise.all(manifests.map(now))
  expect(again).toEqual(twice)
}

describe('installed with helm, behind a company’s proxy and CA', () => {
  test('the operator is at work, `helm test` says so, and an example is Connected and synced', async () => {
    const began = performance.now()
    const notes = await release('install', ...withValues)
    expect(notes).toContain('serves the namespaces security')
    const example = (name: string) => ['-f', join(root, 'examples', `${name}.yaml`)]
    await cluster.kubectl('apply', '--server-side', ...example('secrets'), ...example('file-sink'))
    await cluster.kubectl('wait', '-n', 'security', '--for=condition=Ready', 'zdc/acme', '--timeout=60s')
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    process.stderr.write(`From helm install to Connected on the process node: ${seconds} s\n`)
    const told = await release('test', '--logs')
    expect(told).toMatch(/ok: an operator leads: \S+_[0-9a-f-]{36}\n/)
    expect(told).toMatch(/ok: the operator has read the Secret: SecretKeyMissing/)
    await cluster.kubectl(
      'wait',
      '-n',
      'security',
      '--for=jsonpath={.status.sync.lastRun.result}=Succeeded',
      'zdc/acme',
      '--timeout=60s',
    )
  })

  test('the API server keeps the CRD word for word', async () => {
    const crd = (await rendered(values)).find(({ kind }) => kind === 'CustomResourceDefinition')
    const { object } = await now(crd ?? expect.fail('there is no CRD'))
    expect(object.spec.versions).toEqual(crd?.spec.versions)
  })

  test('sync pods are as the platform team says; a change of that is for the next run, and no reason to start one', async () => {
    type Pod = { readonly metadata: object; readonly spec: object }
    type Job = { readonly metadata: { readonly uid: string; readonly name: string }; readonly spec: { template: Pod } }
    const ofSlot = async <T>(kind: string, slot: number): Promise<T[]> => {
      const selector = `cloudapps.security/connector=acme,cloudapps.security/slot=${slot}`
      return JSON.parse(await cluster.kubectl('get', kind, '-n', 'security', '-l', selector, '-o', 'json')).items
    }
    const acme = async () => JSON.parse(await cluster.kubectl('get', 'zdc', 'acme', '-n', 'security', '-o', 'json'))
    const until = (holds: (status: Manifest['status']) => unknown) =>
      expect.poll(async () => holds((await acme()).status), { timeout: 60_000, interval: 100 }).toBeTruthy()

    const { resources: _, imagePullSecrets, labels, annotations, ...placement } = SYNC
    const spec = {
      ...placement,
      imagePullSecrets: imagePullSecrets.map((name) => ({ name })),
      tolerations: expect.arrayContaining(placement.tolerations),
      containers: [
        { resources: { requests: { cpu: '10m', memory: '128Mi' }, limits: { memory: '512Mi' } }, name: 'sync' },
      ],
    }
    const first = (await acme()).status.sync.lastSlot as number
    const [ran] = await ofSlot<Job>('jobs', first)
    expect(ran?.spec.template).toMatchObject({ metadata: { labels, annotations }, spec })

    const busy = account.addFault({
      path: 'audit_logs.+size.+100',
      effect: { kind: 'status', status: 503, retryAfter: 1 },
    })
    await syncNow('before')
    await until(({ sync }) => sync.lastSlot === first + 1 && sync.activeRun !== undefined)
    const [underWay] = await ofSlot<Job>('jobs', first + 1)
    values = { ...values, sync: { ...SYNC, labels: { 'sidecar.istio.io/inject': 'never' } } }
    const lease = () =>
      cluster.kubectl('get', 'lease', 'zendesk-connector', '-n', system, '-o', 'jsonpath={.spec.holderIdentity}')
    const leader = await lease()
    await release('upgrade', ...withValues)
    await expect.poll(lease, { timeout: 30_000 }).not.toMatch(new RegExp(`^(${leader})?$`))
    expect((await acme()).status.sync.activeRun).toBeDefined()
    account.removeFault(busy)
    const ended = (slot: number) => until(({ sync }) => sync.lastSlot === slot && sync.activeRun === undefined)
    await ended(first + 1)
    expect((await acme()).status.sync.lastRun).toMatchObject({ result: 'Succeeded' })
    const [after] = await ofSlot<Job>('jobs', first + 1)
    expect([after?.metadata.uid, after?.spec]).toEqual([underWay?.metadata.uid, underWay?.spec])
    expect(await ofSlot<Pod>('pods', first + 1)).toHaveLength(1)

    await syncNow('after')
    await ended(first + 2)
    const [pod] = await ofSlot<Pod>('pods', first + 2)
    expect(pod).toMatchObject({
      metadata: { labels: { 'sidecar.istio.io/inject': 'never' } },
      spec: { ...spec, priority: -10 },
    })
  })

  test('nothing drifts: whoever applies the same once more changes nothing', async () => {
    const isOurs = ({ metadata }: Manifest) => metadata.annotations?.['helm.sh/hook'] === undefined
    await expectNoDrift((await rendered(values)).filter(isOurs))
    const example = manifestsIn(await readFile(join(root, 'examples', 'file-sink.yaml'), 'utf8'))
    await expectNoDrift(example)
    const pods = () => cluster.kubectl('get', 'pods', '-n', system, '-o', 'name')
    const before = await pods()
    await release('upgrade', ...withValues)
    expect(await pods()).toBe(before)
  })

  test('who may view or edit a namespace may do the same to its connectors, and nobody else', async () => {
    await cluster.kubectl('create', 'rolebinding', 'viewers', '-n', 'security', '--clusterrole=view', '--user=vera')
    await cluster.kubectl('create', 'rolebinding', 'editors', '-n', 'security', '--clusterrole=edit', '--user=eddi')
    const may = async (user: string, verb: string, what = 'zendeskconnectors', subresource = '') => {
      const args = ['auth', 'can-i', verb, what, `--subresource=${subresource}`, '-n', 'security', '--as', user]
      return (await cluster.kubectl(...args).catch((error: Error) => error.message)).includes('yes')
    }
    await expect.poll(() => may('vera', 'list'), { timeout: 10_000 }).toBe(true)
    await expect.poll(() => may('eddi', 'create'), { timeout: 10_000 }).toBe(true)
    expect(await may('vera', 'create')).toBe(false)
    expect(await may('eddi', 'patch', 'zendeskconnectors', 'status')).toBe(false)
    expect(await may('nina', 'get')).toBe(false)
    const operator = `system:serviceaccount:${system}:zendesk-connector`
    expect(await may(operator, 'get', 'secrets')).toBe(true)
    const elsewhere = ['auth', 'can-i', 'get', 'secrets', '-n', 'sales', '--as', operator]
    await expect(cluster.kubectl(...elsewhere)).rejects.toThrow()
  })

  test('every status that was ever written is right, and Argo CD and Flux show what is so', async () => {
    const lives = await livesIn(cluster.auditLog)
    expect(lives.flatMap(({ versions }) => versions).length).toBeGreaterThan(3)
    await judgeStatuses(cluster)
  })

  test('uninstalled, it leaves the connectors; installed again, it takes them up', async () => {
    await release('uninstall', '--wait')
    expect(await cluster.kubectl('get', 'zdc', '-n', 'security', '-o', 'name')).toContain('/acme')
    const mine = await cluster.kubectl('get', 'all,roles,rolebindings,networkpolicies,pdb', '-n', system, '-o', 'name')
    const left = mine
      .trim()
      .split('\n')
      .filter((name) => !name.includes('/zendesk-connector-test'))
    expect(left).toEqual([])
    await release('install', ...withValues)
    await syncNow('again')
    await cluster.kubectl(
      'wait',
      '-n',
      'security',
      '--for=jsonpath={.status.lastHandledSyncRequest}=again',
      'zdc/acme',
      '--timeout=60s',
    )
  })
})
