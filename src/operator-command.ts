/** `zendesk-connector operator`: composes the process and runs it until it is told to stop. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { testAccount } from './account-test.ts'
import { commonEnvironment, readEnvironment, UsageError } from './config.ts'
import { EXIT } from './connector/run.ts'
import type { Zendesk } from './controller/ports.ts'
import { type Probes, serveProbes } from './health-probes.ts'
import { ownNamespace } from './kube/access.ts'
import { campaign, type Leadership } from './kube/election.ts'
import { createEvents } from './kube/events.ts'
import { fenced } from './kube/fenced.ts'
import { createServerClock } from './kube/server-clock.ts'
import { createView } from './kube/view.ts'
import { kubernetesPort } from './kubernetes-port.ts'
import { type Leading, startLeading, workersFor } from './leading.ts'
import { createLogger, logLevel } from './logger.ts'
import { keepFleetSmall } from './memory.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { openCluster } from './open-cluster.ts'
import { bindAddress, type Server, serveMetrics } from './serve.ts'
import { whenStopped } from './stop.ts'
import { readSyncPod } from './sync-pod-file.ts'
import { withSkipped } from './zendesk/connection-test.ts'
import type { Egress } from './zendesk/http.ts'
import { fullySpent } from './zendesk/limits.ts'

export type OperatorOptions = {
  readonly image: string
  readonly kubeconfig?: string
  readonly namespace?: readonly string[]
  readonly maxConcurrentTests: number
  readonly maxConcurrentRuns: number
  readonly leaderElect: boolean
  /** Name of the Lease. Operators that stand for one of the same name never lead at the same time. */
  readonly leaderElectionId: string
  /** Default: the namespace that the operator runs in. */
  readonly leaderElectionNamespace?: string
  /** As controller-runtime has it: host and port, or 0 for none. */
  readonly metricsBindAddress: string
  readonly healthProbeBindAddress: string
  readonly perConnectorMetrics: boolean
  /** File with what the pods of runs have beside what a run needs. */
  readonly syncPod?: string
}

/** So long a new leader lists what runs there are; then another replica may try. 10,000 connectors take it 3 s. */
const MOST_FRESHEN_MS = 2 * 60_000

