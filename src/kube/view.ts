/**
 * What the operator sees of the cluster without asking: local copies of five collections, and what they say about one
 * connector.
 */
import { z } from 'zod'
import { heldUntil, isUnfinished } from '../connector/lost.ts'
import type { Observed } from '../connector/observed.ts'
import { type Connector, connector, GROUP, PLURAL, sinkSecretName, VERSION } from '../connector/schema.ts'
import { plainText } from '../connector/text.ts'
import type { Cluster } from './cluster.ts'
import { createIndex } from './index-by.ts'
import { type KeptPod, keepCheckpoint, keepJob, keepPod, keepSecret, type Owner, secretVersion } from './kept.ts'
import { CONFIG_MAP, JOB, METADATA, POD } from './messages.ts'
import { CHECKPOINT, COMPONENT, MANAGED_BY, PROGRAM } from './names.ts'
import { accountOf, checkpointKey, createNeighbours } from './neighbours.ts'
import { createOccupancy } from './occupancy.ts'
import type { Kept } from './store.ts'
import { watchCollection } from './watch.ts'

export type ViewOptions = {
  /** All namespaces by default. */
  readonly namespaces?: readonly string[]
  /** Something about the connector with this key changed. Must not throw. */
  readonly onChange: (key: string) => void
  /** A run has ended: others may begin. Must not throw. */
  readonly onRunEnd: () => void
  /** A connector, or something that belongs to one, that cannot be read; key is `namespace/name` of that object. */
  readonly onMalformed: (key: string, message: string) => void
  /** A list or watch that failed and is tried again, or a listener that threw. */
  readonly onProblem: (collection: string, problem: unknown) => void
  /** The API server's time. */
  readonly now: () => Date
  readonly signal: AbortSignal
}

export type View = {
  /** Everything known of a connector; undefined: there is none. */
  observe(key: string): Observed | undefined
  /** Whether a run of another connector than the one with this key is under way in the account. */
  isBusy(account: string, key: string): boolean
  /** Runs under way. */
  runs(): number
  /**
   * Lists anew what runs there are: resolves when the copies are no older than this call, but for those of a namespace that is
   * refused to us.
   */
  freshen(): Promise<void>
  /** Which version of a run's Job is known: what may be deleted; undefined: none, or it is being deleted. */
  jobVersion(namespace: string, run: string): { readonly uid: string; readonly resourceVersion: string } | undefined
  /** Connectors that are there and cannot be read: nothing is done for them. */
  unreadable(): number
  /** What has stopped watching for good, in a sentence; undefined: nothing. */
  alive(): string | undefined
  /** What has not been listed once, in a sentence; undefined: all has been. */
  unsynced(): string | undefined
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
  /** Version of the Secret that is known now. */
  secretSeen(namespace: string, name: string): string | undefined
  /** It was not there when asked for, right after `seen` was known: what the watch has told meanwhile counts more. */
  noSecret(namespace: string, name: string, seen: string | undefined): void
}

