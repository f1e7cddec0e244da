/** Users as they stand, in OCSF: User Inventory Info. */
import { z } from 'zod'
import type { Mapper } from './event.ts'

/** Fields in use (D; `permanently_deleted` T). Everything may be missing but the id. */
const user = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  name: z.string().nullish().catch(undefined),
  email: z.string().nullish().catch(undefined),
  role: z.string().nullish().catch(undefined),
  active: z.boolean().nullish().catch(undefined),
  suspended: z.boolean().nullish().catch(undefined),
  permanently_deleted: z.boolean().nullish().catch(undefined),
  two_factor_auth_enabled: z.boolean().nullish().catch(undefined),
})
type User = z.output<typeof user>

const USER = 1
const ADMIN = 2
const COLLECT = 2
/** OCSF's own pattern of an address: another one would make the event invalid, and stands in raw_data. */
const address = /^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$/

export const mapUser: Mapper = (record) => {
  const read = user.safeParse(record.value)
  if (!read.success) return undefined
  const labels = labelsOf(read.data)
  const { id, name, email, role, two_factor_auth_enabled } = read.data
  return {
    class_uid: 5003,
    category_uid: 5,
    activity_id: COLLECT,
    ...(labels.length > 0 && { labels }),
    attributes: {
      user: {
        uid: id,
        name: name || undefined,
        email_addr: email && address.test(email) ? email : undefined,
        type_id: role === 'admin' ? ADMIN : USER,
        has_mfa: two_factor_auth_enabled ?? undefined,
        account: { uid: id, is_disabled: labels.length > 0 },
      },
    },
  }
}

/** Why a user can no longer sign in: told apart here, for `is_disabled` says only that it is so. */
function labelsOf({ active, suspended, permanently_deleted }: User): string[] {
  if (permanently_deleted === true) return ['permanently deleted']
  return [...(active === false ? ['deleted'] : []), ...(suspended === true ? ['suspended'] : [])]
}
