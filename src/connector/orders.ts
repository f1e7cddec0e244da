/** The orders of a run, from the connector as it stands. */
import { milliseconds } from './duration.ts'
import type { RunOrders, Spent } from './run.ts'
import { SLICE_SECONDS } from './schedule.ts'
import { type Connector, isNewResync, runRequests, type Spec } from './schema.ts'

/** Names that the cluster's edge gives to what belongs to a run. */
export type RunNames = {
  /** Name of the Job, which is the identity of the run. */
  readonly run: string
  /** Name of the ConfigMap with the checkpoint. */
  readonly checkpoint: string
}

/** Orders of the run in `slot`, started `now`; `spent` is what the account has seen from us in the last minute. */
export function ordersFor(
  connector: Connector,
  slot: number,
  names: RunNames,
  spent: readonly Spent[],
  now: Date,
): RunOrders {
  const { metadata, spec, status } = connector
  const ofAccount = status?.account?.requestsPerMinute ?? Number.POSITIVE_INFINITY
  const isResync = isNewResync(runRequests(connector), status)
  const resyncTime = isResync ? now.toISOString() : status?.sync?.resyncTime
  return {
    namespace: metadata.namespace,
    connector: metadata.name,
    displayName: spec.displayName ?? metadata.name,
    run: names.run,
    slot,
    endpoint: spec.endpoint,
    requestsPerMinute: Math.min(spec.rateLimit.requestsPerMinute, ofAccount),
    lookbackSeconds: milliseconds(spec.sync.lookback) / 1000,
    streams: [...spec.sync.streams],
    sink: sinkOrders(spec.sync.sink),
    redact: [...spec.sync.redact],
    ...(resyncTime !== undefined && { snapshotsSince: resyncTime }),
    checkpoint: names.checkpoint,
    sliceSeconds: SLICE_SECONDS,
    spent: [...spent],
  }
}

/** The one sink that a spec names. */
export function sinkOrders({ file, s3, http }: Spec['sync']['sink']): RunOrders['sink'] {
  if (file !== undefined) return { kind: 'file', claimName: file.claimName }
  if (s3 !== undefined) {
    const { bucket, prefix = '', region, endpoint, pathStyle, secretRef } = s3
    const secret = secretRef !== undefined
    return { kind: 's3', bucket, prefix, region, ...(endpoint && { endpoint }), pathStyle, secret }
  }
  if (http === undefined) return { kind: 'stdout' }
  const { url, format, gzip, acknowledge, secretRef } = http
  return { kind: 'http', url, format, gzip, acknowledge, secret: secretRef !== undefined }
}
