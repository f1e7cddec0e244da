/**
 * A queue of keys, named as client-go names its work queue: each key is worked on by one worker at a time, a key added
 * while it is worked on is worked on once more, a key that fails comes back after a growing wait. What is new or has
 * changed overtakes what is merely due. It holds keys, never objects: whoever works looks afresh.
 */

/** Urgent: something is new or has changed. Routine: its time has come. */
export type Lane = 'urgent' | 'routine'

export type Queue = {
  /** Work on `key` as soon as a worker is free, ahead of everything routine. */
  add(key: string): void
  /** Work on `key` when a worker is free and nothing is urgent. */
  addRoutine(key: string): void
  /** Adds `key`, as routine, after so many milliseconds; of several such times the earliest counts. */
  addAfter(key: string, milliseconds: number): void
  /** Keys that wait for a worker. */
  len(): number
  /** When each piece of work that is under way began, by `monotonic`. */
  running(): Iterable<number>
  /** When work on any key last began or ended, by `monotonic`. */
  lastMoved(): number
  /** Begins nothing new; resolves when all work under way has ended. */
  shutDownWithDrain(): Promise<void>
}

/** What is counted. All times in seconds. */
export type QueueMetrics = {
  added(): void
  /** Keys that wait now. */
  depth(lane: Lane, waiting: number): void
  /** A worker began on a key that had waited for so long. */
  began(lane: Lane, waitedSeconds: number): void
  ended(seconds: number, result: 'success' | 'requeue_after' | 'error'): void
  /** A key will come back, because it failed or because its time will come: client-go counts both. */
  retried(): void
}

export type QueueOptions = {
  readonly workers: number
  /** Works on a key; resolves with when to come back (the past: at once; undefined: when it is added again). */
  readonly work: (key: string) => Promise<Date | undefined>
  readonly onError: (key: string, error: unknown, retryMs: number) => void
  /** How long the cause of an error asks to be left alone, in ms: the wait after it is added to that. Default: not at all. */
  readonly retryAfterMs?: (error: unknown) => number
  readonly metrics: QueueMetrics
  readonly now: () => Date
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
  /** From [0, 1). */
  readonly random: () => number
}

const FIRST_RETRY_MS = 500
const MOST_RETRY_MS = 5 * 60_000
/** setTimeout takes no longer wait; who wakes too early finds nothing due and sleeps again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export function createQueue(options: QueueOptions): Queue {
  const { workers, work, onError, retryAfterMs = () => 0, metrics, now, monotonic, random } = options
  /** Since when each key waits. */
  const lanes: Readonly<Record<Lane, Map<string, number>>> = { urgent: new Map(), routine: new Map() }
  /** Since when each key is worked on. */
  const busy = new Map<string, number>()
  const timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>()
  const failures = new Map<string, number>()
  const running = new Set<Promise<void>>()
  let moved = monotonic()
  let draining = false

  const put = (key: string, lane: Lane) => {
    if (draining || lanes.urgent.has(key) || lanes[lane].has(key)) return
    const since = lanes.routine.get(key) ?? monotonic()
    // One that changes its lane was counted when it came.
    if (!lanes.routine.has(key)) metrics.added()
    take(key, 'routine')
    clear(key)
    lanes[lane].set(key, since)
    metrics.depth(lane, lanes[lane].size)
    next()
  }

  const take = (key: string, lane: Lane) => {
    if (lanes[lane].delete(key)) metrics.depth(lane, lanes[lane].size)
  }

  const clear = (key: string) => {
    clearTimeout(timers.get(key)?.timer)
    timers.delete(key)
  }

  const addAfter = (key: string, milliseconds: number) => {
    if (milliseconds <= 0) return put(key, 'routine')
    const at = monotonic() + milliseconds
    const known = timers.get(key)?.at ?? Number.POSITIVE_INFINITY
    if (draining || lanes.urgent.has(key) || lanes.routine.has(key) || known <= at) return
    clear(key)
    metrics.retried()
    const timer = setTimeout(() => put(key, 'routine'), Math.min(milliseconds, LONGEST_TIMER_MS))
    timers.set(key, { at, timer })
  }

  const next = () => {
    for (const lane of ['urgent', 'routine'] as const) {
      for (const [key, since] of lanes[lane]) {
        if (draining || busy.size >= workers) return
        if (!busy.has(key)) begin(key, lane, since)
      }
    }
  }

  // In a turn of its own: thousands of keys with nothing to do would otherwise follow each other without a pause in which
  // an answer is heard, and the lease's renewal is one.
  let isAsked = false
  const nextTurn = () => {
    if (isAsked) return
    isAsked = true
    setImmediate(() => {
      isAsked = false
      next()
    })
  }

  const begin = (key: string, lane: Lane, since: number) => {
    const began = monotonic()
    moved = began
    take(key, lane)
    busy.set(key, began)
    metrics.began(lane, (began - since) / 1000)
    const one = workOn(key, began).finally(() => {
      moved = monotonic()
      running.delete(one)
      busy.delete(key)
      nextTurn()
    })
    running.add(one)
  }

  const workOn = async (key: string, began: number) => {
    const took = () => (monotonic() - began) / 1000
    try {
      const wakeAt = await work(key)
      failures.delete(key)
      metrics.ended(took(), wakeAt === undefined ? 'success' : 'requeue_after')
      if (wakeAt !== undefined) addAfter(key, wakeAt.getTime() - now().getTime())
    } catch (error) {
      const failed = failures.get(key) ?? 0
      failures.set(key, failed + 1)
      const drawnMs = random() * Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** failed)
      const retryMs = Math.round(retryAfterMs(error) + drawnMs)
      metrics.ended(took(), 'error')
      onError(key, error, retryMs)
      addAfter(key, retryMs)
    }
  }

  return {
    add: (key) => put(key, 'urgent'),
    addRoutine: (key) => put(key, 'routine'),
    addAfter,
    len: () => lanes.urgent.size + lanes.routine.size,
    running: () => busy.values(),
    lastMoved: () => moved,
    shutDownWithDrain: async () => {
      draining = true
      for (const { timer } of timers.values()) clearTimeout(timer)
      timers.clear()
      await Promise.allSettled(running)
    },
  }
}
