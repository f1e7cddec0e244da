/**
 * What the bench of the operator stands on: an API server with a process node, a Zendesk that answers for every account,
 * and the program as it is in the image, under the rights that it is shipped with.
 */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bundle } from '../../../scripts/bundle.ts'
import { type Cluster, startCluster } from '../../../test/support/cluster/cluster.ts'
import { findUnshare, inOwnRoot } from '../../../test/support/process-node/isolation.ts'
import { type SimulatorProcess, startSimulatorProcess } from '../simulator-process.ts'
import { peerProgram } from './peer.ts'
import { type Program, startProgram } from './program.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const IMAGE = 'zendesk-connector:bench'
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const SYSTEM = 'zendesk-connector-system'
export const OPERATOR_USER = `system:serviceaccount:${SYSTEM}:zendesk-connector`
export const CONNECTORS = '/apis/cloudapps.security/v1alpha1'
/** Connectors are spread over so many namespaces. */
export const NAMESPACES: readonly string[] = Array.from({ length: 10 }, (_, index) => `fleet-${index}`)

/** Accounts by the beginning of their names; each request takes a part of the second that a test takes in all. */
export const ACCOUNTS = {
  /** Everything is in order: token, user, probes are three requests one after another. */
  good: { prefix: 'good-', plan: 'enterprise', latencyMs: 333 },
  /** AuditLogs are not in the plan, which is one more question, so that no run follows the first test. */
  lesser: { prefix: 'lesser-', plan: 'team', latencyMs: 250 },
} as const

export type World = {
  readonly cluster: Cluster
  readonly simulator: SimulatorProcess
  /** Path of the bundle. */
  readonly program: string
  startOperator(): Program
  startPeer(): Program
  stop(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const peer = await peerProgram()
  const simulator = await startSimulatorProcess()
  const program = await mkdtemp(join(tmpdir(), 'zendesk-connector-bench-'))
  const remove = () => rmSync(program, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  process.once('exit', remove)
  await bundle(program)
  const main = join(program, 'main.js')
  const cache = join(program, 'cache')
  const cluster = await startCluster({
    name: 'bench-operator',
    images: { [IMAGE]: ['env', `NODE_COMPILE_CACHE=${cache}`, process.execPath, main] },
  })
  for (const { prefix, plan, latencyMs } of Object.values(ACCOUNTS)) {
    await simulator.control.accounts(prefix, { plan, users: { count: 5 }, activities: { lastSevenDays: 5 } }, [
      { effect: { kind: 'latency', milliseconds: latencyMs } },
    ])
  }
  for (const namespace of [SYSTEM, ...NAMESPACES]) {
    await cluster.api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } })
  }
  const manifests = ['crds/zendeskconnectors.yaml', 'deploy/rbac.yaml'].flatMap((file) => ['-f', join(root, file)])
  await cluster.kubectl('apply', ...manifests)
  await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
  const log = (name: string) => join(cluster.folder, 'logs', `${name}.log`)
  const env = { PATH: process.env.PATH, HTTPS_PROXY: simulator.proxyUrl, NODE_EXTRA_CA_CERTS: simulator.caFile }
  const operator = await asInPod(cluster, [process.execPath, main, 'operator', ...(await operatorOptions(main))])
  const kubeconfig = await cluster.kubeconfigFor({ name: OPERATOR_USER, groups: ['system:serviceaccounts'] })
  return {
    cluster,
    simulator,
    program: main,
    startOperator: () =>
      startProgram({
        command: operator.command,
        env: { ...env, ...operator.env, NODE_COMPILE_CACHE: cache },
        log: log('operator'),
      }),
    startPeer: () =>
      startProgram({
        command: [peer, '--kubeconfig', kubeconfig],
        env: { PATH: process.env.PATH },
        log: log('peer'),
      }),
    async stop() {
      await simulator.stop()
      await cluster.stop()
      process.off('exit', remove)
      remove()
    },
  }
}

/**
 * The command line that runs a program where it finds the service account as pods do, and its environment: with a
 * kubeconfig it would load a library for reading one, which no pod does.
 */
async function asInPod(cluster: Cluster, command: readonly string[]) {
  const unshare = findUnshare()
  if (unshare === undefined) throw new Error('This bench needs mount namespaces (unshare --mount): run it on Linux.')
  const account = join(cluster.folder, 'operator', 'account')
  await mkdir(account, { recursive: true })
  const path = `/api/v1/namespaces/${SYSTEM}/serviceaccounts/zendesk-connector/token`
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 24 * 3600 } }
  const { status } = await cluster.api.request<{ status: { token: string } }>('POST', path, { body })
  await writeFile(join(account, 'token'), status.token)
  await writeFile(join(account, 'namespace'), SYSTEM)
  await copyFile(join(cluster.folder, 'certificates', 'ca.crt'), join(account, 'ca.crt'))
  const { hostname, port } = new URL(cluster.server)
  const mounts = [{ source: account, target: SERVICE_ACCOUNT, readOnly: true }]
  const launch = { command, env: {}, workingDir: '/' }
  return {
    command: inOwnRoot(unshare, join(cluster.folder, 'operator', 'pod'), mounts, launch),
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  }
}

/** All that the image's defaults need to be told on this machine. */
async function operatorOptions(main: string): Promise<string[]> {
  const { stdout: help } = await promisify(execFile)(process.execPath, [main, 'operator', '--help'])
  const ports = ['--metrics-bind-address', '--health-probe-bind-address'].filter((flag) => help.includes(flag))
  return ['--image', IMAGE, ...ports.flatMap((flag) => [flag, '127.0.0.1:0'])]
}
