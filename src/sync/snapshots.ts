/** What a snapshot does not find again: found by comparing it with the one before, both as they stand in the sink. */
import { type Place, publishedEvents } from './chain.ts'
import { type Reading, readSnapshotPosition } from './kinds.ts'
import type { Recent } from './recent.ts'
import type { Stream } from './streams.ts'

/** A record that is gone: its last text, and the key and time of the event that says so. */
export type Missing = { readonly raw: string; readonly key: string; readonly time: number }

/** End of the key of an event that says so. */
const REMOVED = 'removed'

/**
 * Records of the snapshot before that are not among `recent`, the keys of this one. None for a sink that cannot be read
 * back, for a first snapshot, and when consumers have taken away what the one before has left.
 * @throws SinkError
 */
export async function* missingSince(
  stream: Stream,
  reading: Reading,
  recent: Recent,
  place: Place,
): AsyncGenerator<Missing> {
  const { readBack } = place.sink
  const current = readSnapshotPosition(reading.position)
  if (readBack === undefined || current === undefined || current.snapshot === 0) return
  const before = await readBack.header(stream.name, current.snapshot - 1)
  const first = readSnapshotPosition(before?.end)?.snapshot
  if (first === undefined) return
  const present = new Set(recent.last(Number.POSITIVE_INFINITY).map(idIn))
  const told = new Set<string>()
  for (let number = first; number < current.snapshot; number++) {
    if ((await readBack.header(stream.name, number)) === undefined) continue
    for await (const { key, raw } of publishedEvents(stream, number, place, readBack)) {
      const id = idIn(key)
      if (key.endsWith(`/${REMOVED}`) || present.has(id) || told.has(id)) continue
      told.add(id)
      yield { raw, key: `${current.snapshot}/${id}/${REMOVED}`, time: Date.parse(current.begun) }
    }
  }
}

/** The id in a key such as `12/360000000001/9f86d081884c7d65`. */
function idIn(key: string): string {
  return key.slice(key.indexOf('/') + 1, key.lastIndexOf('/'))
}
