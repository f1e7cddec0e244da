/**
 * A Kubernetes cluster for tests and the demo: a real control plane, and a process node that runs pods as local
 * processes. Clusters stand side by side, know nothing of each other or of any other cluster on the machine, and leave
 * nothing behind, even when their owner is killed.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Authority, createAuthority } from '../certificates.ts'
import { progressOnStderr } from '../go-program.ts'
import { startProcessNode } from '../process-node/start.ts'
import type { Api } from './api.ts'
import { kubernetesTools } from './build.ts'
import { bareEnvironment, type Listen, startControlPlane, until } from './control-plane.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { foundHousehold, type Running } from './processes.ts'
import type { ReleaseName } from './releases.ts'

/** A user as Kubernetes sees one. */
export type User = { readonly name: string; readonly groups?: readonly string[] }

/** A cluster that runs. */
export type Cluster = {
  /** Path of a kubeconfig that may do anything. */
  readonly kubeconfig: string
  /** Where the API server listens: `https://127.0.0.1:PORT`. */
  readonly server: string
  /** The folder with all state: `logs/` of the parts and pods, `claims/<namespace>/<claim>/` with their data. */
  readonly folder: string
  /** Path of the API server's audit log: a JSON line per finished request, with user, verb and object. */
  readonly auditLog: string
  /** Path of the kubectl that belongs to this cluster. */
  readonly kubectlPath: string
  /** The API as the administrator sees it. */
  readonly api: Api
  /** The process node, to pause or kill. */
  readonly node?: Running
  /** etcd, kube-apiserver, kube-controller-manager and kube-scheduler, to pause, kill and start again. */
  readonly parts: readonly Running[]
  /** Adds a process node of that name to `node-1`. */
  addNode(name: string): Promise<Running>
  /** Runs kubectl and returns what it printed. */
  kubectl(...args: string[]): Promise<string>
  /** Runs kubectl with something on its standard input, as `apply -f -` wants. */
  kubectlWithInput(input: string, ...args: string[]): Promise<string>
  /** Writes a kubeconfig for another user and returns its path. */
  kubeconfigFor(user: User): Promise<string>
  /** The process id of a running pod's first container, to pause or kill. */
  podProcess(namespace: string, pod: string): Promise<number>
  /** Ends every process and removes the folder. */
  stop(): Promise<void>
}

/** How a cluster shall be. */
export type ClusterOptions = {
  /** Part of the folder's name. */
  readonly name?: string
  /** What stands for an image: the command that is its entrypoint. Other images cannot be pulled. */
  readonly images: Readonly<Record<string, readonly string[]>>
  readonly node?: 'process' | 'none'
  /** How pods see their volumes; by default in a mount namespace of their own wherever that works. */
  readonly isolation?: 'mounts' | 'paths'
  /** Rules of the audit policy, for those who want to know more of some requests than who asked for what. */
  readonly auditRules?: readonly object[]
  /** Features of the API server to switch on or off: `WatchList=false`. */
  readonly featureGates?: string
  /** Which Kubernetes; by default the one that the tests are run on. */
  readonly kubernetes?: ReleaseName
  /** Where the API server listens, for a node that is not on the loopback address. */
  readonly listen?: Listen
  /** Whom all parts trust, for a node that brings certificates of its own. */
  readonly authority?: Authority
  readonly onProgress?: (line: string) => void
}

/** Starts a cluster; the first time on a machine its programs are built, which takes some minutes. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const tools = await kubernetesTools(options.onProgress ?? progressOnStderr(), options.kubernetes)
  try {
    return await start(tools, options)
  } catch (error) {
    // Between finding a free port and listening on it another process may have taken it.
    if (error instanceof Error && /address already in use/.test(error.message)) return start(tools, options)
    throw error
  }
}

async function start(tools: string, options: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), `zendesk-connector-${options.name ?? 'cluster'}-`))
  const household = await foundHousehold(folder)
  try {
    const authority = options.authority ?? (await createAuthority('zendesk-connector test cluster'))
    const auditRules = options.auditRules ?? []
    const listen = options.listen ? { listen: options.listen } : {}
    const gates = options.featureGates === undefined ? {} : { featureGates: options.featureGates }
    const { server, admin, parts } = await startControlPlane({
      tools,
      folder,
      authority,
      auditRules,
      ...listen,
      ...gates,
    })
    const kubeconfig = join(folder, 'kubeconfigs', 'admin')
    const kubectlPath = join(tools, 'kubectl')
    const kubectl = runKubectl(kubectlPath, folder, kubeconfig)
    const isolation = options.isolation ? { isolation: options.isolation } : {}
    const nodeOptions = { folder, server, admin, authority, images: options.images, ...isolation }
    const node = options.node === 'none' ? {} : { node: await startProcessNode(nodeOptions) }
    return {
      ...node,
      parts,
      addNode: (name) => startProcessNode({ ...nodeOptions, name }),
      kubeconfig,
      server,
      folder,
      kubectlPath,
      api: admin,
      auditLog: join(folder, 'audit.log'),
      kubectl: (...args) => kubectl(args),
      kubectlWithInput: (input, ...args) => kubectl(args, input),
      async kubeconfigFor({ name, groups = [] }) {
        const file = join(folder, 'kubeconfigs', `user-${encodeURIComponent(name)}`)
        const pair = await authority.issue({ commonName: name, organizations: groups })
        await writeKubeconfig(file, { server, caPem: authority.certPem, ...pair })
        return file
      },
      async podProcess(namespace, pod) {
        const path = `/api/v1/namespaces/${namespace}/pods/${pod}`
        const { metadata, spec } = await admin.request<RunningPod>('GET', path)
        const file = join(folder, 'pids', `pod.${metadata.uid}.${spec.containers[0].name}`)
        // The process writes it itself, a moment after the pod is said to run.
        await until('The process of the pod is known', [], async () => /\d+\n/.test(await readFile(file, 'utf8')))
        return Number(await readFile(file, 'utf8'))
      },
      async stop() {
        await admin.close()
        await household.disband()
      },
    }
  } catch (error) {
    await household.disband()
    throw error
  }
}

type RunningPod = { metadata: { uid: string }; spec: { containers: [{ name: string }] } }

function runKubectl(path: string, folder: string, kubeconfig: string) {
  return (args: readonly string[], input?: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { env: bareEnvironment(folder), maxBuffer: 64 * 1024 * 1024 }
      const child = execFile(path, ['--kubeconfig', kubeconfig, ...args], options, (error, stdout, stderr) => {
        if (error) reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`))
        else resolve(stdout)
      })
      child.stdin?.on('error', () => {})
      child.stdin?.end(input ?? '')
    })
}
