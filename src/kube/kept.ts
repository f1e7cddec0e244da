/**
 * What is kept of each kind of object that is watched. Parsed once, at the door: what nobody reads is dropped, above
 * all annotations, because `kubectl apply` copies a Secret's data into one.
 */
import { z } from 'zod'
import type { ObservedPod, ObservedRun, SecretVersion } from '../connector/observed.ts'
import { CHECKPOINT_KEY, type Checkpoint, type CheckpointSeen, checkpoint, checkpointSeen } from '../connector/run.ts'
import { asKept, KIND, RESYNC_REQUESTED_AT, SYNC_REQUESTED_AT } from '../connector/schema.ts'
import { slot } from '../connector/status.ts'
import { outsideText } from '../connector/text.ts'
import { withoutMembers } from './json-without.ts'
import { ACCOUNT_LABEL, GENERATION, SINK_SECRET, SLOT_LABEL, SYNC_CONTAINER } from './names.ts'
import type { Kept } from './store.ts'

/** The controller of an object: the connector of a Job, the Job of a pod. */
export type Owner = { readonly name: string; readonly uid: string }

export type KeptSecret = Kept
/** `account`: subdomain of the Zendesk account. */
export type KeptJob = Kept & {
  readonly owner: Owner
  readonly account: string
  readonly run: Omit<ObservedRun, 'pods'>
}
export type KeptPod = Kept & { readonly owner: Owner; readonly account: string; readonly pod: ObservedPod }
export type KeptCheckpoint = Kept & { readonly owner: Owner; readonly checkpoint: CheckpointSeen | undefined }

const time = z.iso.datetime().transform((text) => new Date(text))
/** The cluster's own words: they come into messages. */
const text = outsideText(1024).default('')
const request = z.string().transform(asKept)
const metadata = z.object({ namespace: z.string(), name: z.string(), uid: z.string(), resourceVersion: z.string() })
const ownedMetadata = metadata.extend({
  creationTimestamp: time,
  deletionTimestamp: time.optional(),
  labels: z.record(z.string(), z.string()).default({}),
  ownerReferences: z
    .array(z.object({ kind: z.string(), name: z.string(), uid: z.string(), controller: z.boolean().default(false) }))
    .default([]),
})
const conditions = z
  .array(
    z.object({ type: z.string(), status: z.string(), reason: text, message: text, lastTransitionTime: time.nullish() }),
  )
  .default([])

function controller({ ownerReferences }: z.output<typeof ownedMetadata>, kind: string): Owner | undefined {
  const found = ownerReferences.find((owner) => owner.controller && owner.kind === kind)
  return found && { name: found.name, uid: found.uid }
}

function accountOf({ labels }: z.output<typeof ownedMetadata>): string {
  return labels[ACCOUNT_LABEL] ?? ''
}

function bare({ namespace, name, uid, resourceVersion }: Kept['metadata']): Kept['metadata'] {
  return { namespace, name, uid, resourceVersion }
}

const secret = z.object({ metadata })

/** Identity and version of a Secret, and nothing else. */
export function keepSecret(raw: unknown): KeptSecret {
  return secret.parse(raw)
}

/** Version of a kept Secret. */
export function secretVersion({ metadata: { uid, resourceVersion } }: KeptSecret): SecretVersion {
  return { uid, resourceVersion }
}

const job = z.object({
  metadata: ownedMetadata.extend({
    annotations: z
      .object({
        [SYNC_REQUESTED_AT]: request.optional(),
        [RESYNC_REQUESTED_AT]: request.optional(),
        [SINK_SECRET]: outsideText(128).optional(),
        [GENERATION]: z.coerce.number().default(0),
      })
      .prefault({}),
  }),
  status: z.object({ conditions, completionTime: time.optional() }).prefault({}),
})

