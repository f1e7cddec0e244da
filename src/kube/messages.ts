/**
 * What is read of Kubernetes' own kinds when they come as protobuf: the fields that kept.ts and errors.ts look at, under the
 * numbers of the `generated.proto` beside each kind's Go types (https://github.com/kubernetes/api and /apimachinery), which
 * are never given to anything else.
 */
import { CHECKPOINT_KEY } from '../connector/run.ts'
import { RESYNC_REQUESTED_AT, SYNC_REQUESTED_AT } from '../connector/schema.ts'
import { INITIAL_EVENTS_END } from './frame.ts'
import { GENERATION, SINK_SECRET } from './names.ts'
import {
  boolean,
  bytes,
  decode,
  integer,
  type Message,
  malformed,
  many,
  map,
  nested,
  one,
  string,
  time,
} from './protobuf.ts'

/** Others are not even decoded: `kubectl apply` copies a Secret's data into one. */
const ANNOTATIONS = [INITIAL_EVENTS_END, SYNC_REQUESTED_AT, RESYNC_REQUESTED_AT, SINK_SECRET, GENERATION]

const ownerReference: Message = {
  1: one('kind', string),
  3: one('name', string),
  4: one('uid', string),
  6: one('controller', boolean),
}
const metadata = one(
  'metadata',
  nested({
    1: one('name', string),
    3: one('namespace', string),
    5: one('uid', string),
    6: one('resourceVersion', string),
    8: one('creationTimestamp', time),
    9: one('deletionTimestamp', time),
    11: map('labels'),
    12: map('annotations', ANNOTATIONS),
    13: many('ownerReferences', nested(ownerReference)),
  }),
)

/** Of any kind, its metadata. */
export const METADATA: Message = { 1: metadata }

const jobCondition: Message = {
  1: one('type', string),
  2: one('status', string),
  4: one('lastTransitionTime', time),
  5: one('reason', string),
  6: one('message', string),
}
/** batch/v1 Job. */
export const JOB: Message = {
  1: metadata,
  3: one('status', nested({ 1: many('conditions', nested(jobCondition)), 3: one('completionTime', time) })),
}

const podCondition: Message = jobCondition
const waiting: Message = { 1: one('reason', string), 2: one('message', string) }
const terminated: Message = { 1: one('exitCode', integer), 3: one('reason', string), 4: one('message', string) }
const containerStatus: Message = {
  1: one('name', string),
  2: one('state', nested({ 1: one('waiting', nested(waiting)), 3: one('terminated', nested(terminated)) })),
}
/** v1 Pod. */
export const POD: Message = {
  1: metadata,
  3: one(
    'status',
    nested({
      1: one('phase', string),
      2: many('conditions', nested(podCondition)),
      3: one('message', string),
      4: one('reason', string),
      8: many('containerStatuses', nested(containerStatus)),
    }),
  ),
}

/** v1 ConfigMap. */
export const CONFIG_MAP: Message = { 1: metadata, 2: map('data', [CHECKPOINT_KEY]) }

const cause: Message = { 2: one('message', string), 3: one('field', string) }
const STATUS: Message = {
  3: one('message', string),
  4: one('reason', string),
  5: one('details', nested({ 1: one('name', string), 3: one('kind', string), 4: many('causes', nested(cause)) })),
  6: one('code', integer),
}

const EVENT: Message = { 1: one('type', string), 2: one('object', nested({ 1: one('raw', bytes) })) }
const ENVELOPE: Message = { 1: one('typeMeta', nested({ 2: one('kind', string) })), 2: one('raw', bytes) }
/** What stands before each envelope. */
const MAGIC = Buffer.from('k8s\0')
const NOTHING = Buffer.alloc(0)

/** An event of a watch for objects of that kind, as its JSON would be. @throws KubeError: Malformed. */
export function decodeEvent(kind: Message, frame: Buffer): unknown {
  const { type, object } = decode(EVENT, frame) as { readonly type?: string; readonly object?: { raw?: Buffer } }
  return { type, object: decodeObject(kind, object?.raw) }
}

/** An object of that kind, or the Status in its place. @throws KubeError: Malformed. */
export function decodeObject(kind: Message, stored: Buffer = NOTHING): unknown {
  if (!MAGIC.equals(stored.subarray(0, MAGIC.length))) throw malformed()
  const envelope = decode(ENVELOPE, stored.subarray(MAGIC.length))
  const { typeMeta, raw } = envelope as { readonly typeMeta?: { kind?: string }; readonly raw?: Buffer }
  return decode(typeMeta?.kind === 'Status' ? STATUS : kind, raw ?? NOTHING)
}