/** Begins to copy at once; only the signal ends it. */
export function createView(cluster: Cluster, options: ViewOptions): View {
  const bySecret = createIndex()
  const bySinkSecret = createIndex()
  const jobsByConnector = createIndex()
  const podsByJob = createIndex()
  const neighbours = createNeighbours((key) => checkpoints.get(key))
  const { onChange, now } = options
  const occupancy = createOccupancy((account) => {
    for (const key of neighbours.of(account)) onChange(key)
    options.onRunEnd()
  }, now)
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
      neighbours.moved(key, before, after)
      onChange(key)
    },
  })
  const secrets = watchCollection(cluster, {
    ...common('secrets'),
    api: '/api/v1',
    metadataOnly: true,
    message: METADATA,
    keep: keepSecret,
    onChange(key) {
      for (const index of [bySecret, bySinkSecret]) for (const user of index.under(key)) onChange(user)
    },
  })
  const jobs = watchCollection(cluster, {
    ...common('jobs'),
    ...owned,
    api: '/apis/batch/v1',
    message: JOB,
    without: ['spec'],
    keep: keepJob,
    onChange(key, before, after) {
      jobsByConnector.move(key, before?.owner.uid, after?.owner.uid)
      if (after?.run.state !== 'Active') occupancy.release(`job/${key}`)
      else {
        const { metadata, account, owner, run } = after
        // One that is being deleted makes no more pods, and those that there are speak for themselves.
        const until = heldUntil({ ...run, ...(run.deleting && { deletionTime: now() }) }, now())
        occupancy.hold(`job/${key}`, { run: metadata.uid, account, connector: owner.uid, until })
      }
      changed(after ?? before)
    },
  })
  const pods = watchCollection<KeptPod>(cluster, {
    ...common('pods'),
    ...owned,
    api: '/api/v1',
    message: POD,
    without: ['spec'],
    keep: keepPod,
    onChange(key, before, after) {
      podsByJob.move(key, before?.owner.uid, after?.owner.uid)
      if (after === undefined || !isUnfinished(after.pod)) occupancy.release(`pod/${key}`)
      else {
        const { owner, account } = after
        occupancy.hold(`pod/${key}`, { run: owner.uid, account, until: heldUntil(after.pod, now()) })
      }
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
    message: CONFIG_MAP,
    keep: keepCheckpoint,
    onChange(key, before, after) {
      neighbours.checkpointChanged(key)
      changed(after ?? before)
    },
  })
  const collections = [connectors, secrets, jobs, pods, checkpoints]

  function checkpointOf(key: string) {
    const found = connectors.get(key)
    const stored = found && checkpoints.get(checkpointKey(found.metadata))
    return stored?.owner.uid === found?.metadata.uid ? stored?.checkpoint : undefined
  }

  function secretSeen(namespace: string, name: string): string | undefined {
    return secrets.get(`${namespace}/${name}`)?.metadata.resourceVersion
  }

  function changed(object: (Kept & { readonly owner: Owner }) | undefined): void {
    if (object) onChange(`${object.metadata.namespace}/${object.owner.name}`)
  }

  return {
    observe(key) {
      const found = connectors.get(key)
      if (!found) return undefined
      const { uid } = found.metadata
      const secret = secrets.get(secretKey(found))
      const ofSink = secrets.get(sinkSecretKey(found) ?? '')
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
        checkpoint: checkpointOf(key),
        account: {
          busy: occupancy.isBusy(accountOf(found), uid),
          checkpoints: neighbours.booksBut(key, accountOf(found)),
        },
      }
    },
    isBusy: (account, key) => occupancy.isBusy(account, neighbours.uidOf(key) ?? ''),
    runs: () => occupancy.size,
    unreadable: connectors.malformed,
    alive: () => collections.map((one) => one.alive()).find((problem) => problem !== undefined),
    unsynced: () => collections.map((one) => one.unsynced()).find((problem) => problem !== undefined),
    freshen: async () => {
      await Promise.all([jobs.refresh(), pods.refresh(), checkpoints.refresh()])
    },
    jobVersion: (namespace, run) => {
      const job = jobs.get(`${namespace}/${run}`)
      return job && !job.run.deleting
        ? { uid: job.metadata.uid, resourceVersion: job.metadata.resourceVersion }
        : undefined
    },
    keys: neighbours.keys,
    ready: async () => {
      await Promise.all(collections.map(({ synced }) => synced))
    },
    learn: {
      connector: connectors.learn,
      job: jobs.learn,
      noJob: (namespace, name) => jobs.forget(`${namespace}/${name}`),
      secret: secrets.learn,
      secretSeen,
      noSecret: (namespace, name, seen) => {
        if (secretSeen(namespace, name) === seen) secrets.forget(`${namespace}/${name}`)
      },
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

const issue = ({ path, message }: z.core.$ZodIssue) => `${path.join('.')}: ${message}`

// zod says where, and what was expected, and never quotes the value.
function said(error: unknown): string {
  const text = error instanceof z.ZodError ? error.issues.map(issue).join('; ') : String(error)
  return plainText(text, 1024)
}
