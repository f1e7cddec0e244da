/**
 * OCSF 1.8.0: what all events have in common, and the base event, which takes whatever is of no known kind. The same
 * record always gives the same event, whoever reads it and when.
 */
import type { SourceRecord } from '../record.ts'

/** Whose records these are. */
export type Origin = {
  /** Subdomain of the account. */
  readonly account: string
  /** The stream. */
  readonly stream: string
  /** Name under which Zendesk's own activities appear. */
  readonly displayName: string
}

/** Class and activity, and the attributes of that class. `raw_data`, time and metadata are added to it. */
export type Kind = {
  readonly class_uid: number
  readonly category_uid: number
  readonly activity_id: number
  /** What 99 (Other) means. */
  readonly activity_name?: string | undefined
  readonly labels?: readonly string[]
  /** OCSF profiles that the class needs for one of these attributes. */
  readonly profiles?: readonly string[] | undefined
  readonly attributes: Readonly<Record<string, unknown>>
}

/** Says what a record is in OCSF; undefined when it is of no known kind. */
export type Mapper = (record: SourceRecord, origin: Origin) => Kind | undefined

const INFORMATIONAL = 1
const product = { name: 'Zendesk', vendor_name: 'Zendesk' }

/** Of a record that is of no known kind: nothing but its text. */
export const baseKind: Kind = { class_uid: 0, category_uid: 0, activity_id: 99, attributes: {} }

/**
 * Of a record that was in the snapshot before and is not in this one; `last` is what it was then. No "Delete": nobody was
 * seen deleting it, and a right that was lost looks the same. Its time is when it was missed, so that its own, as
 * `originalTime`, does not belong to the event.
 */
export function removedKind(last: Kind | undefined): Kind {
  const { message, unmapped, ...others } = last?.attributes ?? {}
  return { ...baseKind, activity_name: 'Removed', attributes: { message, unmapped: unmapped ?? (last && others) } }
}

/** The event as one line of JSON. `key` tells the record apart within its stream; `time` in ms since 1970. */
export function eventLine(kind: Kind, record: SourceRecord, key: string, time: number, origin: Origin): string {
  return JSON.stringify({
    time,
    severity_id: INFORMATIONAL,
    class_uid: kind.class_uid,
    category_uid: kind.category_uid,
    activity_id: kind.activity_id,
    activity_name: kind.activity_name,
    type_uid: kind.class_uid * 100 + kind.activity_id,
    metadata: {
      version: '1.8.0',
      uid: eventUid(origin, key),
      product,
      tenant_uid: origin.account,
      log_name: origin.stream,
      original_time: record.originalTime,
      labels: kind.labels,
      profiles: kind.profiles,
    },
    ...kind.attributes,
    raw_data: record.raw,
  })
}

/** `metadata.uid`: the same for the same record of the same account, however often it is read. */
export function eventUid(origin: Pick<Origin, 'account' | 'stream'>, key: string): string {
  return `${origin.account}/${origin.stream}/${key}`
}
