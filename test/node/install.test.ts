/** The way users take, on a real node: helm install, a connector of the examples, and its runs as real pods. */
import { execFile } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { requestsIn } from '../support/audit.ts'
import { blocksOf } from '../support/docs.ts'
import { NETWORK } from '../support/node/machine.ts'
import { runningSyncPod, scheduledAt, syncPods } from '../support/node/pods.ts'
import { type NodeStage, SYSTEM, startNodeStage } from '../support/node/stage.ts'
import { expectAllActivities, expectAllUsers } from '../support/node/whole.ts'
import { runEnded } from '../support/records.ts'

const examples = join(import.meta.dirname, '..', '..', 'examples')
/** Promised: seconds from `helm install` to Connected, images present, and from scheduled to the first request. */
const CONNECTED_WITHIN = 15
const REQUEST_WITHIN = 3

let stage: NodeStage
let acme: Account
beforeAll(async () => {
  stage = await startNodeStage('install')
  acme = stage.simulator.account('acme')
})
afterAll(() => stage?.stop())

const tenths = (milliseconds: number) => Math.round(milliseconds / 100) / 10

test('helm installs it into a namespace that enforces restricted, and an example is Connected within 15 s', async () => {
  const began = performance.now()
  await stage.release('install')
  const installed = performance.now()
  await stage.cluster.kubectl(
    'apply',
    ...['secrets', 'file-sink'].flatMap((name) => ['-f', join(examples, `${name}.yaml`)]),
  )
  await stage.until('acme', ({ status }) => status?.connection === 'Connected', { seconds: 60 })
  const seconds = tenths(performance.now() - began)
  await stage.note('helm install --wait', tenths(installed - began), 's')
  await stage.note('helm install to Connected', seconds, 's', CONNECTED_WITHIN)
  expect(seconds).toBeLessThanOrEqual(CONNECTED_WITHIN)
  const ready = ['get', 'deployment/zendesk-connector', '-n', SYSTEM, '-o', 'jsonpath={.status.readyReplicas}']
  expect(await stage.cluster.kubectl(...ready)).toBe('2')
})

test('`helm test` proves the installation from inside', async () => {
  const told = await stage.helm('test', '--logs')
  expect(told).toMatch(/ok: an operator leads: \S+_[0-9a-f-]{36}\n/)
  expect(told).toMatch(/ok: the operator has read the Secret: SecretKeyMissing/)
})

test('the log level of the leader changes as docs/metrics.md says', async () => {
  const commands = blocksOf('docs/metrics.md').find(({ text }) => text.includes('/log/level'))?.text ?? ''
  const PATH = [dirname(stage.cluster.kubectlPath), process.env.PATH].join(delimiter)
  const env = { PATH, HOME: process.env.HOME, KUBECONFIG: stage.cluster.kubeconfig }
  // A reader ends the forwarding when he has done.
  const script = `trap 'kill %1' EXIT\n${commands}`
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-euc', script], { env, timeout: 60_000 })
  expect(stdout).toContain('{"level":"debug"}\n')
})

test('its first run is a real pod whose report is taken into the status, and all records are on the volume', async () => {
  const { status } = await stage.until('acme', runEnded(1), { seconds: 60 })
  expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded', records: 239 })
  const job = status.sync.lastRun.id
  const complete = ['wait', '-n', 'security', '--for=condition=Complete', `job/${job}`, '--timeout=20s']
  await stage.cluster.kubectl(...complete)
  const [pod, ...more] = await syncPods(stage.cluster, 'acme')
  expect(more).toEqual([])
  const message = JSON.parse(pod?.status.containerStatuses[0]?.state.terminated?.message ?? '{}')
  expect(message).toMatchObject({ result: 'Succeeded', requests: status.sync.lastRun.requests })
  const lines = (await stage.cluster.kubectl('logs', '-n', 'security', `job/${job}`)).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(expect.objectContaining({ level: 'info' }))
  expectAllUsers(acme, await stage.records('zendesk-data', 'acme', 'Users'))
  expectAllActivities(acme, await stage.records('zendesk-data', 'acme', 'AuditLogs'), 200)
})

test('a sync pod sends its first request within 3 s of being scheduled', async () => {
  const times: number[] = []
  for (let run = 1; run <= 5; run += 1) {
    const slot = await stage.requestRun('acme')
    const { status } = await stage.until('acme', runEnded(slot), { seconds: 60 })
    const pods = await syncPods(stage.cluster, 'acme')
    const pod = pods.find(({ metadata }) => metadata.name.startsWith(status.sync.lastRun.id)) ?? expect.fail()
    const scheduled = await scheduledAt(stage.cluster, pod.metadata.name)
    const first = acme.ledger.requests().find(({ at }) => at > scheduled)
    times.push(((first?.at ?? Number.POSITIVE_INFINITY) - scheduled) / 1000)
  }
  times.sort((one, other) => one - other)
  const [quickest = 0, , median = 0, , slowest = 0] = times.map((one) => Math.round(one * 100) / 100)
  await stage.note('pod scheduled to first request, quickest of 5', quickest, 's')
  await stage.note('pod scheduled to first request, median of 5', median, 's', REQUEST_WITHIN)
  await stage.note('pod scheduled to first request, slowest of 5', slowest, 's')
  expect(median).toBeLessThanOrEqual(REQUEST_WITHIN)
})

/** What the kernel says of the process that runs it. */
const look = `
const { writeFileSync, readFileSync } = require('node:fs')
const refused = (file) => { try { writeFileSync(file, '') } catch (error) { return error.code } }
const status = Object.fromEntries(readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(':\\t')))
console.log(JSON.stringify({
  user: process.getuid(),
  root: refused('/here'),
  app: refused('/app/here'),
  rights: status.CapEff,
  noNewRights: status.NoNewPrivs,
  seccomp: status.Seccomp,
}))`

test('operator and sync pod run as nobody with no rights, on a file system that they cannot write', async () => {
  const slow = acme.addFault({ path: 'audit_logs', effect: { kind: 'latency', milliseconds: 4_000 } })
  const slot = await stage.requestRun('acme')
  const sync = (await runningSyncPod(stage.cluster, 'acme')).metadata.name
  const inside = async (namespace: string, name: string) =>
    JSON.parse(await stage.cluster.kubectl('exec', '-n', namespace, name, '--', '/nodejs/bin/node', '--eval', look))
  const confined = {
    user: 65532,
    root: 'EROFS',
    app: 'EROFS',
    rights: '0000000000000000',
    noNewRights: '1',
    seccomp: '2',
  }
  expect(await inside('security', sync)).toEqual(confined)
  expect(await inside(SYSTEM, 'deployment/zendesk-connector')).toEqual(confined)
  acme.removeFault(slow)
  await stage.until('acme', runEnded(slot), { seconds: 60 })
})

test('what came from pods came from our service accounts alone, none of them an administrator, and nothing was forbidden', async () => {
  const fromPods = (await requestsIn(stage.cluster.auditLog)).filter(({ from }) => {
    const address = from.at(-1) ?? ''
    return address.startsWith('10.88.') && address !== NETWORK.node
  })
  const account = (namespace: string, name: string) => `system:serviceaccount:${namespace}:${name}`
  expect([...new Set(fromPods.map(({ user }) => user))].sort()).toEqual([
    account('security', 'acme-zendesk-sync'),
    account(SYSTEM, 'zendesk-connector'),
    account(SYSTEM, 'zendesk-connector-test'),
  ])
  expect(fromPods.filter(({ groups }) => groups.includes('system:masters'))).toEqual([])
  expect(fromPods.filter(({ code }) => code === 401 || code === 403)).toEqual([])
})
