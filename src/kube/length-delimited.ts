/** The frames of a watch that comes as protobuf: each has its length before it, as json-lines.ts has lines. */
import { malformed } from './protobuf.ts'

const LENGTH_BYTES = 4
/** No object is larger, and a length that is none must not be waited for. */
const MOST_BYTES = 16 * 2 ** 20

/**
 * Takes bytes as they come and hands over each frame that is complete: a view of them, which is good for the time of the
 * call. Throws a Malformed KubeError at one that is larger than any object is. Nothing may be given to it once it has thrown.
 */
export function lengthDelimited(onFrame: (frame: Buffer) => void): (chunk: Uint8Array) => void {
  // The beginning of a frame, with its length, whose end has not come.
  let begun: Buffer[] = []
  let held = 0
  let needed = LENGTH_BYTES

  function take(data: Buffer): Buffer {
    let at = 0
    for (;;) {
      const left = data.length - at
      needed = LENGTH_BYTES + (left < LENGTH_BYTES ? 0 : data.readUInt32BE(at))
      if (needed > MOST_BYTES) throw malformed()
      if (left < needed) return data.subarray(at)
      onFrame(data.subarray(at + LENGTH_BYTES, at + needed))
      at += needed
    }
  }

  return (chunk) => {
    let data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    while (held > 0 && held + data.length >= needed) {
      // Only what was begun is copied: as a rule there is much more of the chunk behind its end.
      const missing = needed - held
      const rest = take(Buffer.concat([...begun, data.subarray(0, missing)]))
      data = data.subarray(missing)
      begun = rest.length > 0 ? [rest] : []
      held = rest.length
    }
    const rest = held > 0 ? data : take(data)
    if (rest.length > 0) begun.push(rest)
    held += rest.length
  }
}
