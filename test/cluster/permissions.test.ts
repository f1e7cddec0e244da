/**
 * No right of deploy/rbac.yaml is one too many: each is taken away in turn, and something fails. Every operator has a
 * namespace, a user and a Zendesk account of its own, and goes through a connector's life in which each right is needed.
 * The API server enforces permissions of owner references.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { egressName, eventName, jobName, syncIdentityName } from '../../src/kube/names.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { requestsOf } from '../support/audit.ts'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { connectorYaml, secretYaml } from '../support/manifests.ts'
import { judgeStatuses } from '../support/status-judge.ts'
import { auditedStatuses } from '../support/statuses.ts'

const root = join(import.meta.dirname, '..', '..')
const rbacFile = await readFile(join(root, 'deploy', 'rbac.yaml'), 'utf8')

type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}
type Right = { readonly resource: string; readonly verb: string }

const rules: Rule[] = parseAllDocuments(rbacFile)
  .map((document) => document.toJS())
  .filter(({ kind }) => /Role$/.test(kind))
  .flatMap((role) => role.rules)
const rights: Right[] = rules.flatMap(({ resources, verbs }) =>
  resources.flatMap((resource) => verbs.map((verb) => ({ resource, verb }))),
)
/** Asked for by the API server on our behalf, and never used by ourselves. */
const INDIRECT = ['update zendeskconnectors/finalizers', 'update configmaps']
const REFUSALS: Readonly<Record<string, RegExp>> = {
  'update zendeskconnectors/finalizers': /cannot set blockOwnerDeletion/,
  'update configmaps': /attempting to grant RBAC permissions not currently held/,
}
const asText = ({ resource, verb }: Right) => `${verb} ${resource}`

let cluster: Cluster
let simulator: Simulator
beforeAll(async () => {
  const [started, simulated] = await Promise.all([
    // Without a node runs begin and never end by themselves: they are there to be stopped.
    // And it does not stream, as 1.33: only where it does not, everything is listed.
    startCluster({
      name: 'permissions',
      auditRules: auditedStatuses,
      images: {},
      node: 'none',
      featureGates: 'WatchList=false',
    }),
    startSimulator(),
  ])
  cluster = started
  simulator = simulated
  await cluster.kubectl('apply', '--server-side', '-f', join(root, 'crds', 'zendeskconnectors.yaml'))
  // kubectl gives up on one that has no status at all yet.
  const established = () => cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
  await vi.waitFor(established, { timeout: 60_000, interval: 100 })
})
afterAll(async () => {
  await simulator?.stop()
  try {
    // Also of those that lacked a right.
    if (cluster) await judgeStatuses(cluster)
  } finally {
    await cluster?.stop()
  }
})

/** The rules without one right: a rule of several resources is taken apart. */
const without = (right: Right | undefined) =>
  rules.flatMap((rule) =>
    rule.resources.map((resource) => ({
      ...rule,
      resources: [resource],
      verbs: rule.verbs.filter((verb) => right?.resource !== resource || right.verb !== verb),
    })),
  )

