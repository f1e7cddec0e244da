/**
 * Access to the API server for the leader's work: nothing is written once the lead is lost. It is the first of two
 * guards, and the one that can come too late: a process may be stopped between the question and the write. So each write
 * also carries a precondition that the next leader's first write breaks.
 */
import type { Cluster } from './cluster.ts'
import { KubeError } from './errors.ts'

/** Passes on reads and watches; refuses all else with KubeError `NotLeader` when `mayWrite()` is false. */
export function fenced(cluster: Cluster, mayWrite: () => boolean): Cluster {
  return {
    ...cluster,
    async request(method, path, call) {
      if (method !== 'GET' && !mayWrite()) {
        throw new KubeError('NotLeader', 'this replica does not lead any more: nothing was written')
      }
      return cluster.request(method, path, call)
    },
  }
}
