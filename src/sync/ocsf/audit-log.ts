/**
 * Records of Zendesk's audit log in OCSF. Decided by `action` and `source_type` only: labels and descriptions are in the
 * language of whoever acted. They are shown, never read. So a user who was suspended is one who was updated: that is all
 * that Zendesk says without words.
 */
import type { Kind, Mapper, Origin } from './event.ts'
import { id, ip, text } from './fields.ts'

/** Fields in use (D). Everything but the kind may be missing. */
type AuditLog = {
  readonly action: string
  readonly sourceType: string
  readonly actor: Named
  readonly source: Named
  readonly message: string | undefined
  readonly address: string | undefined
}
type Named = { readonly uid: string | undefined; readonly name: string | undefined }

const OTHER = 99
const SYSTEM = 3

/** The activity of each action in a class; one that is missing is Other. */
type Class = {
  readonly class_uid: number
  readonly activities: ReadonlyMap<string, number>
  readonly profiles?: readonly string[]
}

function classOf(class_uid: number, activities: Readonly<Record<string, number>>, profiles?: readonly string[]): Class {
  return { class_uid, activities: new Map(Object.entries(activities)), ...(profiles && { profiles }) }
}

/**
 * Zendesk documents create, update, destroy, exported and login (D), but not that there are no others: those that OCSF
 * has a word for are understood should they ever come (I).
 */
const accountChange = classOf(3001, { create: 1, enable: 2, unsuspend: 2, disable: 5, suspend: 5, destroy: 6 })
const groupManagement = classOf(3006, { create: 6, destroy: 5 })
const entityManagement = classOf(3004, {
  create: 1,
  update: 3,
  destroy: 4,
  enable: 8,
  disable: 9,
  suspend: 12,
  unsuspend: 13,
})
const authentication = classOf(3002, { login: 1 })
/** This class knows an actor by the profile `host` only. */
const webResources = classOf(6001, { exported: 7 }, ['host'])

const changes = new Set(['create', 'update', 'destroy', 'enable', 'disable', 'suspend', 'unsuspend'])

export const mapAuditLog: Mapper = ({ fields }, origin) => {
  const action = text(fields?.action)
  const sourceType = text(fields?.source_type)
  if (fields === undefined || action === undefined || sourceType === undefined) return undefined
  const log = {
    action,
    sourceType,
    actor: { uid: id(fields.actor_id), name: text(fields.actor_name) },
    source: { uid: id(fields.source_id), name: text(fields.source_label) },
    message: text(fields.change_description),
    address: ip(fields.ip_address),
  }
  return kindOf(log, origin)
}

function kindOf(log: AuditLog, origin: Origin): Kind | undefined {
  const { action, sourceType, source } = log
  if (action === 'login') {
    const user = (sourceType === 'user' && sourceUser(log)) || actorUser(log, origin)
    // Zendesk does not state whether the login succeeded but in localised prose: Unknown.
    return event(authentication, log, origin, { user, service: { name: 'Zendesk' }, status_id: 0 })
  }
  if (action === 'exported') {
    return event(webResources, log, origin, { web_resources: [{ ...namedOr(source, sourceType), type: sourceType }] })
  }
  if (!changes.has(action)) return undefined
  if (sourceType === 'user' && isNamed(source)) return event(accountChange, log, origin, { user: source })
  if (sourceType === 'group' && isNamed(source)) return event(groupManagement, log, origin, { group: source })
  return event(entityManagement, log, origin, { entity: { ...namedOr(source, sourceType), type: sourceType } })
}

function event(of: Class, log: AuditLog, origin: Origin, attributes: Readonly<Record<string, unknown>>): Kind {
  const activity = of.activities.get(log.action) ?? OTHER
  return {
    class_uid: of.class_uid,
    category_uid: Math.floor(of.class_uid / 1000),
    activity_id: activity,
    activity_name: activity === OTHER ? log.action : undefined,
    profiles: of.profiles,
    attributes: {
      message: log.message,
      actor: { user: actorUser(log, origin) },
      ...attributes,
      src_endpoint: log.address && { ip: log.address },
    },
  }
}

/** OCSF wants a uid or a name of everything. */
function isNamed({ uid, name }: Named): boolean {
  return uid !== undefined || name !== undefined
}

function namedOr(named: Named, name: string): Partial<Named> {
  return isNamed(named) ? named : { name }
}

/** Who has signed in: by the actor's name, since the source's has words in front of it. */
function sourceUser({ actor, source }: AuditLog): Named | undefined {
  if (!isNamed(source)) return undefined
  return source.uid !== undefined && source.uid === actor.uid ? actor : source
}

/** Zendesk's own activities have the actor −1 or none (T); they appear under the account's name (D, Microsoft). */
function actorUser({ actor }: AuditLog, origin: Origin): Partial<Named> & { readonly type_id?: number } {
  const isSystem = actor.uid === undefined || actor.uid === '-1'
  return isSystem ? { name: origin.displayName, type_id: SYSTEM } : actor
}
