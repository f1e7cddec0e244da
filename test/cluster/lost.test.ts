/**
 * A node that is cut off under a run while its Node object stays: nobody says that the pod has ended, and nobody waits for it
 * for ever.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { runEnded } from '../support/records.ts'
import { type Served, type Stage, startStage } from '../support/stage.ts'

const ACCOUNT = 'shared'
const spec = { sync: { interval: '168h', streams: ['AuditLogs'], sink: { stdout: {} } } }

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'lost' })
  await stage.startOperator()
})
afterAll(() => stage?.stop())

type Pod = {
  metadata: { name: string; deletionTimestamp?: string }
  spec: { nodeName?: string }
  status: { phase: string }
}

async function pods(): Promise<Pod[]> {
  const path = '/api/v1/namespaces/security/pods?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dzendesk-connector'
  return (await stage.cluster.api.request<{ items: Pod[] }>('GET', path)).items
}

const condition = ({ status }: Served, wanted: string) =>
  status?.conditions?.find(({ type }: { type: string }) => type === wanted)

test('its run is given up and says why, sends nothing when it comes back, and the next one and those of the account go on', async () => {
  const { cluster, simulator } = stage
  const account = simulator.account(ACCOUNT, { activities: { lastSevenDays: 300 } })
  account.addFault({ path: 'audit_logs.+size.+100', effect: { kind: 'latency', milliseconds: 9_000 } })
  const manifests = (name: string) => [
    secretYaml(name, { clientId: 'zendesk-connector', clientSecret: `${ACCOUNT}-secret` }),
    connectorYaml({ name, endpoint: `${ACCOUNT}.zendesk.com`, spec }),
  ]
  await stage.apply(documents(...manifests('heron')))
  await expect.poll(async () => (await pods())[0]?.status.phase, { timeout: 60_000 }).toBe('Running')
  await stage.until('heron', ({ status }) => status.sync?.activeRun?.progress !== undefined, { seconds: 60 })
  await stage.apply(documents(...manifests('otter')))
  const lost = (await pods())[0]?.metadata.name ?? ''
  const pid = await cluster.podProcess('security', lost)
  await cluster.addNode('node-2')
  process.kill(cluster.node?.pid ?? 0, 'SIGKILL')
  process.kill(pid, 'SIGSTOP')
  account.clearFaults()
  // What the control plane does after five minutes.
  await cluster.kubectl('-n', 'security', 'delete', 'pod', lost, '--grace-period=1', '--wait=false')

  const given = await stage.until('heron', ({ status }) => status.sync?.lastRun !== undefined, { seconds: 120 })
  expect(given.status.sync.lastRun).toMatchObject({
    result: 'Failed',
    reason: 'RunFailed',
    message: expect.stringContaining('does not answer'),
  })
  expect(condition(given, 'Ready')).toMatchObject({ status: 'False', reason: 'RunFailed' })

  // It comes back, and would go on if it could renew its checkpoint.
  const pages = () => account.ledger.requests('audit_logs.+size.+100').length
  const before = pages()
  process.kill(pid, 'SIGCONT')
  await stage.until('otter', ({ status }) => status.sync?.activeRun !== undefined, { seconds: 180 })
  expect(pages()).toBe(before)
  await stage.until('otter', runEnded(1), { seconds: 180 })
  await cluster.kubectl('-n', 'security', 'annotate', 'zdc', 'heron', 'cloudapps.security/sync-requested-at=now')
  const cured = await stage.until('heron', runEnded(2), { seconds: 180 })
  expect(condition(cured, 'Ready')).toMatchObject({ status: 'True' })
  // The lost pod still is where it was.
  const left = (await pods()).find(({ metadata }) => metadata.name === lost)
  expect([left?.metadata.deletionTimestamp, left?.status.phase]).toEqual([expect.any(String), 'Running'])
}, 480_000)
