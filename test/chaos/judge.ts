/** What came of it: each record that arrived compared, byte for byte, with what the simulator has and has served. */
import type { SegmentHeader } from '../../src/sync/segment.ts'
import type { Account } from '../simulator/account.ts'
import type { Entry } from '../simulator/ledger.ts'
import type { SinkKind } from './books.ts'
import { type Arrival, type Consumer, hashOf } from './consumer.ts'
import type { STREAMS } from './lane.ts'

/** What is judged of a lane. Its account must record what it serves. */
export type Judged = {
  readonly name: string
  readonly account: Account
  readonly sink: { readonly kind: SinkKind; readonly consumer: Pick<Consumer, 'arrivals'> }
}

/** What was found, a sentence each. */
export type Verdict = { readonly lost: string[]; readonly repeated: string[]; readonly changed: string[] }

type StreamName = (typeof STREAMS)[number]
type Source = {
  /** Name of the array that the API serves. */
  readonly served: string
  /** Snapshots are taken again and again; of logs and feeds every text arrives once. */
  readonly isSnapshot: boolean
  /** What must have arrived: with the last snapshot, or ever. */
  due(account: Account): Iterable<string>
}

const SOURCES: Readonly<Record<StreamName, Source>> = {
  AuditLogs: { served: 'audit_logs', isSnapshot: false, due: (account) => account.activities({ unsurfaced: true }) },
  Users: { served: 'users', isSnapshot: false, due: (account) => account.users() },
  DeletedUsers: {
    served: 'deleted_users',
    isSnapshot: true,
    due: (account) => Iterator.from(account.users()).filter((raw) => raw.includes('"active":false')),
  },
  Groups: { served: 'groups', isSnapshot: true, due: (account) => account.records('groups') },
  GroupMemberships: {
    served: 'group_memberships',
    isSnapshot: true,
    due: (account) => account.records('group_memberships'),
  },
  CustomRoles: { served: 'custom_roles', isSnapshot: true, due: (account) => account.records('custom_roles') },
}

/** Everything that arrived in one lane's sink, when all has come to rest. */
export function judgeArrivals({ account, sink, name }: Judged): Verdict {
  const verdict: Verdict = { lost: [], repeated: [], changed: [] }
  const arrivals = sink.consumer.arrivals()
  const first = new Map<string, Arrival>()
  for (const arrival of arrivals) {
    const before = first.get(arrival.uid)
    if (before === undefined) {
      first.set(arrival.uid, arrival)
      continue
    }
    verdict.repeated.push(`${arrival.uid} in ${before.where} and in ${arrival.where}`)
    if (before.raw === arrival.raw) continue
    verdict.changed.push(`${arrival.uid} is not the same in ${before.where} and in ${arrival.where}`)
  }
  for (const [stream, source] of Object.entries(SOURCES)) {
    const prefix = `${name}/${stream}/`
    const mine = [...first.values()].filter(({ uid }) => uid.startsWith(prefix))
    const keys = mine.map((arrival) => ({ ...arrival, key: arrival.uid.slice(prefix.length) }))
    judgeStream(stream, source, account, keys, verdict)
  }
  return verdict
}

type Keyed = Arrival & { readonly key: string }

function judgeStream(
  stream: string,
  source: Source,
  account: Account,
  arrivals: readonly Keyed[],
  verdict: Verdict,
): void {
  const served = new Set([...account.ledger.served(source.served)].map(({ raw }) => hashOf(raw)))
  for (const { uid, raw, where } of arrivals) {
    if (!served.has(raw)) verdict.changed.push(`${uid} in ${where} was never served so`)
  }
  const last = source.isSnapshot ? lastSnapshot(arrivals) : arrivals
  const arrived = new Set(last.map(({ raw }) => raw))
  for (const raw of source.due(account)) {
    if (!arrived.has(hashOf(raw))) verdict.lost.push(`${stream} ${raw.slice(0, 100)}`)
  }
  // A text that arrives under two names is a repetition which the names hide.
  const hidden = source.isSnapshot ? 0 : arrivals.length - arrived.size
  for (let count = 0; count < hidden; count++) verdict.repeated.push(`${stream}: a text under another uid`)
}

function lastSnapshot(arrivals: readonly Keyed[]): readonly Keyed[] {
  const last = Math.max(...arrivals.map(({ key }) => readSnapshotKey(key).snapshot))
  return arrivals.filter(({ key }) => {
    const { snapshot, isRemoved } = readSnapshotKey(key)
    return snapshot === last && !isRemoved
  })
}

/** What a snapshot says is gone must be what the one before had and it has not: ids for which that is not so. */
export function judgeRemovals({ name, sink }: Judged): string[] {
  // What cannot be read back cannot be compared.
  if (sink.kind === 'http') return []
  const wrong: string[] = []
  for (const [stream, { isSnapshot }] of Object.entries(SOURCES)) {
    if (!isSnapshot) continue
    const prefix = `${name}/${stream}/`
    const mine = sink.consumer.arrivals().filter(({ uid }) => uid.startsWith(prefix))
    const keys = mine.map(({ uid }) => readSnapshotKey(uid.slice(prefix.length)))
    const snapshots = [...Map.groupBy(keys, ({ snapshot }) => snapshot)].sort(([one], [other]) => one - other)
    let before = new Set<string>()
    for (const [number, ofSnapshot] of snapshots) {
      const idsOf = (removed: boolean) =>
        new Set(ofSnapshot.filter((key) => key.isRemoved === removed).map(({ id }) => id))
      const present = idsOf(false)
      const told = idsOf(true)
      for (const id of new Set([...before, ...told])) {
        const isGone = before.has(id) && !present.has(id)
        if (isGone !== told.has(id)) wrong.push(`${stream}: snapshot ${number} is wrong about the removal of ${id}`)
      }
      before = present
    }
  }
  return wrong
}

/** Keys of snapshots are `<number of the snapshot>/<id>/<version>`. */
function readSnapshotKey(key: string) {
  const [snapshot = '', id = '', version = ''] = key.split('/')
  return { snapshot: Number(snapshot), id, isRemoved: version === 'removed' }
}

/** Each stream's segments: numbers without a gap, each going on where the one before ends. */
export function judgeChains(headers: readonly SegmentHeader[]): string[] {
  const broken: string[] = []
  for (const [stream, ofStream] of Map.groupBy(headers, (header) => header.stream)) {
    const chain = ofStream.toSorted((one, other) => one.number - other.number)
    let total = 0
    for (const [index, header] of chain.entries()) {
      total += header.records
      const before = chain[index - 1]
      if (header.number !== index) broken.push(`${stream}: segment ${index} is missing`)
      if (header.start !== before?.end)
        broken.push(`${stream}: segment ${index} does not begin where the one before ends`)
      if (header.total !== total)
        broken.push(`${stream}: segment ${index} counts ${header.total} records, not ${total}`)
    }
  }
  return broken
}

/** Windows of 60 s, each beginning with a request, that saw more than `limit`. */
export function windowsOver(requests: readonly Entry[], limit: number): string[] {
  const times = requests.map(({ at }) => at)
  const over: string[] = []
  let end = 0
  for (const [begin, at] of times.entries()) {
    while (end < times.length && (times[end] ?? 0) - at < 60_000) end++
    if (end - begin > limit)
      over.push(`${end - begin} requests in the minute from ${new Date(at).toISOString()}, not ${limit}`)
  }
  return over
}
