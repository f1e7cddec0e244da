/** `zendesk-connector operator`: composes the process and runs it until it is told to stop. */
import { readFile } from 'node:fs/promises'
import { commonEnvironment, readEnvironment, UsageError } from './config.ts'
import { EXIT } from './connector/run.ts'
import type { Connector } from './connector/schema.ts'
import type { Kubernetes, Zendesk } from './controller/ports.ts'
import { createQueue } from './controller/queue.ts'
import { reconcile } from './controller/reconcile.ts'
import { createSpentLedger } from './controller/spent.ts'
import { patchStatus } from './kube/connectors.ts'
import { isKubeError } from './kube/errors.ts'
import { recordEvent } from './kube/events.ts'
import { checkpointName, jobName } from './kube/names.ts'
import { deleteRun, startRun } from './kube/runs.ts'
import { readSecret } from './kube/secrets.ts'
import { createView } from './kube/view.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import { bindAddress, serveMetrics } from './metrics-server.ts'
import { openCluster } from './open-cluster.ts'
import { whenStopped } from './stop.ts'
import { testAccount } from './test-account.ts'
import { WHOLE_TEST, withSkipped } from './zendesk/connection-test.ts'
import type { Egress } from './zendesk/http.ts'
import { fullySpent } from './zendesk/limits.ts'

export type OperatorOptions = {
  readonly image: string
  readonly kubeconfig?: string
  readonly namespace?: readonly string[]
  readonly workers: number
  /** As controller-runtime has it: host and port, or 0 for none. */
  readonly metricsBindAddress: string
}

/** Resolves with the exit code when SIGTERM or SIGINT has been obeyed. @throws UsageError. */
export async function runOperator(options: OperatorOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const {
    LOG_LEVEL: logLevel,
    HTTPS_PROXY: httpsProxy,
    NO_PROXY: noProxy,
    NODE_EXTRA_CA_CERTS: caFile,
  } = readEnvironment(commonEnvironment, environment)
  const log = createLogger(logLevel)
  const signal = whenStopped((name) => log.info({ signal: name }, 'stopping'))
  const now = () => new Date()

  const cluster = await openCluster(options)
  const settings = {
    image: options.image,
    logLevel,
    ...(caFile === undefined ? {} : { caBundle: await readBundle(caFile) }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  }
  // A server keeps the process alive: it is started when nothing more can be wrong with what was given.
  const metrics = createMetrics(now)
  const address = bindAddress(options.metricsBindAddress)
  const server = address && (await serveMetrics(metrics, address))
  if (server !== undefined) log.info({ address: server.address }, 'serving /metrics')

  let begun = false
  const view = createView(cluster, {
    ...(options.namespace === undefined ? {} : { namespaces: options.namespace }),
    // Before all is listed a look would see a part and take it for the whole.
    onChange: (key) => begun && queue.add(key),
    onMalformed: (key, message) => log.warn({ object: key, problem: message }, 'object cannot be read: passed over'),
    onProblem: (collection, error) => log.warn({ collection, error }, 'watch failed: tried again'),
    signal,
  })
  const kubernetes: Kubernetes = {
    observe: (key) => view.observe(key),
    readSecret: (namespace, name) => readSecret(cluster, view.learn, namespace, name),
    patchStatus: (connector, status) => patchStatus(cluster, view.learn, connector, status),
    names: ({ metadata }, slot) => ({
      run: jobName(metadata.name, metadata.uid, slot),
      checkpoint: checkpointName(metadata.name),
    }),
    startRun: async (connector, orders) => {
      try {
        return await startRun(cluster, view.learn, connector, orders, settings)
      } catch (error) {
        if (isKubeError(error, 'Forbidden', 'Invalid', 'AlreadyExists')) return { refused: error.message }
        throw error
      }
    },
    stopRun: (namespace, run) => deleteRun(cluster, view.learn, namespace, run),
    recordEvent: (connector, happening) =>
      recordEvent(cluster, (error) => log.warn({ error }, 'event not recorded'), connector, happening),
  }
  const zendesk = zendeskPort({ httpsProxy, noProxy })
  const spent = createSpentLedger(now, WHOLE_TEST)
  const known = new Map<string, Connector>()
  const queue = createQueue({
    workers: options.workers,
    work: (key) => reconcile(key, { kubernetes, zendesk, spent, known, metrics, now, log, signal }),
    onError: (key, error, retryMs) => {
      if (signal.aborted) return
      log.error({ connector: key, error, retryMs }, 'reconcile failed: tried again')
    },
    now,
    random: Math.random,
  })

  try {
    await view.ready()
    log.info({ connectors: [...view.keys()].length }, 'operator ready')
    begun = true
    for (const key of view.keys()) queue.add(key)
    await view.ended
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await queue.drain()
    await cluster.close()
    server?.close()
  }
  return EXIT.ok
}

function zendeskPort(egress: Egress): Zendesk {
  return {
    test: ({ spec }, credentials, signal) => testAccount(spec, credentials, egress, signal),
    fullySpent: (requestsPerMinute) => fullySpent(0, requestsPerMinute).map(({ secondsAgo: _, ...spent }) => spent),
    withSkipped: (checks, { spec }) => withSkipped(checks, spec.sync.streams),
  }
}

async function readBundle(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(`NODE_EXTRA_CA_CERTS cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}
