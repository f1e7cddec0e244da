/**
 * Lines of events, gathered as the bytes that they will be. A string for each, until the last record of a page has been
 * looked at, would be most of a run's memory: all of them die together, and long after V8 has moved them out of the way.
 */

export type Lines = {
  /** Adds a line; its line feed is added to it. */
  add(line: string): void
  readonly size: number
  /** Takes all of them. The bytes stay until lines are taken the next time but one: one piece is filled, one is in use. */
  take(): Buffer
  /** Drops all of them. */
  drop(): void
}

const LINE_FEED = 0x0a
/** Most bytes that one unit of a string takes in UTF-8. */
const UNIT = 3
const FIRST = 64 * 1024

export function gatherLines(): Lines {
  let filling = Buffer.allocUnsafeSlow(FIRST)
  let inUse = Buffer.allocUnsafeSlow(FIRST)
  let size = 0
  return {
    add: (line) => {
      const most = size + line.length * UNIT + 1
      if (most > filling.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(most, filling.length * 2))
        filling.copy(larger, 0, 0, size)
        filling = larger
      }
      size += filling.write(line, size)
      filling[size++] = LINE_FEED
    },
    get size() {
      return size
    },
    take: () => {
      const taken = filling.subarray(0, size)
      ;[filling, inUse] = [inUse, filling]
      size = 0
      return taken
    },
    drop: () => {
      size = 0
    },
  }
}
