/** Everything that is known of one connector at one moment, gathered from caches: what `decide` judges. */
import type { CheckpointSeen, Spent } from './run.ts'
import type { Connector, RunRequests } from './schema.ts'

/** Identity and version of a Secret; its contents are never kept. */
export type SecretVersion = { readonly uid: string; readonly resourceVersion: string }

/** One pod of a run, as far as it matters. */
export type ObservedPod = {
  readonly name: string
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly creationTime: Date
  /** It is being deleted, and was to be gone by then. */
  readonly deletionTime?: Date
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

/** Who has spent what, as a run writes it down. */
export type Books = Pick<CheckpointSeen, 'holder' | 'budget'>

/** What else goes on in the connector's Zendesk account: its budget belongs to all of its connectors. */
export type Account = {
  /** A run of another connector has not ended, or one of a connector that is gone; of this one none counts. */
  readonly busy: boolean
  /** What the checkpoints of the account's other connectors tell of what their runs have spent. */
  readonly checkpoints: readonly Books[]
}

export type Observed = {
  readonly connector: Connector
  /** The Secret of `spec.secretRef`; undefined: not there. */
  readonly secret: SecretVersion | undefined
  /** Version of the sink's Secret; undefined: it has none, or it is not there. */
  readonly sinkSecret?: string
  /** Oldest slot first. */
  readonly runs: readonly ObservedRun[]
  readonly checkpoint: CheckpointSeen | undefined
  readonly account: Account
}

/** What this process knows beside what is observed. */
export type Standing = {
  /** What tests have spent of the account's budget in the last minute. */
  readonly spentByTests: readonly Spent[]
  /** It is this connector's turn to be tested: so many at a time, one of an account. */
  readonly mayTest: boolean
  /** It is its turn to run. */
  readonly mayRun: boolean
  /** It stands in line for that. */
  readonly runWaits?: Wait
}

/** A run that waits for its turn: for that of another in its account to end, or for any of those in the cluster. */
export type Wait = { readonly since: Date; readonly for: 'Account' | 'Cluster' }
