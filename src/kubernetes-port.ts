/** Kubernetes as the controller sees it: what is seen comes from the view, what is written goes through the cluster given. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RunOrders } from './connector/run.ts'
import type { Connector } from './connector/schema.ts'
import type { Kubernetes } from './controller/ports.ts'
import type { Cluster } from './kube/cluster.ts'
import { demandUnchanged, patchStatus } from './kube/connectors.ts'
import { isKubeError } from './kube/errors.ts'
import type { Events } from './kube/events.ts'
import { checkpointName, jobName } from './kube/names.ts'
import { pathOf } from './kube/paths.ts'
import type { RunSettings } from './kube/run-manifests.ts'
import { deleteRun, startRun } from './kube/runs.ts'
import { readSecret } from './kube/secrets.ts'
import type { View } from './kube/view.ts'

const LOOK_AGAIN_MS = 1000
/** With an election the lead is lost long before. Shorter than what /healthz takes for being stuck: a restart cures no API server. */
const LEARN_MS = 2 * 60_000

/** All writes go through `cluster`, which may refuse them. `signal` ends what is waited for. */
export function kubernetesPort(
  cluster: Cluster,
  view: View,
  events: Events,
  settings: RunSettings,
  signal: AbortSignal,
): Kubernetes {
  const { learn } = view
  return {
    observe: view.observe,
    readSecret: (namespace, name) => readSecret(cluster, learn, namespace, name),
    patchStatus: (connector, status) => patchStatus(cluster, learn, connector, status),
    names: ({ metadata }, slot) => ({
      run: jobName(metadata.name, metadata.uid, slot),
      checkpoint: checkpointName(metadata.name),
    }),
    startRun: async (connector, orders) => {
      // A copy that lags might not show that this slot has had its Job, which is gone.
      await demandUnchanged(cluster, learn, connector)
      try {
        return await startRun(cluster, learn, connector, orders, settings)
      } catch (error) {
        // BadRequest: what a webhook denies without a code of its own (k8s.io/apiserver, ToStatusErr).
        if (isKubeError(error, 'Forbidden', 'Invalid', 'BadRequest', 'AlreadyExists')) return { refused: error.message }
        // It may have begun all the same: its account is not another's turn until that is known.
        if (isKubeError(error, 'Timeout', 'Network', 'Unavailable')) {
          await learnOfRun(cluster, view, connector, orders, signal)
        }
        throw error
      }
    },
    stopRun: (namespace, run) => deleteRun(cluster, view, namespace, run),
    recordEvent: events.record,
  }
}

/** Looks for the run's Job until the API server answers, for LEARN_MS at most. */
async function learnOfRun(
  cluster: Cluster,
  { learn }: View,
  { metadata }: Connector,
  { run }: RunOrders,
  signal: AbortSignal,
): Promise<void> {
  const path = pathOf('/apis/batch/v1', metadata.namespace, 'jobs', run)
  const ends = AbortSignal.any([signal, AbortSignal.timeout(LEARN_MS)])
  while (!ends.aborted) {
    try {
      return learn.job(await cluster.request('GET', path, { signal: ends }))
    } catch (error) {
      if (!isKubeError(error, 'Timeout', 'Network', 'Unavailable', 'TooManyRequests')) return
      await delay(LOOK_AGAIN_MS, undefined, { signal: ends }).catch(() => {})
    }
  }
}
