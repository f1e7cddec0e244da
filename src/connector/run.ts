/** What operator and sync pod say to each other: the run's orders, the checkpoint, and the report in it. */
import { z } from 'zod'
import { reason } from './reasons.ts'
import { LONGEST, slot, streamProgress, time } from './status.ts'
import { outsideText } from './text.ts'

/** What may be added up, and still is a whole number in a status. */
const count = z.int().min(0).max(1e14)
/** What a pod has to say to people, and whoever else may write into its checkpoint. */
const sentence = outsideText(LONGEST)

/**
 * Requests already made to the account, and how long ago at most: they count against the run's budget. An entry with an
 * endpoint counts against that endpoint's own limit only; the same requests stand in an entry without one as well.
 */
export const spent = z.object({
  secondsAgo: z.number().min(0),
  requests: z.int().min(0),
  endpoint: z.string().optional(),
})
export type Spent = z.output<typeof spent>
/** The same, of whatever age. */
export type Spending = Omit<Spent, 'secondsAgo'>

/** Orders of one run, complete but for the Secret: the operator writes them into the Job, the pod reads them once. */
export const runOrders = z.object({
  namespace: z.string(),
  connector: z.string(),
  displayName: z.string(),
  /** Identity of the run: the name of its Job. */
  run: z.string(),
  /** Number of the run; a later run has a greater one. */
  slot: z.int(),
  endpoint: z.string(),
  requestsPerMinute: z.int().min(1),
  lookbackSeconds: z.int(),
  streams: z.array(z.string()),
  sink: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('file'), claimName: z.string() }),
    z.object({
      kind: z.literal('s3'),
      bucket: z.string(),
      prefix: z.string(),
      region: z.string(),
      /** None: AWS. */
      endpoint: z.string().optional(),
      pathStyle: z.boolean(),
      /** Whether a Secret is mounted with the credentials. */
      secret: z.boolean(),
    }),
    z.object({
      kind: z.literal('http'),
      url: z.string(),
      format: z.enum(['NDJSON', 'JSONArray', 'SplunkHEC']),
      gzip: z.boolean(),
      acknowledge: z.boolean(),
      /** Whether a Secret is mounted with headers. */
      secret: z.boolean(),
    }),
    z.object({ kind: z.literal('stdout') }),
  ]),
  /** Version of the sink's Secret as the operator saw it; for the operator alone. */
  sinkSecret: z.string().optional(),
  /** Fields of Zendesk that are not stored. */
  redact: z.array(z.string()),
  /** Snapshots that began before are taken anew. */
  snapshotsSince: time.optional(),
  /** Name of the ConfigMap that holds the checkpoint. */
  checkpoint: z.string(),
  /** After this long the run stops with more to do, so that others have their turn. */
  sliceSeconds: z.int(),
  spent: z.array(spent),
})
export type RunOrders = z.output<typeof runOrders>

/** What one stream has come to. Counts are of the run, but `records`, which are the chain's. */
const streamMeasures = streamProgress.extend({
  records: count,
  published: count,
  /** Published though older than what was published before. */
  late: count,
  /** Published as OCSF base events, being of no known kind. */
  unmapped: count,
  /** Refused by the sink for good. */
  rejected: count,
  requests: count,
  /** Of Zendesk's answers, uncompressed. */
  bytes: count,
})

/** Each stream once: the API server refuses a status that tells of one twice. */
const streamsMeasures = z
  .array(streamMeasures)
  .max(32)
  .refine((streams) => new Set(streams.map(({ name }) => name)).size === streams.length)

/** What a run has done so far. */
export const measures = z.object({
  /** Published by this run. */
  records: count,
  /** Made by this run, those for tokens included. */
  requests: count,
  bytes: count,
  /** Requests answered with 429. */
  throttled: count,
  /** Time spent waiting because Zendesk, or courtesy to other clients, asked for it. */
  throttledSeconds: z.number().min(0).max(1e9),
  /** Attempts that had to be repeated, by the kind of failure. */
  retries: z.record(z.string(), z.int()),
  /**
   * Requests by the status code of their answer; `<error>`: there was none. A list: with numbers for names each object
   * would take kilobytes, and the operator keeps one of each connector.
   */
  codes: z.array(z.object({ code: z.string(), requests: z.int() })).default([]),
  streams: streamsMeasures,
})
export type Measures = z.output<typeof measures>

/** How far a run has come. */
export const progress = z.object({
  /** For people. */
  sentence,
  /** An estimate; none when nothing can be said. */
  percent: z.int().min(0).max(100).optional(),
  estimatedCompletionTime: time.optional(),
  /** What it waits for just now. */
  waitingFor: sentence.optional(),
  measures,
})
export type Progress = z.output<typeof progress>

/** What a run has to say when it ends. */
export const report = measures.extend({
  run: z.string(),
  slot: z.int(),
  result: z.enum(['Succeeded', 'MoreToDo', 'Failed']),
  reason: reason.optional(),
  message: sentence.optional(),
  startTime: time,
  endTime: time,
})
export type Report = z.output<typeof report>

/** Where one stream's chain stands. */
export const chainState = z.object({
  /** Number of the segment that comes next. */
  next: z.int().min(0),
  /** The stream's own position (a time, a cursor, a snapshot and a cursor); none before its first segment. */
  position: z.string().optional(),
  /** Of a log: everything up to then was read to its end; nothing came that would have moved the position. */
  readTo: time.optional(),
  /** Fixed by the stream's first run: nothing older is ever read. */
  lowerBound: time,
  records: count,
  newestRecordTime: time.optional(),
  complete: z.boolean(),
  /** Keys of the last records, only for sinks that cannot be read back. */
  recent: z.array(z.string()).optional(),
})
export type ChainState = z.output<typeof chainState>

/** The checkpoint: one ConfigMap per connector. Who holds it may send requests and move positions. */
export const checkpoint = z.object({
  /** Subdomain of the account. */
  account: z.string(),
  /** Identity of the sink: another one is another chain. */
  sink: z.string(),
  holder: z
    .object({
      run: z.string(),
      slot,
      pod: z.string(),
      claimTime: time,
      renewTime: time,
      released: z.boolean(),
    })
    .optional(),
  streams: z.record(z.string(), chainState),
  /** Requests of the last minute before `at`, recorded by a run that ended cleanly; times are the writer's clock. */
  budget: z.object({ at: time, spent: z.array(spent) }).optional(),
  progress: progress.optional(),
  report: report.optional(),
})
export type Checkpoint = z.output<typeof checkpoint>

/** A checkpoint but for where the next run goes on, and the keys of the last records: that is for runs alone. */
export const checkpointSeen = checkpoint.extend({
  streams: z.record(z.string(), chainState.omit({ position: true, readTo: true, recent: true })),
})
export type CheckpointSeen = z.output<typeof checkpointSeen>

/** Key in the ConfigMap's data under which the checkpoint stands as JSON. */
export const CHECKPOINT_KEY = 'checkpoint.json'

/** Exit codes of the sync pod: sysexits.h where it has one. */
export const EXIT = {
  /** Done, or more to do in the next run. */
  ok: 0,
  /** Wrong arguments or orders. */
  usage: 64,
  /** A defect of this program. */
  software: 70,
  /** The sink refuses. */
  sink: 74,
  /** No answer from Zendesk or Kubernetes: try again. */
  tryAgain: 75,
  /** Zendesk refuses: credentials, role, plan. */
  permission: 77,
  /** Another run holds the checkpoint. */
  fenced: 80,
} as const
