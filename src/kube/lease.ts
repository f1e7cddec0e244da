/**
 * The Lease that replicas choose their leader by: read and written field for field as client-go does it, so that kubectl,
 * dashboards and people find what they know. Pure: nothing here asks what time it is.
 */
import { z } from 'zod'
import { KubeError } from './errors.ts'

/** What a Lease says. Times are text as the holder wrote it: they are for people, and no decision rests on them. */
export type LeaseRecord = {
  /** '' when nobody holds it. */
  readonly holderIdentity: string
  readonly leaseDurationSeconds: number
  readonly acquireTime: string
  readonly renewTime: string
  /** How often it has gone from one holder to another. */
  readonly leaseTransitions: number
}

/** A Lease in one version. */
export type Lease = { readonly metadata: Metadata; readonly record: LeaseRecord }

/** What a replica has seen of a Lease, and since when (ms of its own monotonic clock) it is so. */
export type Sighting = { readonly lease: Lease; readonly sinceMs: number }

// What others wrote beside the spec is carried along.
const metadata = z.looseObject({ resourceVersion: z.string() })
type Metadata = z.output<typeof metadata>

const text = z.string().nullish()
const lease = z.object({
  metadata,
  spec: z
    .object({
      holderIdentity: text,
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: text,
      renewTime: text,
      leaseTransitions: z.number().nullish(),
    })
    .nullish(),
})

/** Reads what the API server answered. A field that is not there counts as empty. Throws KubeError `Malformed`. */
export function parseLease(raw: unknown): Lease {
  const parsed = lease.safeParse(raw)
  if (!parsed.success) throw new KubeError('Malformed', 'the API server returned something that is not a Lease')
  const { managedFields: _, ...kept } = parsed.data.metadata
  const spec = parsed.data.spec ?? {}
  return {
    metadata: kept,
    record: {
      holderIdentity: spec.holderIdentity ?? '',
      leaseDurationSeconds: spec.leaseDurationSeconds ?? 0,
      acquireTime: spec.acquireTime ?? '',
      renewTime: spec.renewTime ?? '',
      leaseTransitions: spec.leaseTransitions ?? 0,
    },
  }
}

/** The Lease as it is sent. */
export function leaseBody(metadata: object, record: LeaseRecord) {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: record }
}

/**
 * The sighting after one more look; `atMs`: when the answer had come. Versions are compared, not what they say as client-go
 * does: two renewals by a clock that stands still, or jumps, may read the same.
 */
export function sighted(before: Sighting | undefined, lease: Lease, atMs: number): Sighting {
  const unchanged = before?.lease.metadata.resourceVersion === lease.metadata.resourceVersion
  return before !== undefined && unchanged ? before : { lease, sinceMs: atMs }
}

/**
 * Until when (ms of the same clock) `identity` must leave the Lease alone: it is another's until it has not changed for
 * as long as it lasts. Clocks of two machines are never compared.
 */
export function takenUntilMs({ lease: { record }, sinceMs }: Sighting, identity: string): number {
  const isOthers = record.holderIdentity !== '' && record.holderIdentity !== identity
  return isOthers ? sinceMs + record.leaseDurationSeconds * 1000 : Number.NEGATIVE_INFINITY
}

/** The record with which `identity` becomes the holder. `before`: the Lease found; undefined when there is none. */
export function claimed(
  before: LeaseRecord | undefined,
  identity: string,
  leaseDurationSeconds: number,
  now: Date,
): LeaseRecord {
  // Its own from before, after an outage: still the same stretch.
  if (before?.holderIdentity === identity) return renewed(before, leaseDurationSeconds, now)
  return {
    holderIdentity: identity,
    leaseDurationSeconds,
    acquireTime: microTime(now),
    renewTime: microTime(now),
    leaseTransitions: before === undefined ? 0 : before.leaseTransitions + 1,
  }
}

/** The record with which its holder goes on. It always differs: an update that changes nothing makes no new version. */
export function renewed(before: LeaseRecord, leaseDurationSeconds: number, now: Date): LeaseRecord {
  const renewTime = microTime(now)
  // A clock that stands still is no reason to lose the lead.
  const differs = renewTime !== before.renewTime ? renewTime : renewTime.replace('000Z', '001Z')
  return { ...before, leaseDurationSeconds, renewTime: differs }
}

/** The record with which its holder gives it back. */
export function released({ leaseTransitions }: LeaseRecord, now: Date): LeaseRecord {
  const time = microTime(now)
  return { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: time, renewTime: time, leaseTransitions }
}

/** RFC 3339 with six digits: the API refuses others. */
function microTime(now: Date): string {
  return now.toISOString().replace('Z', '000Z')
}
