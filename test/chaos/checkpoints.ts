/** Watches every version of every checkpoint as the API server has it: none may say less than the one before. */
import { z } from 'zod'
import { decodeCursor, keyFromText } from '../simulator/paging.ts'
import { compareKeys, type Key } from '../simulator/timeline.ts'
import { type Api, follow } from '../support/cluster/api.ts'

const chain = z.object({ next: z.int(), records: z.int(), position: z.string().optional(), complete: z.boolean() })
const checkpoint = z.object({
  holder: z.object({ pod: z.string(), slot: z.int(), released: z.boolean() }).optional(),
  streams: z.record(z.string(), chain),
  report: z
    .object({
      run: z.string(),
      result: z.string(),
      records: z.int(),
      reason: z.string().optional(),
      message: z.string().optional(),
    })
    .optional(),
})
export type Checkpoint = z.output<typeof checkpoint>
type Chain = z.output<typeof chain>

type ConfigMap = { metadata: { name: string; uid: string; resourceVersion: string }; data?: Record<string, string> }

export type Checkpoints = {
  /** The latest version of one, by the ConfigMap's name. */
  latest(name: string): Checkpoint | undefined
  /** How one has moved back, a sentence for each time. */
  movedBack(name: string): readonly string[]
  /** Versions seen of all. */
  versions(): number
  stop(): void
}

export function watchCheckpoints(api: Api, namespace: string, label: string): Checkpoints {
  const latest = new Map<string, Checkpoint>()
  const faults = new Map<string, string[]>()
  const over = new AbortController()
  let versions = 0

  const changed = ({ metadata: { name }, data }: ConfigMap) => {
    const text = data?.['checkpoint.json']
    // Lost: the next one cannot be compared with what nobody knows any more.
    if (text === undefined) return void latest.delete(name)
    versions += 1
    const now = parseCheckpoint(text)
    const before = latest.get(name)
    if (before) faults.set(name, [...(faults.get(name) ?? []), ...comparison(before, now)])
    latest.set(name, now)
  }
  const path = `/api/v1/namespaces/${namespace}/configmaps?labelSelector=${encodeURIComponent(label)}`
  void follow<ConfigMap>(api, path, over.signal, { changed, gone: ({ metadata }) => void latest.delete(metadata.name) })

  return {
    latest: (name) => latest.get(name),
    movedBack: (name) => faults.get(name) ?? [],
    versions: () => versions,
    stop: () => over.abort(),
  }
}

/** A checkpoint from the text in its ConfigMap, or in a request on its way there. */
export function parseCheckpoint(text: string): Checkpoint {
  return checkpoint.parse(JSON.parse(text))
}

/** In what `now` says less than the version before it, a sentence each. */
export function comparison(before: Checkpoint, now: Checkpoint): string[] {
  const found: string[] = []
  if ((now.holder?.slot ?? 0) < (before.holder?.slot ?? 0))
    found.push(`slot ${before.holder?.slot} → ${now.holder?.slot}`)
  for (const [stream, was] of Object.entries(before.streams)) {
    const is = now.streams[stream]
    const back = is === undefined ? 'is gone' : movedBack(was, is)
    if (back !== undefined) found.push(`${stream} ${back}`)
  }
  return found
}

function movedBack(was: Chain, is: Chain): string | undefined {
  if (is.next < was.next) return `next ${was.next} → ${is.next}`
  if (is.records < was.records) return `records ${was.records} → ${is.records}`
  if (was.complete && !is.complete) return 'is no longer complete'
  if (was.position !== undefined && is.position === undefined) return 'has lost its position'
  if (was.position !== undefined && is.position !== undefined && isBehind(is.position, was.position)) {
    return `position ${was.position} → ${is.position}`
  }
  return undefined
}

/** Positions are times, cursors, or snapshots with a cursor in them. */
function isBehind(one: string, other: string): boolean {
  const [snapshot, snapshotBefore] = [snapshotIn(one), snapshotIn(other)]
  if (snapshot !== undefined && snapshotBefore !== undefined) {
    if (snapshot.snapshot !== snapshotBefore.snapshot) return snapshot.snapshot < snapshotBefore.snapshot
    if (snapshotBefore.ended) return !snapshot.ended
    return (
      snapshotBefore.cursor !== undefined && !snapshot.ended && isBehind(snapshot.cursor ?? '', snapshotBefore.cursor)
    )
  }
  const [key, keyBefore] = [keyOfCursor(one), keyOfCursor(other)]
  if (key !== undefined && keyBefore !== undefined) return compareKeys(key, keyBefore) < 0
  return !(Date.parse(one) >= Date.parse(other))
}

const snapshotPosition = z.object({ snapshot: z.int(), cursor: z.string().optional(), ended: z.boolean().optional() })

function snapshotIn(position: string) {
  return position.startsWith('{') ? snapshotPosition.parse(JSON.parse(position)) : undefined
}

/** The place behind one of the simulator's cursors: a second and an id for users, an id for lists. */
function keyOfCursor(cursor: string): Key | undefined {
  const text = decodeCursor(cursor)?.split('/')[0]
  return /^\d+$/.test(text ?? '') ? { at: 0, id: BigInt(text ?? 0) } : keyFromText(text)
}
