/**
 * Records of Zendesk's audit log in OCSF. Decided by `action` and `source_type` only: labels and descriptions are in the
 * language of whoever acted. They are shown, never read.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import type { Kind, Mapper, Origin } from './event.ts'

const id = z.union([z.string(), z.number()]).transform(String)

/** Fields in use (D). Everything but the kind may be missing: a field that changes its shape must not cost the event. */
const auditLog = z.object({
  action: z.string(),
  source_type: z.string(),
  actor_id: id.nullish().catch(undefined),
  actor_name: z.string().nullish().catch(undefined),
  source_id: id.nullish().catch(undefined),
  source_label: z.string().nullish().catch(undefined),
  change_description: z.string().nullish().catch(undefined),
  ip_address: z.string().nullish().catch(undefined),
})
type AuditLog = z.output<typeof auditLog>

const OTHER = 99
const SYSTEM = 3

/** The activity of each action in a class; a missing one is Other. */
type Class = {
  readonly class_uid: number
  readonly activities: Readonly<Record<string, number>>
  readonly profiles?: readonly string[]
}
const accountChange: Class = { class_uid: 3001, activities: { create: 1, destroy: 6 } }
const groupManagement: Class = { class_uid: 3006, activities: { create: 6, destroy: 5 } }
const entityManagement: Class = { class_uid: 3004, activities: { create: 1, update: 3, destroy: 4 } }
const authentication: Class = { class_uid: 3002, activities: { login: 1 } }
/** This class knows an actor by the profile `host` only. */
const webResources: Class = { class_uid: 6001, activities: { exported: 7 }, profiles: ['host'] }

const changes = new Set(['create', 'update', 'destroy'])

export const mapAuditLog: Mapper = (record, origin) => {
  const read = auditLog.safeParse(record.value)
  return read.success ? kindOf(read.data, origin) : undefined
}

function kindOf(log: AuditLog, origin: Origin): Kind | undefined {
  if (log.action === 'login') {
    const user = log.source_type === 'user' ? (sourceUser(log) ?? actorUser(log, origin)) : actorUser(log, origin)
    // Zendesk does not state whether the login succeeded but in localised prose: Unknown.
    return event(authentication, log, origin, { user, service: { name: 'Zendesk' }, status_id: 0 })
  }
  if (log.action === 'exported') {
    const resource = named(log) ?? { name: log.source_type }
    return event(webResources, log, origin, { web_resources: [{ ...resource, type: log.source_type }] })
  }
  if (!changes.has(log.action)) return undefined
  const source = named(log)
  if (log.source_type === 'user' && source) return event(accountChange, log, origin, { user: source })
  if (log.source_type === 'group' && source) return event(groupManagement, log, origin, { group: source })
  const entity = { ...(source ?? { name: log.source_type }), type: log.source_type }
  return event(entityManagement, log, origin, { entity })
}

function event(of: Class, log: AuditLog, origin: Origin, attributes: Readonly<Record<string, unknown>>): Kind {
  const activity = of.activities[log.action] ?? OTHER
  return {
    class_uid: of.class_uid,
    category_uid: Math.floor(of.class_uid / 1000),
    activity_id: activity,
    activity_name: activity === OTHER ? log.action : undefined,
    profiles: of.profiles,
    attributes: {
      message: log.change_description || undefined,
      actor: { user: actorUser(log, origin) },
      ...attributes,
      src_endpoint: log.ip_address && isIP(log.ip_address) ? { ip: log.ip_address } : undefined,
    },
  }
}

type Named = { readonly uid?: string; readonly name?: string }

/** OCSF wants a uid or a name of everything; undefined when the record has neither. */
function named({ source_id, source_label }: AuditLog): Named | undefined {
  if (!source_id && !source_label) return undefined
  return { ...(source_id && { uid: source_id }), ...(source_label && { name: source_label }) }
}

function sourceUser(log: AuditLog): Named | undefined {
  return log.source_id !== undefined && log.source_id === log.actor_id ? actorNamed(log) : named(log)
}

function actorNamed({ actor_id, actor_name }: AuditLog): Named {
  return { ...(actor_id && { uid: actor_id }), ...(actor_name && { name: actor_name }) }
}

/** Zendesk's own activities have the actor −1 or none (T); they appear under the account's name (D, Microsoft). */
function actorUser(log: AuditLog, origin: Origin): Named & { readonly type_id?: number } {
  const isSystem = log.actor_id === '-1' || !log.actor_id
  return isSystem ? { name: origin.displayName, type_id: SYSTEM } : actorNamed(log)
}
