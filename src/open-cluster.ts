/** The cluster that a command was told to use. */
import { UsageError } from './config.ts'
import { type Cluster, loadCluster, type RestMetrics } from './kube/cluster.ts'
import type { ServerClock } from './kube/server-clock.ts'

/** @throws UsageError in one sentence when there is none, or its kubeconfig cannot be read. */
export async function openCluster(
  { kubeconfig }: { readonly kubeconfig?: string },
  metrics?: RestMetrics,
  clock?: Pick<ServerClock, 'heard'>,
): Promise<Cluster> {
  try {
    return await loadCluster(kubeconfig === undefined ? {} : { kubeconfig }, metrics, clock)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
