/** The README's way to use it: `kubectl apply -k deploy`, then the examples. The operator runs as a Deployment's pod. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Stage, startStage } from '../support/stage.ts'

const root = join(import.meta.dirname, '..', '..')
const system = 'zendesk-connector-system'

const deploy = join(root, 'deploy')

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'install' })
})
afterAll(() => stage?.stop())

test('installed from deploy/, behind a company’s proxy and CA, the examples are Connected and synced', async () => {
  const { cluster, simulator } = stage
  simulator.account('acme')
  await cluster.kubectl('apply', '-k', deploy)
  await expectNoDrift()
  // Pods of the process node share the ports of one machine.
  const args = ['operator', '--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0']
  const patch = [{ op: 'replace', path: '/spec/template/spec/containers/0/args', value: args }]
  await cluster.kubectl(
    'patch',
    'deployment/zendesk-connector',
    '-n',
    system,
    '--type=json',
    '-p',
    JSON.stringify(patch),
  )
  const egress = [`HTTPS_PROXY=${simulator.proxyUrl}`, `NODE_EXTRA_CA_CERTS=${simulator.caFile}`]
  await cluster.kubectl('set', 'env', 'deployment/zendesk-connector', '-n', system, ...egress)
  await cluster.kubectl('rollout', 'status', 'deployment/zendesk-connector', '-n', system, '--timeout=60s')
  const example = (name: string) => ['-f', join(root, 'examples', `${name}.yaml`)]
  await cluster.kubectl('apply', ...example('namespace'), ...example('secrets'), ...example('file-sink'))
  await cluster.kubectl('wait', '-n', 'security', '--for=condition=Ready', 'zdc/acme', '--timeout=60s')
  const { status } = await stage.until('acme', (one) => one.status?.sync?.lastRun !== undefined, { seconds: 60 })
  expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 239 })
  expect(await stage.records('zendesk-data', 'acme', 'Users')).toHaveLength(25)

  // Two replicas, of which one leads; a leader that is stopped gives the Lease back, and whoever is next goes on.
  const ready = ['get', 'deployment/zendesk-connector', '-n', system, '-o', 'jsonpath={.status.readyReplicas}']
  expect(await cluster.kubectl(...ready)).toBe('2')
  const budget = await cluster.kubectl(
    'get',
    'pdb',
    '-n',
    system,
    '-o',
    'jsonpath={.items[*].status.disruptionsAllowed}',
  )
  expect(budget).toBe('1')
  const lease = () =>
    cluster.kubectl('get', 'lease', 'zendesk-connector', '-n', system, '-o', 'jsonpath={.spec.holderIdentity}')
  const before = await lease()
  expect(before).toMatch(/^.+_[0-9a-f-]{36}$/)
  await cluster.kubectl('rollout', 'restart', 'deployment/zendesk-connector', '-n', system)
  await vi.waitUntil(async () => ![before, ''].includes(await lease()), { timeout: 20_000, interval: 100 })
  await cluster.kubectl('annotate', '-n', 'security', 'zdc/acme', 'cloudapps.security/sync-requested-at=now')
  await stage.until('acme', (one) => one.status.sync.lastRun.id !== status.sync.lastRun.id, { seconds: 60 })
})

/** Applied again, server-side and by two others, what stands there stays as it is. */
async function expectNoDrift() {
  const { kubectl } = stage.cluster
  const standing = async () => {
    const { items } = JSON.parse(await kubectl('get', '-k', deploy, '-o', 'json'))
    // Of metadata and status what is left out is others' to write.
    return items.map(({ metadata, status: _, ...rest }: { metadata: Record<string, unknown>; status: unknown }) => {
      const { uid, labels, ownerReferences } = metadata
      return { ...rest, uid, labels, ownerReferences }
    })
  }
  const before = await standing()
  expect(before.length).toBeGreaterThan(5)
  for (const manager of ['argocd-controller', 'kustomize-controller', 'argocd-controller']) {
    await kubectl('apply', '--server-side', `--field-manager=${manager}`, '-k', deploy)
    expect(await standing()).toEqual(before)
  }
}
