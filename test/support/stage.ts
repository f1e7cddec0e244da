/**
 * The whole world in one value: a cluster with the CRD, a simulator, and the operator as its own process under its own
 * identity. Cluster tests and the demo stand on it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { judgeStatuses } from './status-judge.ts'
import { auditedStatuses } from './statuses.ts'

const root = join(import.meta.dirname, '..', '..')
const program = join(root, 'src', 'main.ts')
const identity = 'system:serviceaccount:zendesk-connector-system:zendesk-connector'
/** The image that stands for our own program on the process node. */
export const IMAGE = 'zendesk-connector:dev'

/** The image that deploy/ names. */
const RELEASE = 'zendesk-connector:0.1.0'
/** Free ports. */
const ADDRESSES = ['--metrics-bind-address', '127.0.0.1:0', '--health-probe-bind-address', '127.0.0.1:0']
/** Between two looks at something that is waited for: looking all the time would starve what is looked at. */
const LOOK_MS = 40

export type Operator = {
  readonly process: ChildProcess
  /** Ends it: SIGTERM lets it finish what it does. Resolves with its exit code or signal. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

export type Stage = {
  readonly cluster: Cluster
  readonly simulator: Simulator
  /** User name of the operator in the API server's audit log. */
  readonly operatorUser: string
  readonly operatorLog: string
  /** Starts the operator, the only one unless `args` say otherwise; its log goes on in the same file. */
  startOperator(environment?: Readonly<Record<string, string>>, args?: readonly string[]): Promise<Operator>
  /** Applies YAML. */
  apply(yaml: string): Promise<string>
  /** The connector as JSON. */
  get(name: string, namespace?: string): Promise<Served>
  /** Waits until the connector is as `holds` says; the error shows how it was last. */
  until(
    name: string,
    holds: (connector: Served) => boolean,
    options?: { namespace?: string; seconds?: number },
  ): Promise<Served>
  /** Events of a stream that stand in the file sink, in the order of the chain. */
  records(claim: string, connector: string, stream: string, namespace?: string): Promise<SinkRecord[]>
  stop(): Promise<void>
}

/** As much of a served connector as tests look at. */
export type Served = {
  metadata: { name: string; uid: string; generation: number; annotations?: Record<string, string> }
  spec: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: tests look wherever they like into what the API server says
  status: any
}

export type SinkRecord = {
  readonly raw_data: string
  readonly metadata: { readonly uid: string }
  readonly [key: string]: unknown
}

/** `judged`: when the stage stops, every status that was ever written is judged, and it rejects when one is not right. */
export async function startStage(options: { readonly name: string; readonly judged?: boolean }): Promise<Stage> {
  const cluster = await startCluster({
    name: options.name,
    auditRules: auditedStatuses,
    images: { [IMAGE]: [process.execPath, program], [RELEASE]: [process.execPath, program] },
  })
  const simulator = await startSimulator()
  const operators = new Set<Operator>()
  const operatorLog = join(cluster.folder, 'logs', 'operator.log')
  const end = async () => {
    await simulator.stop()
    await cluster.stop()
  }
  const stop = async () => {
    for (const operator of operators) await operator.stop('SIGKILL')
    try {
      if (options.judged !== false) await judgeStatuses(cluster)
    } finally {
      await end()
    }
  }
  try {
    await cluster.kubectl('create', 'namespace', 'zendesk-connector-system')
    await cluster.kubectl('create', 'namespace', 'security')
    await cluster.kubectl(
      'apply',
      '-f',
      join(root, 'crds', 'zendeskconnectors.yaml'),
      '-f',
      join(root, 'deploy', 'rbac.yaml'),
    )
    await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
    const kubeconfig = await cluster.kubeconfigFor({ name: identity, groups: ['system:serviceaccounts'] })

    const startOperator = async (
      environment: Readonly<Record<string, string>> = {},
      args: readonly string[] = ['--no-leader-elect'],
    ): Promise<Operator> => {
      const log = openSync(operatorLog, 'a')
      const child = spawn(
        process.execPath,
        [program, 'operator', '--kubeconfig', kubeconfig, '--image', IMAGE, ...ADDRESSES, ...args],
        {
          stdio: ['ignore', log, log],
          env: {
            PATH: process.env.PATH,
            HTTPS_PROXY: simulator.proxyUrl,
            NODE_EXTRA_CA_CERTS: simulator.caFile,
            ...environment,
          },
        },
      )
      closeSync(log)
      const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
        child.once('exit', (code, signal) => resolve(code ?? signal))
      })
      const operator: Operator = {
        process: child,
        stop: async (signal = 'SIGTERM') => {
          operators.delete(operator)
          child.kill(signal)
          return ended
        },
      }
      operators.add(operator)
      return operator
    }

    return {
      cluster,
      simulator,
      operatorUser: identity,
      operatorLog,
      startOperator,
      apply: (yaml) => cluster.kubectlWithInput(yaml, 'apply', '-f', '-'),
      ...connectorsOf(cluster),
      records: (claim, connector, stream, namespace = 'security') =>
        readRecords(join(cluster.folder, 'claims', namespace, claim, namespace, connector, stream)),
      stop,
    }
  } catch (error) {
    for (const operator of operators) await operator.stop('SIGKILL')
    await end()
    throw error
  }
}

/** Looks at the connectors of a cluster. */
export function connectorsOf({ api }: Pick<Cluster, 'api'>): Pick<Stage, 'get' | 'until'> {
  const get = (name: string, namespace = 'security'): Promise<Served> =>
    api.request('GET', `/apis/cloudapps.security/v1alpha1/namespaces/${namespace}/zendeskconnectors/${name}`)
  return {
    get,
    until: async (name, holds, { namespace = 'security', seconds = 30 } = {}) => {
      const deadline = performance.now() + seconds * 1000
      for (;;) {
        const connector = await get(name, namespace)
        if (holds(connector)) return connector
        if (performance.now() > deadline) {
          throw new Error(
            `${name} was not so within ${seconds} s; its status: ${JSON.stringify(connector.status, null, 1)}`,
          )
        }
        await delay(LOOK_MS)
      }
    },
  }
}

/** Reads a stream's folder as any consumer would: each file is gzip, each line a record. */
export async function readRecords(folder: string): Promise<SinkRecord[]> {
  const names = await readdir(folder).catch(() => [])
  const segments = names.filter((name) => name.endsWith('.ndjson.gz')).sort()
  const texts = await Promise.all(
    segments.map(async (name) => gunzipSync(await readFile(join(folder, name))).toString('utf8')),
  )
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== '')).map((line) => JSON.parse(line))
}
