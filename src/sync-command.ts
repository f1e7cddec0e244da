/** `zendesk-connector sync`: composes one run from the orders in its environment. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readEnvironment, syncEnvironment, UsageError } from './config.ts'
import { type Credentials, readCredentials } from './connector/credentials.ts'
import { type Report, type RunOrders, runOrders } from './connector/run.ts'
import { checkpointStore } from './kube/checkpoint.ts'
import type { Cluster } from './kube/cluster.ts'
import { createLogger } from './logger.ts'
import { openCluster } from './open-cluster.ts'
import { whenStopped } from './stop.ts'
import type { CheckpointStore } from './sync/checkpoint.ts'
import { systemClock } from './sync/clock.ts'
import { runSync } from './sync/run.ts'
import { createFileSink } from './sync/sinks/file.ts'
import type { Sink } from './sync/sinks/sink.ts'
import { createStdoutSink } from './sync/sinks/stdout.ts'
import { createClient } from './zendesk/client.ts'
import { ZendeskError } from './zendesk/errors.ts'
import { connectTo } from './zendesk/http.ts'

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
  const cluster = openCluster(options)
  const zendesk = connectTo(orders.endpoint, { httpsProxy: config.HTTPS_PROXY, noProxy: config.NO_PROXY })
  const { now, monotonic } = systemClock

  const { report, exitCode } = await runSync(orders, {
    client: ({ guard, spent }) =>
      createClient({
        send: zendesk.send,
        endpoint: orders.endpoint,
        credentials: () => credentialsIn(config.CREDENTIALS_DIR),
        requestsPerMinute: orders.requestsPerMinute,
        spent,
        guard,
        clock: { now, monotonic },
        random: Math.random,
        onWait: (what, milliseconds) => log.warn({ waitMs: milliseconds }, what),
      }),
    store: storeIn(cluster, orders),
    sink: sinkOf(orders, config.SINK_DIR),
    clock: systemClock,
    log,
    pod: config.POD_UID,
    signal,
  })
  log.info({ result: report.result, records: report.records, requests: report.requests }, 'run ended')
  await leaveMessage(report)
  await Promise.allSettled([zendesk.close(), cluster.close()])
  return exitCode
}

function readOrders(value: unknown): RunOrders {
  const orders = runOrders.safeParse(value)
  if (orders.success) return orders.data
  throw new UsageError(`RUN_ORDERS is not right: ${z.prettifyError(orders.error)}`)
}

/** The Secret as it is mounted now: a rotated one is taken up at the next token. */
async function credentialsIn(folder: string): Promise<Credentials> {
  const read = async (key: string) => [key, await readFile(join(folder, key), 'utf8').catch(() => '')] as const
  const data = Object.fromEntries(await Promise.all([read('clientId'), read('clientSecret')]))
  const credentials = readCredentials('of the connector', data)
  if ('clientId' in credentials) return credentials
  throw new ZendeskError('SecretKeyMissing', credentials.message ?? 'The Secret lacks a key.')
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

/** One line per sink: this is where a new one is named. */
function sinkOf({ sink, namespace, connector }: RunOrders, folder: string | undefined): Sink {
  switch (sink.kind) {
    case 'file':
      if (folder === undefined) throw new UsageError('SINK_DIR is not set: the file sink needs a folder.')
      return createFileSink({ root: folder, claimName: sink.claimName, namespace, connector })
    case 'stdout':
      return createStdoutSink(process.stdout)
  }
}

/** The report in short, where `kubectl describe pod` shows it; nowhere else is it missed. */
async function leaveMessage({ result, reason, message, records, requests }: Report): Promise<void> {
  const short = JSON.stringify({ result, reason, message, records, requests })
  await writeFile(TERMINATION_LOG, short).catch(() => undefined)
}
