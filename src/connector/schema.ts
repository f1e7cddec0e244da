/**
 * The `ZendeskConnector` resource. This is its only source: types, defaults, the CRD and the field documentation that
 * `kubectl explain` prints all come from here. A field is declared when something acts on it, not before.
 */
import { z } from 'zod'
import { durationBetween } from './duration.ts'
import { withRules } from './rule.ts'
import { status } from './status.ts'

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
        'must be the address of one Zendesk account in lower case, such as acme.zendesk.com: no https://, port, path or user name',
      holds: (value) => zendeskHost.test(value),
    },
  ],
  [{ rule: 'self == oldSelf', message: 'cannot be changed: another account is another connector' }],
).describe('Address of the Zendesk account, such as acme.zendesk.com. Cannot be changed.')

const objectName = (what: string) =>
  withRules(z.string().max(253), [
    {
      rule: `self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')`,
      message: `must be the name of a ${what}: lower-case letters, digits, '-' and '.'`,
      holds: (value) => /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(value),
    },
  ])

/** Streams that can be asked for. */
export const STREAMS = ['Users', 'AuditLogs'] as const
export const streamName = z.enum(STREAMS)
export type StreamName = z.output<typeof streamName>

const fileSink = z
  .object({
    claimName: objectName('PersistentVolumeClaim').describe(
      'Name of a PersistentVolumeClaim in the same namespace that is mounted into the sync pod.',
    ),
  })
  .describe('Files on a PersistentVolumeClaim: gzip-compressed NDJSON, each created once and never changed.')

const stdoutSink = z
  .object({})
  .describe("The sync pod's standard output, for a log collector. Records may repeat when a pod dies.")

const sink = withRules(z.object({ file: fileSink.optional(), stdout: stdoutSink.optional() }), [
  {
    rule: '(has(self.file) ? 1 : 0) + (has(self.stdout) ? 1 : 0) == 1',
    message: 'must name exactly one sink: file or stdout',
    holds: (value) => Object.values(value).filter((one) => one !== undefined).length === 1,
  },
]).describe('Where records go: exactly one of the following.')

const sync = z
  .object({
    interval: durationBetween('1m', '168h').default('15m').describe('Least time between the starts of two sync runs.'),
    lookback: durationBetween('1m', '8760h')
      .default('168h')
      .describe('How far before the first run activities are read. Later changes touch only streams not read yet.'),
    streams: z
      .array(streamName)
      .min(1)
      .max(STREAMS.length)
      .default([...STREAMS])
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('What is read: Users (as they stand, and each change) and AuditLogs (activities; Enterprise plans).'),
    sink,
  })
  .describe('What is read, how often, and where it goes.')

export const spec = z
  .object({
    displayName: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('Name shown to people, also for activities of Zendesk itself. Default: metadata.name.'),
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
          .describe('Most requests in any 60 seconds. Zendesk shares the limit of an account among all its clients.'),
      })
      .prefault({})
      .describe('How much of the account’s API budget this connector may use.'),
    connectionTest: z
      .object({
        interval: durationBetween('1m', '168h')
          .default('1h')
          .describe('Time between routine connection tests. A successful sync run counts as one.'),
      })
      .prefault({})
      .describe('How often the connection is tested.'),
    sync,
    suspend: z.boolean().default(false).describe('Stops tests and runs; a running run ends cleanly.'),
  })
  .describe('The account, the credentials, the budget and the sink.')
export type Spec = z.output<typeof spec>

/** Annotations with which a person asks for something; each new value acts once. */
export const TEST_REQUESTED_AT = `${GROUP}/test-requested-at`
export const SYNC_REQUESTED_AT = `${GROUP}/sync-requested-at`

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
    .object({ [TEST_REQUESTED_AT]: z.string().optional(), [SYNC_REQUESTED_AT]: z.string().optional() })
    .prefault({}),
})

/** A connector as the API server serves it. A status that does not parse counts as none: it is written anew. */
export const connector = z.object({ metadata, spec, status: status.optional().catch(undefined) })
export type Connector = z.output<typeof connector>

/** What a person asks for by an annotation, as far as it is kept; undefined: nothing. */
export function requested(
  { metadata }: Connector,
  name: typeof TEST_REQUESTED_AT | typeof SYNC_REQUESTED_AT,
): string | undefined {
  const text = metadata.annotations[name]
  // Cut between characters: half of one would come back from the API server as another.
  return text === undefined ? undefined : [...text.toWellFormed().slice(0, 512)].slice(0, 256).join('').toWellFormed()
}

/** The account's name in Zendesk: `acme` of `acme.zendesk.com`. */
export function subdomain(endpointOfAccount: string): string {
  return endpointOfAccount.slice(0, endpointOfAccount.indexOf('.'))
}

/** `namespace/name`: the key of a connector in queues and caches. */
export function keyOf(object: { readonly metadata: { readonly namespace: string; readonly name: string } }): string {
  return `${object.metadata.namespace}/${object.metadata.name}`
}
