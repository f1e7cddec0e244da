/** Everything that is known of one connector at one moment, gathered from caches: what `decide` judges. */
import type { Checkpoint } from './run.ts'
import type { Connector, RunRequests } from './schema.ts'

/** Identity and version of a Secret; its contents are never kept. */
export type SecretVersion = { readonly uid: string; readonly resourceVersion: string }

/** One pod of a run, as far as it matters. */
export type ObservedPod = {
  readonly name: string
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly creationTime: Date
  /** Why it does not start, in the scheduler's or the kubelet's words: `ErrImagePull: …`, `Unschedulable: …`. */
  readonly waiting?: string
  readonly exitCode?: number
  /** Termination message or reason: `OOMKilled`, or what the sync pod wrote. */
  readonly termination?: string
}

/** A Job of the connector and its pods. */
export type ObservedRun = {
  /** Name of the Job, which is the identity of the run. */
  readonly run: string
  readonly slot: number
  readonly creationTime: Date
  /** metadata.generation of the connector that the run's orders were made from. */
  readonly generation: number
  /** Values of the annotations that this run answers. */
  readonly requests: RunRequests
  /** Version of the sink's Secret that the run was started with. */
  readonly sinkSecret?: string
  readonly state: 'Active' | 'Succeeded' | 'Failed'
  readonly endTime?: Date
  /** Being deleted: it holds its turn until it is gone. */
  readonly deleting: boolean
  /** Reason and message of the Job's Failed condition. */
  readonly failure?: string
  readonly pods: readonly ObservedPod[]
}

export type Observed = {
  readonly connector: Connector
  /** The Secret of `spec.secretRef`; undefined: not there. */
  readonly secret: SecretVersion | undefined
  /** Version of the sink's Secret; undefined: it has none, or it is not there. */
  readonly sinkSecret?: string
  /** Oldest slot first. */
  readonly runs: readonly ObservedRun[]
  readonly checkpoint: Checkpoint | undefined
}