/** Resolves with the exit code when SIGTERM or SIGINT has been obeyed. @throws UsageError. */
export async function runOperator(options: OperatorOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const config = readEnvironment(commonEnvironment, environment)
  const egress = { httpsProxy: config.HTTPS_PROXY, noProxy: config.NO_PROXY }
  const level = logLevel(config.LOG_LEVEL)
  const log = createLogger(level)
  const pod = options.syncPod === undefined ? undefined : await readSyncPod(options.syncPod)
  const signal = whenStopped((name) => log.info({ signal: name }, 'stopping'))
  const monotonic = () => performance.now()
  const serverClock = createServerClock(monotonic, new Date())
  const clock = { now: serverClock.now, monotonic }
  const { maxConcurrentTests: mostTests, maxConcurrentRuns: mostRuns, leaderElectionId: lease } = options

  let leading: Leading | undefined
  const metrics = createMetrics({
    ...clock,
    perConnector: options.perConnectorMetrics,
    workers: workersFor(mostTests),
    running: () => leading?.running() ?? [],
    unreadable: () => view.unreadable(),
  })
  metrics.leads(lease, false)
  const cluster = await openCluster(options, metrics.rest, serverClock)
  const settings = {
    image: options.image,
    logLevel: config.LOG_LEVEL,
    ...(config.NODE_EXTRA_CA_CERTS && { caBundle: await readBundle(config.NODE_EXTRA_CA_CERTS) }),
    ...(egress.httpsProxy && { httpsProxy: egress.httpsProxy }),
    ...(egress.noProxy && { noProxy: egress.noProxy }),
    ...(pod && { pod }),
  }
  const election = options.leaderElect && {
    namespace: await electionNamespace(options),
    name: lease,
    identity: `${hostname()}_${randomUUID()}`,
    signal,
    onProblem: (error: unknown) => log.warn({ error }, 'election: tried again'),
    onLeader: (leader: string) => log.info({ leader }, 'the leader is'),
  }
  const keepSmall = keepFleetSmall()
  const view = createView(cluster, {
    ...(options.namespace && { namespaces: options.namespace }),
    onChange: (key) => leading?.changed(key),
    onRunEnd: () => leading?.runEnded(),
    onMalformed: (key, message) => log.warn({ object: key, problem: message }, 'object cannot be read: passed over'),
    onProblem: (collection, error) => log.warn({ collection, error }, 'watch failed: tried again'),
    now: clock.now,
    signal,
  })

  /** Leads until the lease is lost or the process is to stop, and gives the lease back when all work has ended. */
  const lead = async (leadership: Leadership) => {
    const ending = AbortSignal.any([signal, leadership.signal])
    const late = AbortSignal.timeout(MOST_FRESHEN_MS)
    const guarded = fenced(cluster, leadership)
    const events = createEvents(guarded, {
      ...clock,
      onProblem: (connector, error) => log.warn({ connector, error }, 'event not recorded'),
    })
    try {
      // What the copies say may be old, and the leader before this one may have started runs until just now.
      if (election) await keepSmall(Promise.race([view.freshen(), aborted(AbortSignal.any([ending, late]))]))
      const kubernetes = kubernetesPort(guarded, view, events, settings, ending)
      const zendesk = zendeskPort(egress, metrics)
      metrics.leads(lease, true)
      log.info({ connectors: [...view.keys()].length }, 'leading')
      leading = startLeading({ ...clock, view, kubernetes, zendesk, metrics, mostTests, mostRuns, log, signal: ending })
      await leading.ended
    } catch (error) {
      if (error === late.reason) log.error('what runs there are could not be listed in time: the lead is given back')
      else if (!ending.aborted) throw error
    } finally {
      leading = undefined
      metrics.leads(lease, false)
      events.close()
      await leadership.release()
    }
  }

  // Servers keep the process alive: they are started when nothing more can be wrong with what was given.
  const servers = await serveAll(options, metrics, {
    healthz: { watches: view.alive, queue: () => leading?.stuck() },
    readyz: { caches: view.unsynced },
    logLevel: level,
    log,
  })
  try {
    await keepSmall(view.ready())
    log.info({ connectors: [...view.keys()].length }, 'operator ready')
    while (!signal.aborted) {
      await lead(election ? await campaign(cluster, election) : unopposed)
      if (!signal.aborted) log.warn('the lead was lost: standing for election again')
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await cluster.close()
    for (const server of servers) server.close()
  }
  return EXIT.ok
}

/** Who leads without an election. */
const unopposed: Leadership = {
  signal: new AbortController().signal,
  mayWrite: () => true,
  release: async () => {},
}

async function electionNamespace({ leaderElectionNamespace, kubeconfig }: OperatorOptions): Promise<string> {
  const namespace = leaderElectionNamespace ?? (kubeconfig === undefined ? await ownNamespace() : undefined)
  if (namespace !== undefined) return namespace
  throw new UsageError('Set the namespace of the Lease with --leader-election-namespace, or use --no-leader-elect.')
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  if (signal.aborted) reject(signal.reason)
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}

async function serveAll(
  { metricsBindAddress, healthProbeBindAddress }: OperatorOptions,
  metrics: Metrics,
  probes: Probes,
): Promise<Server[]> {
  const at = { metrics: bindAddress(metricsBindAddress), probes: bindAddress(healthProbeBindAddress) }
  const servers: Server[] = []
  if (at.metrics) {
    servers.push(await serveMetrics(metrics, at.metrics))
    probes.log.info({ address: servers.at(-1)?.address }, 'serving /metrics')
  }
  if (at.probes) {
    servers.push(await serveProbes(at.probes, probes))
    probes.log.info({ address: servers.at(-1)?.address }, 'serving /healthz and /readyz')
  }
  return servers
}

function zendeskPort(egress: Egress, metrics: Metrics): Zendesk {
  return {
    test: async ({ spec }, credentials, signal) => {
      const result = await testAccount(spec, credentials, egress, signal)
      metrics.tested(result.codes)
      return result
    },
    fullySpent,
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
