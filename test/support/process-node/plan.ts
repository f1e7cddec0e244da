/** Everything a container needs before its process can be started, gathered into one value. */
import { dirname, join } from 'node:path'
import type { Api } from '../cluster/api.ts'
import { writeKubeconfig } from '../cluster/kubeconfig.ts'
import type { ContainerPlan } from './container.ts'
import { commandLine, environment } from './environment.ts'
import { type Inputs, NotYet } from './inputs.ts'
import type { Mount } from './isolation.ts'
import type { Container, Pod } from './kinds.ts'
import type { MadeVolume } from './volumes.ts'

/** What all pods of a node share. */
export type NodeContext = {
  readonly api: Api
  readonly caPem: string
  readonly clusterFolder: string
  readonly images: Readonly<Record<string, readonly string[]>>
  readonly unshare: readonly string[] | undefined
}

/** What a pod has, beside its spec, once its Secrets and volumes are there. */
export type PodParts = {
  readonly pod: Pod
  readonly folder: string
  readonly inputs: Inputs
  readonly volumes: ReadonlyMap<string, MadeVolume>
}

/** Where a pod's folder is. */
export const podFolder = (clusterFolder: string, { metadata }: Pod) => join(clusterFolder, 'pods', metadata.uid)

/** Where a container's log is. */
export const logFile = (clusterFolder: string, { metadata }: Pod, container: string) =>
  join(clusterFolder, 'logs', 'pods', `${metadata.namespace}_${metadata.name}_${metadata.uid}_${container}.log`)

/** The image's entrypoint, or why there is none: a kubelet tries once, and then backs off. */
export function entrypointOf({ images }: NodeContext, { image }: Container, isFirstTry: boolean): readonly string[] {
  const entrypoint = images[image]
  if (entrypoint) return entrypoint
  throw new NotYet(isFirstTry ? 'ErrImagePull' : 'ImagePullBackOff', `image "${image}" is none that this node knows`)
}

/** Resolves a container's variables, command line and mounts; throws `NotYet` while something is missing. */
export async function planContainer(
  node: NodeContext,
  { pod, folder, inputs, volumes }: PodParts,
  container: Container,
  entrypoint: readonly string[],
): Promise<ContainerPlan> {
  const mounts = containerMounts(container, volumes)
  const base = await baseEnvironment(node, pod, mounts, folder)
  const env = environment(pod, container, inputs, base)
  return {
    container,
    launch: { command: commandLine(container, entrypoint, env), env, workingDir: container.workingDir },
    mounts,
    folder: join(folder, 'containers', container.name),
    clusterFolder: node.clusterFolder,
    pidName: `pod.${pod.metadata.uid}.${container.name}`,
    logFile: logFile(node.clusterFolder, pod, container.name),
    unshare: node.unshare,
  }
}

function containerMounts(container: Container, volumes: ReadonlyMap<string, MadeVolume>): Mount[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly }) => {
    const volume = volumes.get(name)
    if (!volume) throw new NotYet('CreateContainerConfigError', `volume ${name} is not there`)
    const source = subPath ? join(volume.path, subPath) : volume.path
    return { source, target: mountPath, readOnly: volume.readOnly || readOnly === true }
  })
}

const serviceAccountPath = '/var/run/secrets/kubernetes.io/serviceaccount'

async function baseEnvironment(node: NodeContext, pod: Pod, mounts: readonly Mount[], folder: string) {
  const { hostname, port } = new URL(node.api.server)
  const env: Record<string, string> = {
    // A real image has a Node of its own: here the one that runs this.
    PATH: `${dirname(process.execPath)}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    HOME: '/',
    HOSTNAME: pod.metadata.name,
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    KUBERNETES_SERVICE_PORT_HTTPS: port,
  }
  const account = mounts.find(({ target }) => target === serviceAccountPath)
  if (node.unshare || !account) return env
  const KUBECONFIG = join(folder, 'kubeconfig')
  const access = { server: node.api.server, caPem: node.caPem, tokenFile: join(account.source, 'token') }
  await writeKubeconfig(KUBECONFIG, access, pod.metadata.namespace)
  return { ...env, KUBECONFIG }
}
