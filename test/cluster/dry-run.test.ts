/**
 * The API server's own dry run takes every manifest that we hand out, and has nothing to remark: no deprecated version, no
 * pod that `restricted` would refuse, no field that it does not know. To be run on each Kubernetes that we promise, which
 * takes a minute: `npm run test:cluster -- --kubernetes 1.37 test/cluster/dry-run.test.ts`.
 */
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { everything, least } from '../support/chart-values.ts'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { chosenRelease } from '../support/cluster/releases.ts'
import { foreignCrds } from '../support/foreign-crds.ts'
import { buildHelm, manifestsIn, rendered, renderedText } from '../support/helm.ts'

const root = join(import.meta.dirname, '..', '..')
const system = 'zendesk-connector-system'

let cluster: Cluster
beforeAll(async () => {
  const [started, crds] = await Promise.all([
    startCluster({ name: 'dry-run', images: {}, node: 'none' }),
    foreignCrds(),
    buildHelm(),
  ])
  cluster = started
  const ours = join(root, 'crds', 'zendeskconnectors.yaml')
  await cluster.kubectl('apply', '--server-side', ...[...crds, ours].flatMap((file) => ['-f', file]))
  for (const namespace of [system, 'security', 'sales', 'flux-system', 'argocd']) {
    await cluster.kubectl('create', 'namespace', namespace)
    const levels = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
    await cluster.kubectl('label', 'namespace', namespace, ...levels)
  }
  await cluster.kubectl('create', 'priorityclass', 'high', '--value=1000')
  // kubectl gives up on one that has no status at all yet.
  const established = () => cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
  await vi.waitFor(established, { timeout: 60_000, interval: 100 })
})
afterAll(() => cluster?.stop())

/**
 * The text goes there as it is: who reads it and writes it again may quote other words than Kubernetes wants quoted. What
 * stands there already may be somebody else's, which is not what is asked.
 */
async function expectTaken(yaml: string): Promise<void> {
  const how = ['--server-side', '--dry-run=server', '--force-conflicts', '--warnings-as-errors']
  const said = await cluster.kubectlWithInput(yaml, 'apply', ...how, '-f', '-')
  expect(said.trim().split('\n')).toHaveLength(manifestsIn(yaml).length)
}

test('it is the Kubernetes that was asked for', async () => {
  expect(await cluster.kubectl('version')).toMatch(
    new RegExp(`Client Version: v${chosenRelease()}[^]*Server Version: v${chosenRelease()}`),
  )
})

test.each([
  ['as it is', {}],
  ['with everything switched on', everything],
  ['with a CA bundle that is there already', { caBundleConfigMap: { name: 'company-ca' }, fullnameOverride: 'zdc' }],
  ['with everything left out', { ...least, watchNamespaces: ['security'] }],
])('the chart %s', async (_name, values) => {
  const yaml = await renderedText(values)
  const manifests = manifestsIn(yaml)
  expect(manifests.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['Deployment', 'Pod']))
  // A pod is admitted only where its service account is.
  const accounts = manifests.filter(({ kind }) => kind === 'ServiceAccount').map((one) => JSON.stringify(one))
  await cluster.kubectlWithInput(accounts.join('\n---\n'), 'apply', '-f', '-')
  await expectTaken(yaml)
})

test('its pods as the Deployment makes them', async () => {
  const { spec } = (await rendered(everything)).find(({ kind }) => kind === 'Deployment') ?? expect.fail('none')
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: system }, spec: spec.template.spec }
  await expectTaken(JSON.stringify(pod))
  const open = { ...pod, spec: { ...pod.spec, securityContext: {} } }
  await expect(expectTaken(JSON.stringify(open))).rejects.toThrow(/violates PodSecurity "restricted/)
})

const yamlFiles = (await Promise.all(['deploy', 'examples', 'gitops'].map(filesIn))).flat()
const kustomizations = yamlFiles.filter((file) => basename(file) === 'kustomization.yaml').map(dirname)

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(join(root, folder), { recursive: true })
  return names.filter((name) => name.endsWith('.yaml')).map((name) => join(folder, name))
}

test.each(kustomizations)('what kustomize makes of %s', async (folder) => {
  await expectTaken(await cluster.kubectl('kustomize', join(root, folder)))
})

// What is a kustomization's may be whole only with it.
test.each(yamlFiles.filter((file) => !kustomizations.includes(dirname(file))))('%s', async (file) => {
  await expectTaken(await readFile(join(root, file), 'utf8'))
})

test('a manifest that the API server has something to say of is not taken', async () => {
  const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'x', namespace: 'security' } }
  await expect(expectTaken(JSON.stringify(endpoints))).rejects.toThrow(/deprecated/)
})
