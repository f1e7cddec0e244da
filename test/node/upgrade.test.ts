/** A release's life: upgraded with a run under way, uninstalled, installed again. No record is lost or repeated. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import type { Account } from '../simulator/account.ts'
import { CHART } from '../support/helm.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { runningSyncPod, syncPods } from '../support/node/pods.ts'
import { type NodeStage, SYSTEM, startNodeStage } from '../support/node/stage.ts'
import { expectAllActivities, expectAllUsers } from '../support/node/whole.ts'
import { runEnded } from '../support/records.ts'

const ACTIVITIES = 2_000
const name = 'acme'
const PREVIOUS = 'localhost/zendesk-connector:previous'

/** Within a version of the CRD. */
const NEW_FIELD = ['schema', 'openAPIV3Schema', 'properties', 'spec', 'properties', 'displayName']

let stage: NodeStage
let account: Account
/** The chart as the release before had it: another version, of another image, whose CRD lacks a field. */
let previousChart: string

beforeAll(async () => {
  stage = await startNodeStage('upgrade')
  await stage.cluster.containerd.tag(inject('image').reference, PREVIOUS)
  previousChart = await mkdtemp(join(tmpdir(), 'zendesk-connector-previous-chart-'))
  await cp(CHART, previousChart, { recursive: true })
  const file = join(previousChart, 'Chart.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replaceAll(/^(version|appVersion): .*$/gm, '$1: 0.0.9'))
  const crd = join(previousChart, 'files', 'zendeskconnectors.yaml')
  const document = parseDocument(await readFile(crd, 'utf8'))
  expect(document.deleteIn(['spec', 'versions', 0, ...NEW_FIELD])).toBe(true)
  await writeFile(crd, document.toString())
  account = stage.simulator.account(name, {
    users: { count: 300, exportPageSize: 100 },
    activities: { lastSevenDays: ACTIVITIES },
  })
})
afterAll(async () => {
  if (previousChart) await rm(previousChart, { recursive: true })
  await stage?.stop()
})

/** Whether the API server knows the field. */
const knowsNewField = async () => {
  const text = await stage.cluster.kubectl('get', 'crd', 'zendeskconnectors.cloudapps.security', '-o', 'json')
  return parseDocument(text).hasIn(['spec', 'versions', 0, ...NEW_FIELD])
}
const records = (stream: string) => stage.records(name, name, stream)
const segments = async (stream: string) => {
  const files = await readdir(join(stage.cluster.claim('security', name), 'security', name, stream))
  return files.filter((file) => file.endsWith('.ndjson.gz')).sort()
}

test('upgraded, CRD and all, with a run under way: that run ends as it began, and the next one is of the new image', async () => {
  const image = { repository: 'localhost/zendesk-connector', tag: 'previous' }
  await stage.release('install', { image }, { chart: previousChart })
  const slowness = account.addFault({ path: 'audit_logs', effect: { kind: 'latency', milliseconds: 3_000 } })
  const sync = { interval: '168h', streams: ['Users', 'AuditLogs'], sink: { file: { claimName: name } } }
  await stage.apply(documents(claimYaml(name), secretYaml(name), connectorYaml({ name, spec: { sync } })))
  const before = await runningSyncPod(stage.cluster, name)
  await vi.waitUntil(() => account.ledger.requests('audit_logs.+size.+100').length > 3, { timeout: 60_000 })
  expect(await knowsNewField()).toBe(false)
  await stage.release('upgrade')
  expect(await knowsNewField()).toBe(true)
  const { status } = await stage.get(name)
  expect(status.sync.activeRun).toBeDefined()
  account.removeFault(slowness)
  const ended = await stage.until(name, runEnded(1), { seconds: 90 })
  expect(ended.status.sync.lastRun).toMatchObject({ result: 'Succeeded' })
  const [pod, ...more] = await syncPods(stage.cluster, name)
  expect(more).toEqual([])
  expect(pod?.metadata.uid).toBe(before.metadata.uid)
  expectAllUsers(account, await records('Users'))
  expectAllActivities(account, await records('AuditLogs'), ACTIVITIES)

  const slot = await stage.requestRun(name)
  await stage.until(name, runEnded(slot), { seconds: 60 })
  const images = (await syncPods(stage.cluster, name)).map(({ spec }) => spec.containers[0]?.image)
  expect(images).toEqual([PREVIOUS, inject('image').reference])
})

test('uninstalled, it leaves the CRD and the connectors; installed again, it goes on with the chain in the sink', async () => {
  const before = await segments('AuditLogs')
  await stage.helm('uninstall', '--wait')
  const left = ['get', 'deployments,pods,services,serviceaccounts,roles,configmaps', '-n', SYSTEM, '-o', 'name']
  await vi.waitFor(async () => expect(await stage.cluster.kubectl(...left)).not.toContain('/zendesk'), {
    timeout: 45_000,
    interval: 500,
  })
  expect(await stage.cluster.kubectl('get', 'zdc', '-n', 'security', '-o', 'name')).toContain(`/${name}`)
  const id = account.appendActivity({ createdAt: Date.now() - 120_000 })
  await stage.release('install')
  const slot = await stage.requestRun(name)
  const { status } = await stage.until(name, runEnded(slot), { seconds: 60 })
  expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 1 })
  const after = await segments('AuditLogs')
  expect(after.slice(0, before.length)).toEqual(before)
  expect(after.slice(before.length)).toEqual([`${String(before.length).padStart(12, '0')}.ndjson.gz`])
  expectAllUsers(account, await records('Users'))
  expectAllActivities(account, await records('AuditLogs'), ACTIVITIES + 1)
  expect((await records('AuditLogs')).at(-1)?.raw_data).toBe(account.rawActivity(id))
})
