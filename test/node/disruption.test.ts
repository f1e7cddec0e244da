/**
 * Bad days of a node: pods that are deleted, drained away or killed for want of memory, a kubelet that dies, an image that
 * is not there. Whatever happens, the records are whole in the end, and the connector says what there is to do.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { runningSyncPod, syncPods } from '../support/node/pods.ts'
import { type NodeStage, startNodeStage } from '../support/node/stage.ts'
import { expectAllActivities, expectAllUsers } from '../support/node/whole.ts'
import { runEnded } from '../support/records.ts'
import type { Served } from '../support/stage.ts'

const ACTIVITIES = 3_000
/** A run after one that has died waits for up to 75 s. */
const AFTER_A_DEATH = 240

/** A second installation, for what concerns a whole one. */
const elsewhere = { namespace: 'zendesk-connector-sales' }
const ofSales = { watchNamespaces: ['sales'], crds: { install: false }, rbac: { aggregate: false } }

let stage: NodeStage
let sales: Account
beforeAll(async () => {
  stage = await startNodeStage('disruption', ['security', 'sales', elsewhere.namespace])
  await stage.release('install')
  // Told after five minutes, so it is begun first.
  await stage.release('install', { ...ofSales, extraArgs: ['--image=localhost/absent:1'] }, elsewhere)
  sales = await connector('sales', 'sales')
})
afterAll(() => stage?.stop())

/** A connector and its account; its first run begins at once. */
async function connector(name: string, namespace = 'security'): Promise<Account> {
  const account = stage.simulator.account(name, {
    users: { count: 300, exportPageSize: 100 },
    activities: { lastSevenDays: ACTIVITIES },
  })
  const sync = { interval: '168h', streams: ['Users', 'AuditLogs'], sink: { file: { claimName: name } } }
  const yaml = [claimYaml(name, namespace), secretYaml(name, undefined, namespace)]
  await stage.apply(documents(...yaml, connectorYaml({ name, namespace, spec: { sync } })))
  return account
}

/** Brings a run into its midst, does something to it, and waits until the run has ended well with everything there. */
async function disturb(name: string, disturbance: (pod: string, container: string) => Promise<void>) {
  const account = await connector(name)
  const slowness = account.addFault({ path: 'audit_logs', effect: { kind: 'latency', milliseconds: 1_500 } })
  const pod = await runningSyncPod(stage.cluster, name)
  const pages = () => account.ledger.requests('audit_logs.+size.+100').length
  await vi.waitUntil(() => pages() > 5, { timeout: 60_000, interval: 50 })
  const [container] = pod.status.containerStatuses
  await disturbance(pod.metadata.name, container?.containerID?.replace('containerd://', '') ?? '')
  account.removeFault(slowness)
  // A pod that is asked to end publishes what it has, and the next run goes on at once.
  const isDone = ({ status: { sync } }: Served) => sync.activeRun === undefined && sync.lastRun?.result === 'Succeeded'
  const { status } = await stage.until(name, isDone, { seconds: AFTER_A_DEATH })
  await expectEverything(account, name)
  return { pod, runs: status.sync.lastSlot }
}

async function expectEverything(account: Account, name: string, namespace = 'security') {
  expectAllUsers(account, await stage.records(name, name, 'Users', namespace))
  expectAllActivities(account, await stage.records(name, name, 'AuditLogs', namespace), ACTIVITIES)
  expect(account.ledger.maxInAnyWindow(60_000)).toBeLessThanOrEqual(200)
}

test('the pod of a run is deleted: it ends in order, and the next run goes on at once', {
  timeout: 400_000,
}, async () => {
  const began = performance.now()
  const { runs } = await disturb('deleted', async (name) => {
    await stage.cluster.kubectl('delete', 'pod', '-n', 'security', name)
  })
  expect(runs).toBe(2)
  expect(performance.now() - began).toBeLessThan(60_000)
})

test('its container is killed: another pod of the same Job goes on', { timeout: 400_000 }, async () => {
  const { runs, pod } = await disturb('killed', async (_, container) => {
    await stage.cluster.machine.run('ctr', '--namespace', 'k8s.io', 'task', 'kill', '--signal', 'SIGKILL', container)
  })
  expect(runs).toBe(1)
  const pods = await syncPods(stage.cluster, 'killed')
  expect(pods.map(({ status }) => status.phase)).toEqual(['Failed', 'Succeeded'])
  expect(pods[0]?.metadata.uid).toBe(pod.metadata.uid)
})

test('its node is drained: the run goes on as soon as there is a node again', { timeout: 400_000 }, async () => {
  const { cluster } = stage
  await disturb('drained', async () => {
    const only = ['--pod-selector=cloudapps.security/connector=drained', '--force', '--timeout=60s']
    await cluster.kubectl('drain', cluster.machine.name, ...only)
    const waits = async () => (await syncPods(cluster, 'drained')).some(({ status }) => status.phase === 'Pending')
    await vi.waitUntil(waits, { timeout: 60_000, interval: 200 })
    await cluster.kubectl('uncordon', cluster.machine.name)
  })
})

test('the kubelet dies in the midst of a run and comes back: the run does not notice', {
  timeout: 400_000,
}, async () => {
  const { pod } = await disturb('orphaned', async () => {
    await stage.cluster.kubelet.kill()
    await stage.cluster.kubelet.startAgain()
  })
  expect((await syncPods(stage.cluster, 'orphaned')).map(({ metadata }) => metadata.uid)).toEqual([pod.metadata.uid])
})

test('its image is not there: RunNotStarted says so, and with the right image it runs', {
  timeout: 600_000,
}, async () => {
  const { status } = await stage.until('sales', ({ status }) => status?.sync?.lastRun !== undefined, {
    namespace: 'sales',
    seconds: 400,
  })
  expect(status.connection).toBe('Connected')
  expect(status.sync.lastRun).toMatchObject({ result: 'Failed', reason: 'RunNotStarted', requests: 0 })
  expect(status.sync.lastRun.message).toMatch(
    /^The run's pod did not start \((ErrImagePull|ImagePullBackOff): .*localhost\/absent:1.*\): fix the cause; the next run starts at the next interval\.$/,
  )
  await stage.release('upgrade', ofSales, elsewhere)
  const slot = await stage.requestRun('sales', 'sales')
  await stage.until('sales', runEnded(slot), { namespace: 'sales', seconds: 60 })
  await expectEverything(sales, 'sales', 'sales')
})

test('it has far too little memory: the pod says OOMKilled and the connector what to do', {
  timeout: 600_000,
}, async () => {
  const memory = '20Mi'
  const sync = { resources: { requests: { memory }, limits: { memory } } }
  await stage.release('upgrade', { ...ofSales, sync }, elsewhere)
  const slot = await stage.requestRun('sales', 'sales')
  const { status } = await stage.until('sales', runEnded(slot), { namespace: 'sales', seconds: 400 })
  expect(status.sync.lastRun).toMatchObject({ result: 'Failed', reason: 'RunFailed' })
  expect(status.sync.lastRun.message).toMatch(/OOMKilled.*sync\.resources of the chart/)
  const pods = await syncPods(stage.cluster, 'sales', 'sales')
  const last = pods.at(-1)?.status.containerStatuses[0]?.state.terminated
  expect(last).toMatchObject({ exitCode: 137, reason: 'OOMKilled' })

  await stage.release('upgrade', ofSales, elsewhere)
  const next = await stage.requestRun('sales', 'sales')
  await stage.until('sales', runEnded(next), { namespace: 'sales', seconds: AFTER_A_DEATH })
  await expectEverything(sales, 'sales', 'sales')
})
