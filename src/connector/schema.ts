/**
 * The `ZendeskConnector` resource. This is its only source: types, defaults, the CRD and the field documentation that
 * `kubectl explain` prints all come from here. A field is declared when something acts on it, not before.
 */
import { z } from 'zod'
import { durationBetween } from './duration.ts'
import { asSet, withRules } from './rule.ts'
import { type Status, status } from './status.ts'
import { plainText } from './text.ts'

export const GROUP = 'cloudapps.security'
export const VERSION = 'v1alpha1'
export const KIND = 'ZendeskConnector'
export const PLURAL = 'zendeskconnectors'

/** One DNS label before `.zendesk.com`: host mapping changes only the help centre's URL (zendesk-api.md, Hosts: D, I). */
const zendeskHost = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.zendesk\.com$/

const endpoint = withRules(
  z.string().max(76),
  [
    {
      rule: `self.matches('${zendeskHost.source.replaceAll('\\', '\\\\')}')`,
      message:
        'must be the host of one Zendesk account in lower case, such as acme.zendesk.com, without https://, port, path or user name',
      holds: (value) => zendeskHost.test(value),
    },
  ],
  [{ rule: 'self == oldSelf', message: 'is immutable: create another connector for another account' }],
).describe('Host of the Zendesk account, such as acme.zendesk.com. Immutable.')

const objectName = (what: string) =>
  withRules(z.string().max(253), [
    {
      rule: `self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')`,
      message: `must be the name of a ${what}: lower-case letters, digits, '-' and '.'`,
      holds: (value) => /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(value),
    },
  ])

/** Streams that are read unless others are named … */
const USUAL_STREAMS = ['Users', 'DeletedUsers', 'Groups', 'GroupMemberships', 'CustomRoles', 'AuditLogs'] as const
/** … and all that can be asked for. */
export const STREAMS = [...USUAL_STREAMS, 'AccessLogs', 'OAuthClients', 'OAuthTokens'] as const
export const streamName = z.enum(STREAMS)
export type StreamName = z.output<typeof streamName>

const fileSink = z
  .object({
    claimName: objectName('PersistentVolumeClaim').describe(
      'Name of a PersistentVolumeClaim in the same namespace, to mount into the sync pod.',
    ),
  })
  .describe('Writes immutable files of gzip-compressed NDJSON to a PersistentVolumeClaim.')

const secretOf = (keys: string) =>
  z.object({ name: objectName('Secret').describe('Name of the Secret, in the same namespace.') }).describe(keys)

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
/** Spelt out, since CEL and JavaScript do not mean the same by a space; and nothing that a terminal obeys. */
const BLANK = String.raw`\x00-\x20\x7f-\xa0`
const bareUrl = new RegExp(`^https?://[^@?#/${BLANK}]+(/[^#${BLANK}]*)?$`)
const bareOrigin = new RegExp(`^https?://[^@?#/${BLANK}]+$`)
const objectPrefix = new RegExp(`^[^/${BLANK}]([^${BLANK}]*[^/${BLANK}])?$`)

const matching = (pattern: RegExp, longest: number, message: string) =>
  withRules(z.string().max(longest), [
    {
      rule: `self.matches('${pattern.source.replaceAll('\\/', '/').replaceAll('\\', '\\\\')}')`,
      message,
      holds: (value) => pattern.test(value),
    },
  ])

const s3Sink = z
  .object({
    bucket: matching(bucketName, 63, 'must be a valid bucket name, such as security-data').describe(
      'Name of an existing bucket.',
    ),
    prefix: matching(objectPrefix, 512, 'must not start or end with a slash, or contain spaces')
      .optional()
      .describe('Prefix of the object keys.'),
    region: z.string().min(1).max(64).default('us-east-1').describe('Region of the bucket.'),
    endpoint: matching(
      bareOrigin,
      512,
      'must be a scheme, a host and optionally a port, such as https://minio.storage.svc:9000',
    )
      .optional()
      .describe('URL of an S3-compatible store. Default: AWS.'),
    pathStyle: z.boolean().default(false).describe('Use path-style addressing, as most stores other than AWS require.'),
    secretRef: secretOf(
      'Secret with the keys accessKeyId, secretAccessKey and, for temporary credentials, sessionToken. Default: the credentials of the pod, such as IRSA.',
    ).optional(),
  })
  .describe(
    'Writes immutable objects of gzip-compressed NDJSON to S3, or to a compatible store that honours conditional writes.',
  )

