/**
 * How much memory the program takes. By default V8 and the HTTP parser in undici would rather have speed: a sync run of
 * any size comes to 270 MiB, of which 15 are in use. What is said here makes it 120, and costs about a tenth of the speed.
 * Said at run time and not by options of `node`, it holds however the program is started.
 */
import { setFlagsFromString } from 'node:v8'

const FLAGS = [
  // The parser is one huge function of WebAssembly: to optimise it takes 22 MiB at once, and it reads headers only.
  '--no-wasm-tier-up',
  '--no-wasm-dynamic-tiering',
  // What a record leaves behind is dead at the next one: room for a thousand records only fills the memory.
  '--semi-space-growth-factor=1',
  // Collects when the heap has grown by a fifth, not when it has doubled. `--optimize-for-size` does that as well, and
  // saves 5 MiB more, but takes a quarter of the speed.
  '--heap-growing-percent=20',
]

/** To be called before anything is connected. */
export function keepMemorySmall(): void {
  for (const flag of FLAGS) setFlagsFromString(flag)
}

/** What the chart requests for the operator. */
const MUCH_BYTES = 192 * 2 ** 20
const LOOK_MS = 1000
/** What has come in is looked at right after. */
const LINGER_MS = 10_000

/**
 * Keeps a process small that keeps much. While what it is told of comes in, and is looked at, it marks when the heap has
 * reached its limit, in one go, with pauses of less than a quarter of a second: what a fleet of ten thousand lets come in
 * comes faster than it is marked beside the work, and the heap grows by another third meanwhile. Else only
 * incremental marking keeps to the limit: marking in one go is set off by an allocation in old space, and what tests leave
 * behind arrives there by promotion, up to 40 MiB past the limit. While it has more than MUCH_BYTES, it collects when the heap
 * has grown by a tenth. To be called when all is loaded: the compiled code of the image does not fit programs with other
 * flags.
 */
export function keepFleetSmall(): <T>(comesIn: Promise<T>) => Promise<T> {
  let underWay = 0
  let isMuch: boolean | undefined
  const look = () => {
    const before = isMuch
    isMuch = process.memoryUsage.rss() > MUCH_BYTES
    if (isMuch !== before) setFlagsFromString(`--heap-growing-percent=${isMuch ? 10 : 20}`)
  }
  setInterval(look, LOOK_MS).unref()
  return async (comesIn) => {
    underWay += 1
    setFlagsFromString('--no-incremental-marking')
    try {
      return await comesIn
    } finally {
      setTimeout(() => {
        underWay -= 1
        if (underWay === 0) setFlagsFromString('--incremental-marking')
      }, LINGER_MS).unref()
    }
  }
}