/** A connector's life under an operator that lacks one right; resolves with what was refused, undefined: nothing. */
async function live(namespace: string, missing: Right | undefined): Promise<string | undefined> {
  const user = `operator-${namespace}`
  const { api } = cluster
  simulator.account(namespace)
  const create = (path: string, body: object) => api.request<Found>('POST', path, { body })
  const change = (path: string, body: object) =>
    api.request<Found>('PATCH', path, { body, contentType: 'application/merge-patch+json' })
  const core = `/api/v1/namespaces/${namespace}`
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`
  const connectors = `/apis/cloudapps.security/v1alpha1/namespaces/${namespace}/zendeskconnectors`
  const acme = `${connectors}/acme`
  const names = { name: 'operator', namespace }

  await create('/api/v1/namespaces', { metadata: { name: namespace } })
  await create(`${rbac}/roles`, { metadata: names, rules: without(missing).filter(({ verbs }) => verbs.length > 0) })
  await create(`${rbac}/rolebindings`, {
    metadata: names,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'operator' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  })
  const endpoint = `${namespace}.zendesk.com`
  const yaml = connectorYaml({ namespace, endpoint, secret: `${namespace}-zendesk`, spec: { suspend: true } })
  await cluster.kubectlWithInput(`${secretYaml(namespace, undefined, namespace)}---\n${yaml}`, 'apply', '-f', '-')
  const { uid } = (await api.request<Found>('GET', acme)).metadata

  // What an operator before this one has told long ago, and somebody's Job under the name of the first run's.
  const long = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+/, '')
  const involvedObject = { kind: 'ZendeskConnector', namespace, name: 'acme', uid }
  const told = { involvedObject, reason: 'Connected', firstTimestamp: long, lastTimestamp: long, count: 1 }
  await create(`${core}/events`, { metadata: { name: eventName('acme', uid, 'Connected'), namespace }, ...told })
  const container = { name: 'a', image: 'none' }
  const template = { spec: { restartPolicy: 'Never', containers: [container] } }
  await create(jobs, { metadata: { name: jobName('acme', uid, 1), namespace }, spec: { suspend: true, template } })

  const operator = await startOperator(namespace, user)
  // A test whose outcome was crossed by a change is made again, and a minute of an account has room for two.
  const until = async (holds: (connector: Found) => boolean | Promise<boolean>, seconds = 90) => {
    for (const deadline = performance.now() + seconds * 1000; ; await delay(100)) {
      const connector = await api.request<Found>('GET', acme)
      await operator.check(JSON.stringify(connector.status ?? {}))
      if (await holds(connector)) return
      if (performance.now() < deadline) continue
      const told = `${namespace}: stuck at ${JSON.stringify(connector.status)}`
      throw new Error([told, ...(await operator.lastLines())].join('\n'))
    }
  }
  const ask = (what: string) => ({ metadata: { annotations: { 'cloudapps.security/sync-requested-at': what } } })
  const run = (slot: number) => until(({ status }) => status?.sync?.activeRun?.job === jobName('acme', uid, slot))
  const stop = async (slot: number) => {
    await change(acme, { spec: { suspend: true } })
    await until(async ({ status }) => {
      const { items } = await api.request<{ items: Found[] }>('GET', jobs)
      const isGone = !items.some(({ metadata }) => metadata.name === jobName('acme', uid, slot))
      return isGone && status?.sync?.activeRun === undefined
    })
  }
  try {
    await change(acme, { spec: { suspend: false } })
    await until(({ status }) => status?.sync?.lastRun?.reason === 'RunNotStarted')
    await change(acme, ask('first'))
    await run(2)
    await stop(2)
    // Somebody meddles with everything that the operator has made.
    const identity = syncIdentityName('acme')
    await change(`${core}/serviceaccounts/${identity}`, { automountServiceAccountToken: true })
    await change(`${rbac}/roles/${identity}`, { rules: [] })
    await change(`${rbac}/rolebindings/${identity}`, { subjects: [] })
    await change(`${core}/configmaps/${egressName('acme')}`, { data: { 'ca.crt': 'none' } })
    await change(acme, { ...ask('second'), spec: { suspend: false } })
    await run(3)
    await stop(3)
    await change(acme, { spec: { suspend: false } })
    await crossing(namespace, user, missing, async (at) => {
      await change(acme, { metadata: { labels: { at }, annotations: { 'cloudapps.security/test-requested-at': at } } })
      await operator.check('')
    })
    await api.request('DELETE', acme)
    await operator.stop()
    await operator.check('')
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  } finally {
    await operator.stop()
  }
}

/** Changes the connector over and over until one change has come between the operator's look at it and its write. */
async function crossing(
  namespace: string,
  user: string,
  missing: Right | undefined,
  act: (at: string) => Promise<void>,
): Promise<void> {
  if (missing !== undefined && asText(missing) !== 'get zendeskconnectors') return
  for (let at = 0; at < 3000; at++) {
    await act(String(at))
    if (at % 50 !== 0) continue
    const asked = await requestsOf(cluster.auditLog, user)
    if (asked.some(({ what }) => what === 'get zendeskconnectors')) return
  }
  throw new Error(`${namespace}: no write was crossed by another`)
}

// biome-ignore lint/suspicious/noExplicitAny: tests look wherever they like into what the API server says
type Found = { metadata: { name: string; uid: string }; spec: any; status?: any }

/** Something was refused for want of a right. */
class Refused extends Error {}

async function startOperator(namespace: string, user: string) {
  const logFile = join(cluster.folder, 'logs', `${user}.log`)
  const kubeconfig = await cluster.kubeconfigFor({ name: user })
  const log = openSync(logFile, 'a')
  const own = ['--namespace', namespace, '--leader-election-namespace', namespace]
  const nowhere = ['--metrics-bind-address', '0', '--health-probe-bind-address', '0']
  const program = join(root, 'src', 'main.ts')
  const args = [program, 'operator', '--kubeconfig', kubeconfig, '--image', 'none', ...own, ...nowhere]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, HTTPS_PROXY: simulator.proxyUrl, NODE_EXTRA_CA_CERTS: simulator.caFile },
  })
  closeSync(log)
  const ended = once(child, 'exit')
  return {
    /** @throws Refused when the log or what was said elsewhere tells of something forbidden. */
    async check(said: string) {
      const [line] = `${await readFile(logFile, 'utf8')}\n${said}`.split('\n').filter((one) => /forbidden/i.test(one))
      if (line !== undefined) throw new Refused(line)
      const end = child.signalCode ?? child.exitCode
      if (end !== null && end !== 0) throw new Error(`ended with ${end}:\n${await readFile(logFile, 'utf8')}`)
    },
    lastLines: async () => (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-20),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

describe.concurrent('a connector’s life, from its first test to its end', () => {
  test('needs no other right, and uses each one', async () => {
    expect(await live('whole', undefined)).toBeUndefined()
    const asked = await requestsOf(cluster.auditLog, 'operator-whole')
    expect(asked.filter(({ code }) => code === 403)).toEqual([])
    const used = new Set(asked.map(({ what }) => what))
    expect(rights.map(asText).filter((right) => !used.has(right))).toEqual(INDIRECT)
  })

  test.each(rights.map((right, at) => [asText(right), right, `without-${at}`] as const))(
    'goes wrong where the operator may not %s',
    async (_name, right, namespace) => {
      const refused = await live(namespace, right)
      expect(refused, 'nothing was refused: the right is one too many').toBeDefined()
      expect(refused).toMatch(REFUSALS[asText(right)] ?? `cannot ${right.verb} resource \\"${right.resource}\\"`)
    },
  )
})
