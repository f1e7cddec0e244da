/** The people of an account: they change, come and go, and do things that surface late, while all of it is read. */
import type { Account } from '../simulator/account.ts'
import type { Clock } from '../simulator/clock.ts'
import type { CollectionName } from '../simulator/collections.ts'
import type { Dice } from './dice.ts'

export type People = {
  /** So many things happen, give or take. */
  stir(much: number): void
  /** Many users change at once, each with a text that does not compress: a segment of some megabytes. */
  rewrite(users: number): void
}

/** Zendesk shows an activity up to so long after it happened, in ms. */
export const LATEST_MS = 10 * 60_000
const COLLECTIONS: readonly CollectionName[] = ['groups', 'group_memberships', 'custom_roles']

/** `count`: how many users there are from the start; the first of them is the connector's own admin and stays as it is. */
export function createPeople(
  account: Account,
  clock: Clock,
  dice: Dice,
  { firstId, count }: { readonly firstId: string; readonly count: number },
): People {
  const ids = Array.from({ length: count - 1 }, (_, index) => `${BigInt(firstId) + BigInt(index + 1)}`)

  const act = () => {
    const lateness = dice.chance(0.5) ? 0 : dice.between(0, LATEST_MS)
    // Of what surfaces late some has happened before, and is there only now.
    const createdAt = clock.now() - dice.between(0, lateness)
    account.appendActivity({ createdAt, surfaceAt: createdAt + lateness })
  }
  const change = () => {
    const id = dice.of(ids)
    if (dice.chance(0.1)) account.deleteUser(id, { permanently: dice.chance(0.3) })
    else if (dice.chance(0.2)) account.updateUser(id, { suspended: dice.chance(0.5) })
    else account.updateUser(id, { name: `Renamed “${dice.noise(8)}”`, notes: dice.noise(dice.between(0, 400)) })
  }
  const reorganise = () => {
    const stream = dice.of(COLLECTIONS)
    const some = account.records(stream).map((raw) => /"id":(\d+)/.exec(raw)?.[1] ?? '')
    if (some.length > 2 && dice.chance(0.3)) account.removeRecord(stream, dice.of(some))
    else if (some.length > 0 && dice.chance(0.5)) account.putRecord(stream, { name: dice.noise(12) }, dice.of(some))
    else account.putRecord(stream, { name: dice.noise(12) })
  }

  return {
    stir: (much) => {
      for (let done = 0; done < much; done++) {
        act()
        if (dice.chance(0.4)) change()
        if (dice.chance(0.2)) ids.push(account.addUser({ name: dice.noise(10) }))
        if (dice.chance(0.05)) reorganise()
      }
    },
    rewrite: (users) => {
      for (const id of ids.slice(0, users)) account.updateUser(id, { notes: dice.noise(6000) })
    },
  }
}
