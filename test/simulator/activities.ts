import type { ActivityBase, ActivityFields } from './activity-records.ts'
import type { Clock } from './clock.ts'
import { type Id, type Moment, toSeconds } from './options.ts'
import { beginningOf, createTimeline, type Found, type Key, type Timeline } from './timeline.ts'

/** An activity to add: what is left out is filled in. */
export type NewActivity = Partial<ActivityFields> & {
  readonly id?: Id
  /** Default: now. */
  readonly createdAt?: Moment
  /** The API hides it until then, as Zendesk's sometimes does for minutes. Default: at once. */
  readonly surfaceAt?: Moment
}

/** An activity that is not in the base. */
type AddedActivity = Key & { readonly surfaceAt: number; readonly fields: ActivityFields }

/** From and to are both inclusive, as in Zendesk's filter. */
export type ActivityRange = {
  readonly from?: Moment
  readonly to?: Moment
  /** Also those that the API still hides. */
  readonly unsurfaced?: boolean
}

/** An activity wherever it is kept. */
export type FoundActivity = Found<AddedActivity>

/** All activities of an account. */
export type ActivityStore = {
  readonly timeline: Timeline<AddedActivity>
  revision(): number
  append(activity: NewActivity): bigint
  visible(found: FoundActivity): boolean
  fields(found: FoundActivity): ActivityFields
  text(found: FoundActivity): string
  /** Whether it is surfaced yet or not. */
  textOfId(id: bigint): string | undefined
  range(range: ActivityRange): Generator<string>
}

/** Starts with the base alone. */
export function createActivityStore(base: ActivityBase, clock: Clock): ActivityStore {
  const timeline = createTimeline<AddedActivity>(base)
  const added = new Map<bigint, AddedActivity>()
  let lastId = base.firstId + BigInt(base.count) - 1n
  let revision = 0

  const visible = (found: FoundActivity) => !('entry' in found) || found.entry.surfaceAt <= clock.now()
  const fields = (found: FoundActivity) => ('entry' in found ? found.entry.fields : base.fieldsAt(found.index))
  const text = (found: FoundActivity) => base.textOf(found.key, fields(found))

  return {
    timeline,
    visible,
    fields,
    text,
    revision: () => revision,
    append({ id, createdAt, surfaceAt, ...given }) {
      const key = {
        at: toSeconds(createdAt ?? clock.now()),
        id: id === undefined ? lastId + 1n : BigInt(id),
      }
      if (added.has(key.id) || (key.id >= base.firstId && key.id < base.firstId + BigInt(base.count))) {
        throw new Error(`activity ${key.id} exists`)
      }
      if (key.id > lastId) lastId = key.id
      const filled = { ...base.fieldsAt(base.count + added.size), ...given }
      const surface = typeof surfaceAt === 'string' ? Date.parse(surfaceAt) : (surfaceAt ?? 0)
      const entry = { ...key, surfaceAt: surface, fields: filled }
      added.set(key.id, entry)
      timeline.insert(entry)
      revision++
      return key.id
    },
    textOfId(id) {
      const entry = added.get(id)
      if (entry) return base.textOf(entry, entry.fields)
      const index = Number(id - base.firstId)
      if (index < 0 || index >= base.count) return undefined
      return base.textOf(base.keyAt(index), base.fieldsAt(index))
    },
    *range({ from = 0, to, unsurfaced = false }) {
      const end = to === undefined ? Number.POSITIVE_INFINITY : toSeconds(to)
      for (const found of timeline.ascending(beginningOf(toSeconds(from, Math.ceil)))) {
        if (found.key.at > end) return
        if (unsurfaced || visible(found)) yield text(found)
      }
    },
  }
}
