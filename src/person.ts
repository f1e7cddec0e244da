/**
 * The cluster that a person means: as kubectl finds it, by a flag, KUBECONFIG or ~/.kube/config. Only for commands that
 * people type and that change nothing: operator and tests use a cluster that they were told, or none.
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { UsageError } from './config.ts'
import { loadAccess, ownNamespace } from './kube/access.ts'
import { type Cluster, clusterBy } from './kube/cluster.ts'

export type PersonOptions = {
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace?: string
}

/** A cluster, and the namespace that is meant in it. @throws UsageError in one sentence when there is none. */
export async function personalCluster(
  { kubeconfig, context, namespace }: PersonOptions,
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly cluster: Cluster; readonly namespace: string }> {
  const files = kubeconfig === undefined ? usualFiles(environment) : [kubeconfig]
  try {
    if (files.length > 0) {
      const { personalAccess } = await import('./kube/kubeconfig.ts')
      const access = personalAccess(files, context)
      return { cluster: clusterBy(access), namespace: namespace ?? access.namespace ?? 'default' }
    }
    if (context === undefined && environment.KUBERNETES_SERVICE_HOST) {
      const access = await loadAccess(undefined)
      return { cluster: clusterBy(access), namespace: namespace ?? (await ownNamespace()) ?? 'default' }
    }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
  throw new UsageError('No kubeconfig found: set --kubeconfig or KUBECONFIG, or create ~/.kube/config.')
}

/** Those of KUBECONFIG that are there, as kubectl has it; otherwise the one at its usual place. */
function usualFiles({ KUBECONFIG, HOME }: NodeJS.ProcessEnv): readonly string[] {
  const named = (KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  const files = named.length > 0 ? named : [join(HOME ?? homedir(), '.kube', 'config')]
  return files.filter((file) => existsSync(file))
}
