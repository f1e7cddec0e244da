/** The orders of a run, from the connector as it stands. */
import { milliseconds } from './duration.ts'
import type { RunOrders, Spent } from './run.ts'
import { SLICE_SECONDS } from './schedule.ts'
import type { Connector } from './schema.ts'

/** Names that the cluster's edge gives to what belongs to a run. */
export type RunNames = {
  /** Name of the Job, which is the identity of the run. */
  readonly run: string
  /** Name of the ConfigMap with the checkpoint. */
  readonly checkpoint: string
}

/** Orders of the run in `slot`; `spent` is what the account has seen from us in the last minute. */
export function ordersFor(connector: Connector, slot: number, names: RunNames, spent: readonly Spent[]): RunOrders {
  const { metadata, spec, status } = connector
  const ofAccount = status?.account?.requestsPerMinute ?? Number.POSITIVE_INFINITY
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
    sink:
      spec.sync.sink.file === undefined
        ? { kind: 'stdout' }
        : { kind: 'file', claimName: spec.sync.sink.file.claimName },
    checkpoint: names.checkpoint,
    sliceSeconds: SLICE_SECONDS,
    spent: [...spent],
  }
}
