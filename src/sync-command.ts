/** `zendesk-connector sync` in its pod: composes one run from the orders in its environment. */
import { writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { composeRun } from './compose-run.ts'
import { readEnvironment, syncEnvironment, UsageError } from './config.ts'
import { type Report, type RunOrders, runOrders } from './connector/run.ts'
import { checkpointStore } from './kube/checkpoint.ts'
import type { Cluster } from './kube/cluster.ts'
import { createLogger } from './logger.ts'
import { mountedSecret } from './mounted-secret.ts'
import { openCluster } from './open-cluster.ts'
import { openSink } from './open-sink.ts'
import { whenStopped } from './stop.ts'
import type { CheckpointStore } from './sync/checkpoint.ts'
import { systemClock } from './sync/clock.ts'

const TERMINATION_LOG = '/dev/termination-log'

/** Resolves with the exit code of the run: see EXIT in connector/run.ts. @throws UsageError. */
export async function runSyncCommand(
  options: { readonly kubeconfig?: string },
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const config = readEnvironment(syncEnvironment, environment)
  const orders = readOrders(config.RUN_ORDERS)
  const log = createLogger(config.LOG_LEVEL).child({
    connector: `${orders.namespace}/${orders.connector}`,
    run: orders.run,
  })
  const signal = whenStopped((name) => log.info({ signal: name }, 'stopping: publishing what was read'))
  const cluster = await openCluster(options)
  const egress = { httpsProxy: config.HTTPS_PROXY, noProxy: config.NO_PROXY }

  const { report, exitCode } = await composeRun(orders, {
    // A Secret that is not mounted lacks each of its keys, which the run reports.
    secret: () => mountedSecret(config.CREDENTIALS_DIR).catch(() => ({})),
    egress,
    store: storeIn(cluster, orders),
    sink: (onWait) =>
      openSink(orders, {
        folder: config.SINK_DIR,
        secretFolder: config.SINK_SECRET_DIR,
        egress,
        clock: systemClock,
        random: Math.random,
        onWait,
        signal,
      }),
    log,
    pod: config.POD_UID,
    signal,
    onWait: (what, milliseconds) => log.warn({ waitMs: milliseconds }, what),
  })
  log.info({ result: report.result, records: report.records, requests: report.requests }, 'run ended')
  await leaveMessage(report)
  await cluster.close()
  return exitCode
}

function readOrders(value: unknown): RunOrders {
  const orders = runOrders.safeParse(value)
  if (orders.success) return orders.data
  throw new UsageError(`Invalid RUN_ORDERS: ${z.prettifyError(orders.error)}`)
}

function storeIn(cluster: Cluster, { namespace, checkpoint: name }: RunOrders): CheckpointStore {
  const store = checkpointStore(cluster, { namespace, name })
  return {
    read: async () => {
      const { checkpoint, resourceVersion } = await store.read()
      return { checkpoint, version: resourceVersion }
    },
    write: async (checkpoint, version) => ({ version: (await store.write(checkpoint, version)).resourceVersion }),
  }
}

/** The report in short, where `kubectl describe pod` shows it; nowhere else is it missed. */
async function leaveMessage({ result, reason, message, records, requests }: Report): Promise<void> {
  const short = JSON.stringify({ result, reason, message, records, requests })
  // Only where the kubelet has put the file: elsewhere it would be a stray one in /dev.
  await writeFile(TERMINATION_LOG, short, { flag: 'r+' }).catch(() => undefined)
}
