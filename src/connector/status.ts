/** What the operator writes down about a connector. Facts first; `connection` and `conditions` are derived from them. */
import { z } from 'zod'
import { reason } from './reasons.ts'
import { plainText } from './text.ts'

/** A time as the API server takes it: zod alone would do without seconds. */
export const time = z.iso
  .datetime()
  .refine((text) => /T\d\d:\d\d:\d\d/.test(text))
  .meta({ format: 'date-time' })
// Far below where adding one makes no difference: a status beyond it was written by nobody who counts.
const upTo = (most: number) =>
  z
    .int()
    .min(0)
    .refine((one) => one <= most)
const count = upTo(1e14)
/** The number of a run. None that was counted comes near the limit: what is beyond it was written by nobody who counts. */
export const slot = upTo(1e9)
/** The longest message that a status holds. */
export const LONGEST = 1024
// Plain also where a status stands: an operator of another version, or a person, may have written it.
const text = (most: number) =>
  z
    .string()
    .max(most)
    .transform((one) => plainText(one, most))
const sentence = text(LONGEST)

export const check = z.object({
  name: text(64).describe('Name of the check: Endpoint, Secret, Token, Admin, a stream, or RateLimit.'),
  result: z.enum(['Passed', 'Failed', 'Skipped', 'Unknown']).describe('Unknown: Zendesk did not answer.'),
  reason: reason.optional().describe('Why the check did not pass.'),
  message: sentence.optional().describe('Why the check did not pass, and what to do.'),
})
export type Check = z.output<typeof check>

export const condition = z.object({
  type: text(64).describe('Ready, Connected, Synced, Reconciling or Stalled.'),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().min(0).optional(),
  lastTransitionTime: time.describe('When the status last changed.'),
  reason: text(64).describe('Reason of the status.'),
  message: sentence.describe('Explanation of the reason, and what to do.'),
})
export type Condition = z.output<typeof condition>

export const streamProgress = z.object({
  name: text(64).describe('Name of the stream.'),
  records: count.describe('Records published since the start of the chain.'),
  newestRecordTime: time.optional().describe('Time of the newest published record.'),
  complete: z.boolean().describe('False until the stream was read completely for the first time.'),
})
export type StreamProgress = z.output<typeof streamProgress>

const activeRun = z.object({
  id: text(253).describe('ID of the run.'),
  job: text(253).describe('Name of its Job.'),
  startTime: time,
  progress: sentence.optional().describe('Progress of the run.'),
  percent: z.int().min(0).max(100).optional().describe('Estimated progress of the run in percent.'),
  estimatedCompletionTime: time.optional().describe('Estimated end of the run.'),
  waitingFor: sentence.optional().describe('What the run is currently waiting for.'),
  progressTime: time.optional().describe('When the progress was last updated.'),
})

const lastRun = z.object({
  id: text(253).describe('ID of the run.'),
  result: z.enum(['Succeeded', 'MoreToDo', 'Failed', 'Stopped']),
  reason: reason.optional(),
  message: sentence.optional(),
  startTime: time.optional(),
  endTime: time.optional(),
  records: count.describe('Records published by the run.'),
  requests: count.describe('Requests made to Zendesk by the run, including token requests.'),
  throttled: count.describe('Requests that Zendesk answered with 429.'),
  throttledSeconds: z
    .int()
    .min(0)
    .optional()
    .describe('Time spent waiting because Zendesk, or other clients of the account, required it.'),
  late: count.optional().describe('Activities that Zendesk served after newer ones had been read.'),
  rejected: count.optional().describe('Records that the sink permanently rejected.'),
})
export type LastRun = z.output<typeof lastRun>

export const connectionTestStatus = z.object({
  lastTime: time.optional().describe('When the last test ended.'),
  consecutiveFailures: count.describe(
    'Consecutive tests that ended in the same bad way: failed, or without an answer.',
  ),
  reasonSince: time.optional().describe('When tests started to end with the current reason.'),
  testedGeneration: z.int().optional().describe('metadata.generation that was tested.'),
  testedAfterRun: text(253).optional().describe('The last run that had ended when the test started.'),
  testedSecrets: z
    .array(
      z.object({
        name: text(253),
        uid: text(64).optional(),
        resourceVersion: text(64).optional(),
      }),
    )
    .max(8)
    .optional()
    .describe('Versions of the tested Secrets; without a uid, the Secret did not exist.'),
  checks: z.array(check).max(32).optional().describe('Checks of the last test, in order.'),
})
export type ConnectionTestStatus = z.output<typeof connectionTestStatus>

export const syncStatus = z.object({
  lastSlot: upTo(2e9).optional().describe('Number of the last started run; each number starts at most one Job.'),
  lastStartTime: time.optional().describe('When the last run was started.'),
  lastSuccessTime: time.optional().describe('When a run last succeeded.'),
  resyncTime: time.optional().describe('When a resync was last requested; snapshots that started earlier are retaken.'),
  sinkSecret: text(128).optional().describe("Version of the sink's Secret at the start of the last run."),
  waiting: z
    .object({ since: time, for: z.enum(['Account', 'Cluster']) })
    .optional()
    .describe('The next run waits for another run to end: one of its account, or any in the cluster.'),
  activeRun: activeRun.optional().describe('The active run.'),
  lastRun: lastRun.optional().describe('The last run that ended.'),
  streams: z
    .array(streamProgress)
    .max(32)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('Progress of each stream.'),
})
export type SyncStatus = z.output<typeof syncStatus>

export const status = z
  .object({
    observedGeneration: z.int().default(-1).describe('metadata.generation that this status refers to; -1 initially.'),
    connection: z.enum(['Pending', 'Connected', 'Error']).default('Pending').describe('State of the connection.'),
    account: z
      .object({
        subdomain: text(63),
        userId: text(32).optional().describe('ID of the user of the OAuth client.'),
        role: text(64).optional().describe('Role of that user.'),
        requestsPerMinute: count.optional().describe("The account's own limit, as last reported by Zendesk."),
      })
      .optional()
      .describe('The Zendesk account, as seen by the last test.'),
    connectionTest: connectionTestStatus.optional().describe('The last connection test.'),
    sync: syncStatus.optional().describe('Runs and their progress.'),
    lastHandledTestRequest: text(256).optional().describe('Last handled value of the annotation test-requested-at.'),
    lastHandledSyncRequest: text(256).optional().describe('Last handled value of the annotation sync-requested-at.'),
    lastHandledResyncRequest: text(256)
      .optional()
      .describe('Last handled value of the annotation resync-requested-at.'),
    conditions: z
      .array(condition)
      .max(16)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
      .describe('Ready, Connected and Synced; Reconciling or Stalled only while true.'),
  })
  .describe('Observed state of the connection and its runs.')
export type Status = z.output<typeof status>
