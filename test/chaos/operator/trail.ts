/**
 * What the operator's replicas wrote, told by the API server's audit log: who held the Lease when, whether anybody wrote
 * who no longer held it, and whether a slot had two Jobs. Revisions of etcd put it in order, not clocks. Pure.
 */
import { z } from 'zod'

/** The audit policy that this takes: answers tell revision and owner, and requests who wants the Lease. */
export const auditRulesFor = (user: string): readonly object[] => [
  { level: 'RequestResponse', users: [user], verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
]

const TOKEN_ID = 'authentication.kubernetes.io/credential-id'
const SLOT = 'cloudapps.security/slot'

const written = z.object({
  metadata: z.looseObject({
    resourceVersion: z.string().optional(),
    uid: z.string().default(''),
    labels: z.record(z.string(), z.string()).default({}),
    ownerReferences: z.array(z.object({ uid: z.string(), controller: z.boolean().default(false) })).default([]),
  }),
  spec: z.looseObject({ holderIdentity: z.string().nullish() }).optional(),
})

const entry = z.object({
  verb: z.string(),
  stageTimestamp: z.string(),
  user: z.object({ username: z.string(), extra: z.record(z.string(), z.array(z.string())).default({}) }),
  objectRef: z
    .object({ resource: z.string().default(''), subresource: z.string().optional(), name: z.string().default('') })
    .optional(),
  responseStatus: z.object({ code: z.number().default(0) }).optional(),
  responseObject: z.unknown().optional(),
})

/** One write that took effect. */
export type Write = {
  /** Id of the token that it was made with. */
  readonly token: string
  /** When it was answered, in ms since 1970 by the API server's clock. */
  readonly at: number
  /** `patch zendeskconnectors/status acme`. */
  readonly what: string
  /** Of etcd; absent where the answer does not tell. */
  readonly revision?: number
  /** Who holds the Lease by this write of it; '': nobody any more. */
  readonly holder?: string
  /** The Job that was created by it. */
  readonly job?: Job
}

/** A Job, and the slot of the connector that it belongs to. */
export type Job = { readonly uid: string; readonly slot: string }

const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection']

/** The writes of that user that took effect, in their order. */
export function writesIn(auditLog: string, user: string): Write[] {
  // The last line may still be on its way, and a server that is killed leaves half of one.
  const lines = auditLog.split('\n').filter((line) => line.includes(user) && line.endsWith('}'))
  return lines
    .flatMap((line) => {
      const {
        verb,
        user: by,
        objectRef,
        responseStatus,
        stageTimestamp,
        responseObject,
      } = entry.parse(JSON.parse(line))
      if (by.username !== user || !WRITES.includes(verb) || (responseStatus?.code ?? 0) >= 300) return []
      const { resource = '', subresource, name = '' } = objectRef ?? {}
      const answer = written.safeParse(responseObject).data
      const revision = Number(answer?.metadata.resourceVersion ?? Number.NaN)
      const isJob = verb === 'create' && resource === 'jobs' && answer !== undefined
      return [
        {
          token: (by.extra[TOKEN_ID] ?? []).join().replace('JTI=', ''),
          at: Date.parse(stageTimestamp),
          what: `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`} ${name}`.trimEnd(),
          ...(Number.isNaN(revision) ? {} : { revision }),
          ...(resource === 'leases' ? { holder: answer?.spec?.holderIdentity ?? '' } : {}),
          ...(isJob ? { job: jobOf(answer) } : {}),
        },
      ]
    })
    .sort((one, other) => (one.revision ?? 0) - (other.revision ?? 0) || one.at - other.at)
}

/** A Job as the API server serves it. */
export function jobOf(served: unknown): Job {
  const { metadata } = written.parse(served)
  const owner = metadata.ownerReferences.find(({ controller }) => controller)?.uid ?? 'nobody'
  return { uid: metadata.uid, slot: `${owner}/${metadata.labels[SLOT]}` }
}

/** One stretch in which a replica held the Lease, by the writes of it. */
export type Term = { readonly token: string; readonly holder: string; readonly from: Write; readonly to?: Write }

/** From each write that changed the holder to the next one that did. */
export function termsOf(writes: readonly Write[]): Term[] {
  const changes = writes
    .filter(({ holder }) => holder !== undefined)
    .filter(({ holder }, index, all) => index === 0 || holder !== all[index - 1]?.holder)
  return changes.flatMap((from, index) => {
    const to = changes[index + 1]
    if (from.holder === undefined || from.holder === '') return []
    return [{ token: from.token, holder: from.holder, from, ...(to && { to }) }]
  })
}

/** Writes of a replica after another one had taken the Lease, or after it had given it back itself. */
export function staleWrites(writes: readonly Write[], replicaOf: (token: string) => string): Write[] {
  const terms = termsOf(writes)
  return writes.filter((write) => {
    if (write.holder !== undefined) return false
    const term = terms.findLast(({ from }) => isBefore(from, write))
    const isOver = term?.to !== undefined && isBefore(term.to, write)
    return term === undefined || isOver || replicaOf(term.token) !== replicaOf(write.token)
  })
}

function isBefore(one: Write, other: Write): boolean {
  if (one.revision !== undefined && other.revision !== undefined) return one.revision < other.revision
  return one.at < other.at
}

/** Slots that had more than one Job: `<uid of the connector>/<slot>`. */
export function slotsWithTwo(jobs: Iterable<Job>): string[] {
  const slots = Map.groupBy(jobs, ({ slot }) => slot)
  return [...slots].filter(([, all]) => new Set(all.map(({ uid }) => uid)).size > 1).map(([slot]) => slot)
}
