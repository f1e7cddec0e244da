/** The cluster that a command was told to use. */
import { UsageError } from './config.ts'
import { type Cluster, loadCluster } from './kube/cluster.ts'

/** @throws UsageError in one sentence when there is none, or its kubeconfig cannot be read. */
export async function openCluster({ kubeconfig }: { readonly kubeconfig?: string }): Promise<Cluster> {
  try {
    return await loadCluster(kubeconfig === undefined ? {} : { kubeconfig })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
