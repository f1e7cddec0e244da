/**
 * What the operator sees of the cluster without asking: local copies of five collections, and what they say about one
 * connector.
 */
import { z } from 'zod'
import type { Observed } from '../connector/observed.ts'
import { type Connector, connector, GROUP, PLURAL, sinkSecretName, VERSION } from '../connector/schema.ts'
import type { Cluster } from './cluster.ts'
import { createIndex } from './index-by.ts'
import { type KeptPod, keepCheckpoint, keepJob, keepPod, keepSecret, type Owner, secretVersion } from './kept.ts'
import { CHECKPOINT, COMPONENT, checkpointName, MANAGED_BY, PROGRAM } from './names.ts'
import type { Kept } from './store.ts'
import { watchCollection } from './watch.ts'

export type ViewOptions = {
  /** All namespaces by default. */
  readonly namespaces?: readonly string[]
  /** Something about the connector with this key changed. Must not throw. */
  readonly onChange: (key: string) => void
  /** A connector, or something that belongs to one, that cannot be read; key is `namespace/name` of that object. */
  readonly onMalformed: (key: string, message: string) => void
  /** A list or watch that failed and is tried again, or a listener that threw. */
  readonly onProblem: (collection: string, problem: unknown) => void
  readonly signal: AbortSignal
}

export type View = {
  /** Everything known of a connector; undefined: there is none. */
  observe(key: string): Observed | undefined
  /** The keys of all connectors. */
  keys(): Iterable<string>
  /** Resolves when everything was listed once; rejects when the signal ends it before. */
  ready(): Promise<void>
  /** Takes the API server's answers to our own calls, so that the next `observe` sees them. */
  readonly learn: Learn
  /** Resolves when the signal has ended everything. */
  readonly ended: Promise<void>
}

/** Tells the local copies what the API server answered to us: an object as it is now, or that it is not there. */
export type Learn = {
  connector(raw: unknown): void
  job(raw: unknown): void
  noJob(namespace: string, name: string): void
  secret(raw: unknown): void
  noSecret(namespace: string, name: string): void
}

/** Begins to copy at once; only the signal ends it. */
export function createView(cluster: Cluster, options: ViewOptions): View {
  const bySecret = createIndex()
  const bySinkSecret = createIndex()
  const jobsByConnector = createIndex()
  const podsByJob = createIndex()
  const { onChange } = options
  const owned = { labelSelector: `${MANAGED_BY}=${PROGRAM}` }
  const common = (plural: string) => ({
    plural,
    namespaces: options.namespaces,
    onMalformed: (key: string, error: unknown) => options.onMalformed(key, `${plural}: ${said(error)}`),
    onProblem: (problem: unknown) => options.onProblem(plural, problem),
    signal: options.signal,
  })

  const connectors = watchCollection<Connector>(cluster, {
    ...common(PLURAL),
    api: `/apis/${GROUP}/${VERSION}`,
    keep: (raw) => connector.parse(raw),
    onChange(key, before, after) {
      bySecret.move(key, before && secretKey(before), after && secretKey(after))
      bySinkSecret.move(key, before && sinkSecretKey(before), after && sinkSecretKey(after))
      onChange(key)
    },
  })
  const secrets = watchCollection(cluster, {
    ...common('secrets'),
    api: '/api/v1',
    metadataOnly: true,
    keep: keepSecret,
    onChange(key) {
      for (const index of [bySecret, bySinkSecret]) for (const user of index.under(key)) onChange(user)
    },
  })
  const jobs = watchCollection(cluster, {
    ...common('jobs'),
    ...owned,
    api: '/apis/batch/v1',
    keep: keepJob,
    onChange(key, before, after) {
      jobsByConnector.move(key, before?.owner.uid, after?.owner.uid)
      changed(after ?? before)
    },
  })
  const pods = watchCollection<KeptPod>(cluster, {
    ...common('pods'),
    ...owned,
    api: '/api/v1',
    keep: keepPod,
    onChange(key, before, after) {
      podsByJob.move(key, before?.owner.uid, after?.owner.uid)
      const pod = after ?? before
      // A pod may be seen before its Job; the Job's own change then tells of both.
      if (pod) changed(jobs.get(`${pod.metadata.namespace}/${pod.owner.name}`))
    },
  })
  const checkpoints = watchCollection(cluster, {
    ...common('configmaps'),
    // The CA bundles of all connectors are ConfigMaps of ours, too: they are large, and nobody reads them here.
    labelSelector: `${owned.labelSelector},${COMPONENT}=${CHECKPOINT}`,
    api: '/api/v1',
    keep: keepCheckpoint,
    onChange(_key, before, after) {
      changed(after ?? before)
    },
  })
  const collections = [connectors, secrets, jobs, pods, checkpoints]

  function changed(object: (Kept & { readonly owner: Owner }) | undefined): void {
    if (object) onChange(`${object.metadata.namespace}/${object.owner.name}`)
  }

  return {
    observe(key) {
      const found = connectors.get(key)
      if (!found) return undefined
      const { namespace, name, uid } = found.metadata
      const secret = secrets.get(secretKey(found))
      const ofSink = secrets.get(sinkSecretKey(found) ?? '')
      const stored = checkpoints.get(`${namespace}/${checkpointName(name)}`)
      const runs = Array.from(jobsByConnector.under(uid), (jobKey) => jobs.get(jobKey))
        .filter((job) => job !== undefined)
        .map((job) => ({
          ...job.run,
          pods: Array.from(podsByJob.under(job.metadata.uid), (podKey) => pods.get(podKey)?.pod)
            .filter((pod) => pod !== undefined)
            .sort((one, other) => one.creationTime.getTime() - other.creationTime.getTime()),
        }))
        .sort((one, other) => one.slot - other.slot)
      return {
        connector: found,
        secret: secret && secretVersion(secret),
        ...(ofSink && { sinkSecret: `${ofSink.metadata.uid}/${ofSink.metadata.resourceVersion}` }),
        runs,
        checkpoint: stored?.owner.uid === uid ? stored.checkpoint : undefined,
      }
    },
    *keys() {
      for (const { metadata } of connectors.values()) yield `${metadata.namespace}/${metadata.name}`
    },
    ready: async () => {
      await Promise.all(collections.map(({ synced }) => synced))
    },
    learn: {
      connector: connectors.learn,
      job: jobs.learn,
      noJob: (namespace, name) => jobs.forget(`${namespace}/${name}`),
      secret: secrets.learn,
      noSecret: (namespace, name) => secrets.forget(`${namespace}/${name}`),
    },
    ended: Promise.all(collections.map(({ ended }) => ended)).then(() => undefined),
  }
}

function secretKey({ metadata, spec }: Connector): string {
  return `${metadata.namespace}/${spec.secretRef.name}`
}

function sinkSecretKey({ metadata, spec }: Connector): string | undefined {
  const name = sinkSecretName(spec.sync.sink)
  return name === undefined ? undefined : `${metadata.namespace}/${name}`
}

// zod says where, and what was expected, and never quotes the value.
function said(error: unknown): string {
  if (!(error instanceof z.ZodError)) return String(error)
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}
