/** The API server's audit log: what each user asked for. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const entry = z.object({
  verb: z.string(),
  requestReceivedTimestamp: z.string(),
  user: z.object({ username: z.string(), groups: z.array(z.string()).default([]) }),
  sourceIPs: z.array(z.string()).default([]),
  objectRef: z
    .object({
      resource: z.string().default(''),
      subresource: z.string().optional(),
      namespace: z.string().optional(),
    })
    .optional(),
  responseStatus: z.object({ code: z.number().default(0) }).optional(),
})

/** One finished request. */
export type AuditEntry = {
  readonly at: Date
  readonly user: string
  readonly groups: readonly string[]
  /** Where it came from, the nearest address last. */
  readonly from: readonly string[]
  /** `patch zendeskconnectors/status`. */
  readonly what: string
  /** undefined: all namespaces, or an object of none. */
  readonly namespace: string | undefined
  readonly code: number
}

/** Requests of one user, in the order in which they finished. */
export async function requestsOf(auditLog: string, user: string): Promise<AuditEntry[]> {
  return (await requestsIn(auditLog)).filter((one) => one.user === user)
}

/** Requests of everybody, in the order in which they finished. */
export async function requestsIn(auditLog: string): Promise<AuditEntry[]> {
  const lines = (await readFile(auditLog, 'utf8')).split('\n')
  // The last line may still be on its way.
  return lines.slice(0, -1).map((line) => {
    const { verb, requestReceivedTimestamp, user, sourceIPs, objectRef, responseStatus } = entry.parse(JSON.parse(line))
    const resource = [objectRef?.resource, objectRef?.subresource].filter((part) => part !== undefined).join('/')
    return {
      at: new Date(requestReceivedTimestamp),
      user: user.username,
      groups: user.groups,
      from: sourceIPs,
      what: `${verb} ${resource}`,
      namespace: objectRef?.namespace,
      code: responseStatus?.code ?? 0,
    }
  })
}
