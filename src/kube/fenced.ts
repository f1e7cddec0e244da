/**
 * Access to the API server for the leader's work: nothing is written once the lead is lost, and a write that is under way
 * is given up then: on a network that comes back it would arrive late. It is the first of two guards, and the one that can
 * come too late: a process may be stopped between the question and the write. So each write also carries a precondition: a
 * version that the next leader's first write changes, or a name that can exist once.
 */
import type { Cluster } from './cluster.ts'
import type { Leadership } from './election.ts'
import { KubeError } from './errors.ts'

/**
 * Passes on reads and watches; refuses all else with KubeError `NotLeader` when `mayWrite()` is false, and ends it with
 * `Aborted` when `signal` tells that the lead was lost.
 */
export function fenced(cluster: Cluster, { mayWrite, signal }: Pick<Leadership, 'mayWrite' | 'signal'>): Cluster {
  return {
    ...cluster,
    async request(method, path, call) {
      if (method === 'GET') return cluster.request(method, path, call)
      if (!mayWrite()) throw new KubeError('NotLeader', 'this replica no longer leads: nothing was written')
      const ends = call?.signal === undefined ? signal : AbortSignal.any([call.signal, signal])
      return cluster.request(method, path, { ...call, signal: ends })
    },
  }
}
