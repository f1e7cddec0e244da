/** Users as they stand, in OCSF: User Inventory Info. */
import type { Fields } from '../record.ts'
import type { Kind, Mapper } from './event.ts'
import { email, flag, id, text } from './fields.ts'

const USER = 1
const ADMIN = 2
const COLLECT = 2

/** The same for all languages (D): what is left of a user who was deleted for good, who has no address either. */
const SCRUBBED = 'Permanently Deleted User'

export const mapUser: Mapper = ({ fields }) => fields && kindOf(fields, fields.active === false)

/** Of the list of deleted users: they are deleted whatever else they say. */
export const mapDeletedUser: Mapper = ({ fields }) => fields && kindOf(fields, true)

/** Everything may be missing but the id (D). */
function kindOf(user: Fields, deleted: boolean): Kind | undefined {
  const uid = id(user.id)
  if (uid === undefined) return undefined
  const labels = labelsOf(user, deleted)
  const role = text(user.role)
  return {
    class_uid: 5003,
    category_uid: 5,
    activity_id: COLLECT,
    ...(labels.length > 0 && { labels }),
    attributes: {
      user: {
        uid,
        name: text(user.name),
        email_addr: email(user.email),
        type_id: role && (role === 'admin' ? ADMIN : USER),
        has_mfa: flag(user.two_factor_auth_enabled),
        account: { uid, is_disabled: labels.length > 0 },
      },
    },
  }
}

/** Why a user can no longer sign in: told apart here, for `is_disabled` says only that it is so. */
function labelsOf({ permanently_deleted, name, email, suspended }: Fields, deleted: boolean): string[] {
  // The flag is not in all lists (T); the scrubbed name is (D).
  if (permanently_deleted === true || (deleted && name === SCRUBBED && !email)) return ['permanently deleted']
  return [...(deleted ? ['deleted'] : []), ...(suspended === true ? ['suspended'] : [])]
}
