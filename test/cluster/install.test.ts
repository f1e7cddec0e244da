/** The README's way to use it: `kubectl apply -k deploy`, then the examples. The operator runs as a Deployment's pod. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stage, startStage } from '../support/stage.ts'

const root = join(import.meta.dirname, '..', '..')
const system = 'zendesk-connector-system'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'install' })
})
afterAll(() => stage?.stop())

test('installed from deploy/, behind a company’s proxy and CA, the examples are Connected and synced', async () => {
  const { cluster, simulator } = stage
  simulator.account('acme')
  await cluster.kubectl('apply', '-k', join(root, 'deploy'))
  const egress = [`HTTPS_PROXY=${simulator.proxyUrl}`, `NODE_EXTRA_CA_CERTS=${simulator.caFile}`]
  await cluster.kubectl('set', 'env', 'deployment/zendesk-connector', '-n', system, ...egress)
  await cluster.kubectl('rollout', 'status', 'deployment/zendesk-connector', '-n', system, '--timeout=60s')
  const example = (name: string) => ['-f', join(root, 'examples', `${name}.yaml`)]
  await cluster.kubectl('apply', ...example('namespace'), ...example('file-sink'))
  await cluster.kubectl('wait', '-n', 'security', '--for=condition=Ready', 'zdc/acme', '--timeout=60s')
  const { status } = await stage.until('acme', (one) => one.status?.sync?.lastRun !== undefined, { seconds: 60 })
  expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 239 })
  expect(await stage.records('zendesk-data', 'acme', 'Users')).toHaveLength(25)
})