const httpSink = withRules(
  z.object({
    url: matching(
      bareUrl,
      1024,
      'must start with http:// or https:// and not contain a user, password or fragment: put credentials into the Secret, as headers',
    ).describe('URL to post batches to.'),
    format: z.enum(['NDJSON', 'JSONArray', 'SplunkHEC']).default('NDJSON').describe('Format of a batch.'),
    gzip: z.boolean().default(true).describe('Compress batches.'),
    acknowledge: z
      .boolean()
      .default(false)
      .describe('With SplunkHEC: a batch counts only once the indexers have acknowledged it.'),
    secretRef: secretOf('Secret whose keys and values are sent as HTTP headers, such as Authorization.').optional(),
  }),
  [
    {
      rule: "!self.acknowledge || self.format == 'SplunkHEC'",
      message: 'acknowledge requires the format SplunkHEC',
      holds: ({ acknowledge, format }) => !acknowledge || format === 'SplunkHEC',
    },
  ],
).describe(
  'Posts batches of at most 1 MB to an HTTP collector. Delivery is at least once; repeated records have the same uid.',
)

const stdoutSink = z
  .object({})
  .describe("Writes to the sync pod's standard output, for a log collector. No delivery guarantee if a pod dies.")

const SINKS = ['file', 's3', 'http', 'stdout'] as const

const sink = withRules(
  z.object({
    file: fileSink.optional(),
    s3: s3Sink.optional(),
    http: httpSink.optional(),
    stdout: stdoutSink.optional(),
  }),
  [
    {
      rule: `${SINKS.map((name) => `(has(self.${name}) ? 1 : 0)`).join(' + ')} == 1`,
      message: `must name exactly one sink: ${SINKS.slice(0, -1).join(', ')} or ${SINKS.at(-1)}`,
      holds: (value) => Object.values(value).filter((one) => one !== undefined).length === 1,
    },
  ],
).describe('Where to write records: exactly one of the following.')

/** Without these a record could not be told apart, put in its place or understood: no actor means Zendesk itself. */
const NEVER_REDACTED = ['id', 'action', 'actor_id', 'source_type', 'created_at', 'updated_at', 'timestamp']

const redact = withRules(asSet(z.array(z.string().min(1).max(64)).max(32).default([])), [
  {
    rule: `self.all(name, !(name in [${NEVER_REDACTED.map((name) => `'${name}'`).join(', ')}]))`,
    message: `cannot name ${NEVER_REDACTED.join(', ')}, which every record needs`,
    holds: (names) => !names.some((name) => NEVER_REDACTED.includes(name)),
  },
]).describe(
  'Zendesk fields whose values are replaced with null before records are stored, such as email, phone, ip_address.',
)

const sync = z
  .object({
    interval: durationBetween('1m', '168h')
      .default('15m')
      .describe('Minimum time between the starts of two sync runs.'),
    lookback: durationBetween('1m', '8760h')
      .default('168h')
      .describe(
        'How far back the first run reads activities. Later changes only affect streams that were not read yet.',
      ),
    streams: asSet(
      z
        .array(streamName)
        .min(1)
        .max(STREAMS.length)
        .default([...USUAL_STREAMS]),
    ).describe(
      'Streams to read. Users: current state and every change. AuditLogs (Enterprise plans) and AccessLogs (add-on): activities. All others: a daily snapshot.',
    ),
    sink,
    redact,
  })
  .describe('What to read, how often, and where to write it.')

