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
  name: text(64).describe('What was checked: Endpoint, Secret, Token, Admin, a stream, RateLimit.'),
  result: z.enum(['Passed', 'Failed', 'Skipped', 'Unknown']).describe('Unknown: Zendesk gave no answer.'),
  reason: reason.optional().describe('Why it did not pass, in one word.'),
  message: sentence.optional().describe('Why it did not pass and what to do, in one sentence.'),
})
export type Check = z.output<typeof check>

export const condition = z.object({
  type: text(64).describe('Ready, Connected, Synced, Reconciling or Stalled.'),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().min(0).optional(),
  lastTransitionTime: time.describe('When the status last changed.'),
  reason: text(64).describe('Why, in one word.'),
  message: sentence.describe('Why and what to do, in one sentence.'),
})
export type Condition = z.output<typeof condition>

export const streamProgress = z.object({
  name: text(64).describe('The stream.'),
  records: count.describe('Records published since the chain began.'),
  newestRecordTime: time.optional().describe('Time of the newest record published.'),
  complete: z.boolean().describe('False while the first reading goes on.'),
})
export type StreamProgress = z.output<typeof streamProgress>

const activeRun = z.object({
  id: text(253).describe('Identity of the run.'),
  job: text(253).describe('Name of its Job.'),
  startTime: time,
  progress: sentence.optional().describe('How far the run has come.'),
  percent: z.int().min(0).max(100).optional().describe('How much of the run is done; an estimate.'),
  estimatedCompletionTime: time.optional().describe('When the run may be done; an estimate.'),
  waitingFor: sentence.optional().describe('What the run waits for just now.'),
  progressTime: time.optional().describe('When the progress was written here.'),
})

const lastRun = z.object({
  id: text(253).describe('Identity of the run.'),
  result: z.enum(['Succeeded', 'MoreToDo', 'Failed', 'Stopped']),
  reason: reason.optional(),
  message: sentence.optional(),
  startTime: time.optional(),
  endTime: time.optional(),
  records: count.describe('Records published by the run.'),
  requests: count.describe('Requests made to Zendesk by the run, those for tokens included.'),
  throttled: count.describe('Requests that Zendesk answered with 429.'),
  throttledSeconds: z
    .int()
    .min(0)
    .optional()
    .describe('Time spent waiting because Zendesk, or other clients of the account, asked for it.'),
  late: count.optional().describe('Activities that surfaced after younger ones had been read.'),
  rejected: count.optional().describe('Records that the sink refuses for good.'),
})
export type LastRun = z.output<typeof lastRun>

export const connectionTestStatus = z.object({
  lastTime: time.optional().describe('When the last test ended.'),
  consecutiveFailures: count.describe(
    'Tests in a row that ended in the same way, which is not well: failed, or without an answer.',
  ),
  reasonSince: time.optional().describe('Since when tests end with the reason they end with now.'),
  testedGeneration: z.int().optional().describe('metadata.generation that was tested.'),
  testedAfterRun: text(253).optional().describe('The last run that had ended when the test began.'),
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
    .describe('The Secrets as they were tested; without a uid: not there.'),
  checks: z.array(check).max(32).optional().describe('The checks of the last test, in their order.'),
})
export type ConnectionTestStatus = z.output<typeof connectionTestStatus>

export const syncStatus = z.object({
  lastSlot: upTo(2e9)
    .optional()
    .describe('Number of the last run that was started: each number starts one Job at most.'),
  lastStartTime: time.optional().describe('When the last run was started.'),
  lastSuccessTime: time.optional().describe('When a run last ended well.'),
  resyncTime: time.optional().describe('When a resync was last asked for: snapshots that began before are taken anew.'),
  sinkSecret: text(128).optional().describe("Version of the sink's Secret that the last run was started with."),
  waiting: z
    .object({ since: time, for: z.enum(['Account', 'Cluster']) })
    .optional()
    .describe('The next run waits for its turn: for another run of its account to end, or for any in the cluster.'),
  activeRun: activeRun.optional().describe('The run under way.'),
  lastRun: lastRun.optional().describe('The last run that ended.'),
  streams: z
    .array(streamProgress)
    .max(32)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('How far each stream has come.'),
})
export type SyncStatus = z.output<typeof syncStatus>

export const status = z
  .object({
    observedGeneration: z
      .int()
      .default(-1)
      .describe('metadata.generation that this status speaks of; -1 before the first.'),
    connection: z.enum(['Pending', 'Connected', 'Error']).default('Pending').describe('The connection in one word.'),
    account: z
      .object({
        subdomain: text(63),
        userId: text(32).optional().describe('Id of the user behind the OAuth client.'),
        role: text(64).optional().describe('Role of that user.'),
        requestsPerMinute: count.optional().describe("The account's own limit, as Zendesk last stated it."),
      })
      .optional()
      .describe('The Zendesk account as the last test saw it.'),
    connectionTest: connectionTestStatus.optional().describe('The last connection test.'),
    sync: syncStatus.optional().describe('The runs and how far they have come.'),
    lastHandledTestRequest: text(256).optional().describe('Handled value of the annotation test-requested-at.'),
    lastHandledSyncRequest: text(256).optional().describe('Handled value of the annotation sync-requested-at.'),
    lastHandledResyncRequest: text(256).optional().describe('Handled value of the annotation resync-requested-at.'),
    conditions: z
      .array(condition)
      .max(16)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
      .describe('Ready, Connected and Synced; Reconciling or Stalled only when true.'),
  })
  .describe('What the operator knows of the connection and its runs.')
export type Status = z.output<typeof status>
