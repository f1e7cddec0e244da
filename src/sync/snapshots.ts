/** What a snapshot does not find again: found by comparing it with the one before, both as they stand in the sink. */
import { type Place, publishedEvents } from './chain.ts'
import { hashSet } from './hash-set.ts'
import { type Reading, readSnapshotPosition } from './kinds.ts'
import { idIn, type Recent } from './recent.ts'
import type { Stream } from './streams.ts'

/** A record that is gone: its last text, and the key and time of the event that says so. */
export type Missing = { readonly raw: string; readonly key: string; readonly time: number }

/** End of the key of an event that says so. */
const REMOVED = 'removed'

/**
 * Records of the snapshot before that are not among the recent keys, those of this one. None for a sink that cannot be read
 * back, for a first snapshot, and when consumers have taken away any part of the one before: it is compared as a whole, so
 * that what is told is what is gone.
 * @throws SinkError
 */
export async function* missingSince(
  stream: Stream,
  reading: Reading,
  { hasId }: Pick<Recent, 'hasId'>,
  place: Place,
): AsyncGenerator<Missing> {
  const { readBack } = place.sink
  const current = readSnapshotPosition(reading.position)
  if (readBack === undefined || hasId === undefined || current === undefined || current.snapshot === 0) return
  const before = await readBack.header(stream.name, current.snapshot - 1)
  const first = readSnapshotPosition(before?.end)?.snapshot
  if (first === undefined) return
  for (let number = first; number < current.snapshot; number++) {
    if ((await readBack.header(stream.name, number)) === undefined) return
  }
  const told = hashSet()
  for (let number = first; number < current.snapshot; number++) {
    for await (const { key, raw } of publishedEvents(stream, number, place, readBack)) {
      const id = idIn(key)
      if (key.endsWith(`/${REMOVED}`) || hasId(id) || told.has(id)) continue
      told.add(id)
      yield { raw, key: `${current.snapshot}/${id}/${REMOVED}`, time: Date.parse(current.begun) }
    }
  }
}