export const spec = z
  .object({
    displayName: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('Display name, also used for activities of Zendesk itself. Default: metadata.name.'),
    endpoint,
    secretRef: z
      .object({ name: objectName('Secret').describe('Name of the Secret, in the same namespace.') })
      .describe(
        'Secret with the keys clientId and clientSecret of a confidential OAuth client of the Zendesk account.',
      ),
    rateLimit: z
      .object({
        requestsPerMinute: z
          .int()
          .min(10)
          .max(2500)
          .default(200)
          .describe('Maximum number of requests in any 60 seconds. All clients of a Zendesk account share its limit.'),
      })
      .prefault({})
      .describe('How much of the account’s API rate limit this connector may use.'),
    connectionTest: z
      .object({
        interval: durationBetween('1m', '168h')
          .default('1h')
          .describe('Time between routine connection tests. A successful sync run counts as one.'),
      })
      .prefault({})
      .describe('How often to test the connection.'),
    sync,
    suspend: z.boolean().default(false).describe('Stops tests and runs; an active run ends cleanly.'),
  })
  .describe('Account, credentials, rate limit and sink.')
export type Spec = z.output<typeof spec>

/** Annotations with which a person asks for something; each new value acts once. */
export const TEST_REQUESTED_AT = `${GROUP}/test-requested-at`
export const SYNC_REQUESTED_AT = `${GROUP}/sync-requested-at`
/** As a run, and all snapshots are taken anew. */
export const RESYNC_REQUESTED_AT = `${GROUP}/resync-requested-at`
export type Request = typeof TEST_REQUESTED_AT | typeof SYNC_REQUESTED_AT | typeof RESYNC_REQUESTED_AT

const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  generation: z.number().default(0),
  creationTimestamp: z.iso.datetime(),
  deletionTimestamp: z.iso.datetime().optional(),
  resourceVersion: z.string().default(''),
  // Others are dropped at the door: `kubectl apply` keeps a whole copy of the object in one.
  annotations: z
    .object({
      [TEST_REQUESTED_AT]: z.string().optional(),
      [SYNC_REQUESTED_AT]: z.string().optional(),
      [RESYNC_REQUESTED_AT]: z.string().optional(),
    })
    .prefault({}),
})

/** A connector as the API server serves it. A status that does not parse counts as none: it is written anew. */
export const connector = z.object({ metadata, spec, status: status.optional().catch(undefined) })
export type Connector = z.output<typeof connector>

/** What a person asks for by an annotation, as far as it is kept; undefined: nothing. */
export function requested({ metadata }: Connector, name: Request): string | undefined {
  const text = metadata.annotations[name]
  return text === undefined ? undefined : asKept(text)
}

/** What is kept of a request: the status and the Job tell it again. */
export const asKept = (value: string) => plainText(value, 256)

/** What a person asks of the next run. */
export function runRequests(connector: Connector): RunRequests {
  const sync = requested(connector, SYNC_REQUESTED_AT)
  const resync = requested(connector, RESYNC_REQUESTED_AT)
  return { ...(sync !== undefined && { sync }), ...(resync !== undefined && { resync }) }
}

/** Whether snapshots are asked for anew, and no run was started for it yet. */
export function isNewResync({ resync }: RunRequests, status: Status | undefined): boolean {
  return resync !== undefined && resync !== status?.lastHandledResyncRequest
}

/** What a person has asked of a run, by annotations. */
export type RunRequests = {
  /** Value of sync-requested-at. */
  readonly sync?: string
  /** Value of resync-requested-at. */
  readonly resync?: string
}

/** Name of the Secret of the sink, where it has one. */
export function sinkSecretName({ s3, http }: Spec['sync']['sink']): string | undefined {
  return (s3 ?? http)?.secretRef?.name
}

/** The account's name in Zendesk: `acme` of `acme.zendesk.com`. */
export function subdomain(endpointOfAccount: string): string {
  return endpointOfAccount.slice(0, endpointOfAccount.indexOf('.'))
}

/** `namespace/name`: the key of a connector in queues and caches. */
export function keyOf(object: { readonly metadata: { readonly namespace: string; readonly name: string } }): string {
  return `${object.metadata.namespace}/${object.metadata.name}`
}
