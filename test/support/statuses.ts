/**
 * Every status that was ever written, from the API server's audit log: a watch may tell two writes as one, the log does
 * not. `auditedStatuses` are the rules that put whole objects into it.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const GROUP = 'cloudapps.security'
const PLURAL = 'zendeskconnectors'

/** Rules of the audit policy: writes of connectors are kept with the object that came of them. */
export const auditedStatuses = [
  {
    level: 'RequestResponse',
    verbs: ['create', 'update', 'patch'],
    resources: [{ group: GROUP, resources: [PLURAL, `${PLURAL}/status`] }],
    omitManagedFields: true,
  },
]

const text = z.string().optional()
const check = z.object({ name: z.string(), result: z.string(), reason: text, message: text })
const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
  observedGeneration: z.number().optional(),
})
const status = z.looseObject({
  observedGeneration: z.number(),
  connection: text,
  conditions: z.array(condition).default([]),
  connectionTest: z
    .looseObject({
      lastTime: text,
      reasonSince: text,
      consecutiveFailures: z.number().default(0),
      testedGeneration: z.number().optional(),
      checks: z.array(check).default([]),
    })
    .optional(),
  sync: z
    .looseObject({
      lastSuccessTime: text,
      lastRun: z.looseObject({ id: z.string(), result: z.string(), reason: text }).optional(),
    })
    .optional(),
})
const written = z.looseObject({
  metadata: z.looseObject({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.number(),
  }),
  spec: z.looseObject({ suspend: z.boolean().default(false) }),
  status,
})

/** A status as it was written, judged by what it says and by nothing of `src/`. */
export type WrittenStatus = z.output<typeof status>
export type Condition = z.output<typeof condition>

/** An object after a write. */
export type Version = {
  readonly at: Date
  readonly by: string
  /** Whether the write was one of the status. */
  readonly ofStatus: boolean
  /** Whether the write changed nothing. */
  readonly idle: boolean
  readonly raw: object
  readonly generation: number
  readonly suspend: boolean
  readonly status: WrittenStatus
}

/** One connector's life: `security/acme`, and what it was after each write. */
export type Life = { readonly name: string; readonly uid: string; readonly versions: readonly Version[] }

const entry = z.object({
  verb: z.string(),
  requestReceivedTimestamp: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ apiGroup: text, resource: text, subresource: text }).optional(),
  responseStatus: z.object({ code: z.number().default(0) }).optional(),
  requestURI: z.string(),
  responseObject: z.unknown().optional(),
})

const isOurs = (line: string) => line.includes(`"resource":"${PLURAL}"`) && line.includes('"responseObject"')

/** The lives of all connectors, each in the order in which it was lived. */
export async function livesIn(auditLog: string): Promise<Life[]> {
  const lines = (await readFile(auditLog, 'utf8')).split('\n')
  const lives = new Map<string, { name: string; uid: string; writes: (Version & { version: number })[] }>()
  // The last line may still be on its way.
  for (const line of lines.slice(0, -1).filter(isOurs)) {
    const { verb, requestReceivedTimestamp, user, objectRef, responseStatus, requestURI, responseObject } = entry.parse(
      JSON.parse(line),
    )
    if (objectRef?.apiGroup !== GROUP || objectRef.resource !== PLURAL) continue
    if (!['create', 'update', 'patch'].includes(verb) || (responseStatus?.code ?? 0) >= 300) continue
    if (requestURI.includes('dryRun=')) continue
    const object = written.parse(responseObject)
    const { uid, namespace, name, resourceVersion, generation } = object.metadata
    const life = lives.get(uid) ?? { name: `${namespace}/${name}`, uid, writes: [] }
    lives.set(uid, life)
    life.writes.push({
      at: new Date(requestReceivedTimestamp),
      by: user.username,
      ofStatus: objectRef.subresource === 'status',
      idle: false,
      raw: responseObject as object,
      version: Number(resourceVersion),
      generation,
      suspend: object.spec.suspend,
      status: object.status,
    })
  }
  return [...lives.values()].map(({ name, uid, writes }) => {
    // The log is in the order of answers; versions tell the order of writes. One that changed nothing has made none.
    const ordered = writes.toSorted((one, other) => one.version - other.version || Number(one.at) - Number(other.at))
    const versions = ordered.map((one, index) => ({ ...one, idle: ordered[index - 1]?.version === one.version }))
    return { name, uid, versions }
  })
}

/** The last version that is known of each object, by uid. */
export function lastVersions(lives: readonly Life[]): Map<string, string> {
  const versionOf = z.object({ metadata: z.object({ resourceVersion: z.string() }) })
  return new Map(
    lives.map(({ uid, versions }) => [uid, versionOf.parse(versions.at(-1)?.raw).metadata.resourceVersion]),
  )
}