/** The Job of a run; undefined for one that no connector controls. */
export function keepJob(raw: unknown): KeptJob | undefined {
  const { metadata, status } = job.parse(raw)
  const owner = controller(metadata, KIND)
  if (!owner) return undefined
  const done = (type: string) => status.conditions.find((one) => one.type === type && one.status === 'True')
  const [complete, failed] = [done('Complete'), done('Failed')]
  const endTime = status.completionTime ?? (complete ?? failed)?.lastTransitionTime ?? undefined
  const { [SYNC_REQUESTED_AT]: sync, [RESYNC_REQUESTED_AT]: resync, [SINK_SECRET]: sinkSecret } = metadata.annotations
  const run = {
    run: metadata.name,
    slot: z.coerce.number().pipe(slot).parse(metadata.labels[SLOT_LABEL]),
    creationTime: metadata.creationTimestamp,
    state: complete ? 'Succeeded' : failed ? 'Failed' : 'Active',
    deleting: metadata.deletionTimestamp !== undefined,
    generation: metadata.annotations[GENERATION],
    ...(sinkSecret !== undefined && { sinkSecret }),
    requests: { ...(sync !== undefined && { sync }), ...(resync !== undefined && { resync }) },
    ...(endTime && { endTime }),
    ...(failed && { failure: because(failed) }),
  } as const
  return { metadata: bare(metadata), owner, account: accountOf(metadata), run }
}

const containerState = z.object({
  waiting: z.object({ reason: text, message: text }).optional(),
  terminated: z.object({ exitCode: z.int(), reason: text, message: text }).optional(),
})
const pod = z.object({
  metadata: ownedMetadata,
  status: z
    .object({
      phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']).catch('Unknown'),
      reason: text,
      message: text,
      conditions,
      containerStatuses: z.array(z.object({ name: text, state: containerState.prefault({}) })).default([]),
    })
    .prefault({ phase: 'Pending' }),
})

/** A pod of a run; undefined for one that no Job controls. */
export function keepPod(raw: unknown): KeptPod | undefined {
  const { metadata, status } = pod.parse(raw)
  const owner = controller(metadata, 'Job')
  if (!owner) return undefined
  // Others may be injected beside it.
  const state = status.containerStatuses.find(({ name }) => name === SYNC_CONTAINER)?.state
  const unscheduled = status.conditions.find((one) => one.type === 'PodScheduled' && one.status === 'False')
  const waiting = state?.waiting ?? unscheduled
  const termination = state?.terminated ? state.terminated.message.trim() || state.terminated.reason : because(status)
  const kept = {
    name: metadata.name,
    phase: status.phase,
    creationTime: metadata.creationTimestamp,
    ...(metadata.deletionTimestamp && { deletionTime: metadata.deletionTimestamp }),
    ...(waiting && status.phase === 'Pending' && { waiting: because(waiting) }),
    ...(state?.terminated && { exitCode: state.terminated.exitCode }),
    ...(termination && { termination }),
  }
  return { metadata: bare(metadata), owner, account: accountOf(metadata), pod: kept }
}

const configMap = z.object({ metadata: ownedMetadata, data: z.record(z.string(), z.string()).default({}) })

/** The ConfigMap with a connector's checkpoint; undefined for any other. Throws when the checkpoint cannot be read. */
export function keepCheckpoint(raw: unknown): KeptCheckpoint | undefined {
  const { metadata, data } = configMap.parse(raw)
  const owner = controller(metadata, KIND)
  const stored = data[CHECKPOINT_KEY]
  if (!owner || stored === undefined) return undefined
  const seen = stored === '' ? undefined : checkpointSeen.parse(fromJson(withoutMembers(stored, ['recent'])))
  return { metadata: bare(metadata), owner, checkpoint: seen }
}

/** The checkpoint that a ConfigMap holds as text; none before the first run. Throws when it cannot be read. */
export function parseCheckpoint(stored: string | undefined): Checkpoint | undefined {
  return stored ? checkpoint.parse(fromJson(stored)) : undefined
}

function fromJson(stored: string): unknown {
  try {
    return JSON.parse(stored)
  } catch {
    // The engine's own words quote what they could not read.
    throw new Error(`${CHECKPOINT_KEY} is not JSON`)
  }
}

function because({ reason, message }: { readonly reason: string; readonly message: string }): string {
  return [reason, message].filter(Boolean).join(': ')
}
