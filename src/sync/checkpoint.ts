/**
 * The checkpoint while a pod holds it. Who holds it may send requests: it is renewed all the time, and a pod that finds
 * its renewal old, because it was frozen or cut off, asks before it sends another request.
 */
import type { ChainState, Checkpoint, Progress, Report, Spent } from '../connector/run.ts'
import { HOLD_MS } from '../connector/schedule.ts'
import type { Clock } from './clock.ts'

/** Where the checkpoint is kept. A write whose `version` is not the kept one fails with `reason: 'Conflict'`. */
export type CheckpointStore = {
  read(): Promise<{ readonly checkpoint: Checkpoint | undefined; readonly version: string }>
  write(checkpoint: Checkpoint, version: string): Promise<{ readonly version: string }>
}

/** The checkpoint is gone, or out of reach for good: its connector was deleted, or someone removed it or our right to it. */
export class CheckpointGone extends Error {
  override readonly name = 'CheckpointGone'
}

/** The store does not answer, or not with a checkpoint. */
export class CheckpointSilent extends Error {
  override readonly name = 'CheckpointSilent'
}

/** Another run holds the checkpoint. */
export class Fenced extends Error {
  override readonly name = 'Fenced'
}

export type Claimant = {
  readonly run: string
  readonly slot: number
  /** Uid of the pod: a run may have several, one after another. */
  readonly pod: string
  readonly account: string
  /** Identity of the sink. */
  readonly sink: string
}

/** Chains by the names of their streams. */
export type Chains = Readonly<Record<string, ChainState | undefined>>

export type Hold = {
  /** The checkpoint as the holder before left it. */
  readonly found: Checkpoint | undefined
  /** Where the streams' chains in this sink stood then. */
  readonly chains: Chains
  /**
   * Resolves when a request may be sent. Waits while the store does not answer.
   * @throws Fenced; the signal's reason when it is aborted meanwhile.
   */
  guard(): Promise<void>
  /**
   * Whether a request that `guard` has let through may still be sent: it may have waited since for its connection, in a
   * process that was frozen.
   */
  isHeld(): boolean
  /** Asks the store now. @throws Fenced, CheckpointSilent */
  confirm(): Promise<void>
  /** Where a stream's chain stands from now on; written soon. */
  move(stream: string, chain: ChainState): void
  /** The last write: what was spent, the report, and that all ended well. @throws Fenced, or as the store does. */
  release(report: Report, spent: readonly Spent[]): Promise<void>
}

export type HoldOptions = {
  readonly clock: Clock
  /** Ends renewals and waits. */
  readonly signal: AbortSignal
  /** How far the run has come: written with each renewal. */
  readonly progress: (chains: Chains) => Progress
  /** Requests must wait, or need not any more: the store does not answer. */
  readonly onSilence?: (isSilent: boolean) => void
}

/** Renewed at least this often; HOLD_MS says when it is too old. */
const RENEW_MS = 10_000
const RETRY_MS = 1000
/** How long the claim is tried … */
const CLAIM_MS = 30_000
/** … and any other write that must not fail: a pod that is told to end has ten seconds in all. */
const INSIST_MS = 5000
/** The last write of a process that is told to end, though it may have to wait for one under way. */
const STOPPED_MS = 3500

/** Takes the checkpoint. @throws Fenced when a later run has it; as the store does when it does not answer for 30 s. */
export async function claim(store: CheckpointStore, who: Claimant, options: HoldOptions): Promise<Hold> {
  const { clock, signal, progress } = options
  const { run, slot, pod, account, sink } = who
  const claimTime = clock.now().toISOString()
  const isOurs = (holder: Checkpoint['holder']) => holder?.run === run && holder.pod === pod

  let found: Checkpoint | undefined
  let written: Checkpoint = { account, sink, streams: {} }
  let version = ''
  let renewedAt = Number.NEGATIVE_INFINITY
  let fenced: Fenced | CheckpointGone | undefined
  /** Ends renewals. */
  const released = new AbortController()
  const moved = new Map<string, ChainState>()
  let ending: Pick<Checkpoint, 'report' | 'budget'> | undefined

  const next = (): Checkpoint => {
    const { budget: _spentSince, ...kept } = written
    const released = ending !== undefined
    const holder = { run, slot, pod, claimTime, renewTime: clock.now().toISOString(), released }
    const streams = { ...kept.streams, ...Object.fromEntries(moved) }
    return { ...kept, account, sink, holder, streams, progress: progress(streams), ...ending }
  }

  const writeOnce = async () => {
    const checkpoint = next()
    // Measured from before the write was sent: whoever claims after us counts from then.
    const sentAt = clock.monotonic()
    version = (await store.write(checkpoint, version)).version
    written = checkpoint
    renewedAt = sentAt
  }

  /** A conflict is not yet a loss: others may touch the object, and an answer to a write of ours may have been lost. */
  const writeOurs = async () => {
    for (;;) {
      if (fenced !== undefined) throw fenced
      try {
        return await writeOnce()
      } catch (error) {
        if (hasReason(error, 'NotFound', 'Forbidden')) {
          fenced = new CheckpointGone('The checkpoint is gone.')
          released.abort()
          throw fenced
        }
        if (!hasReason(error, 'Conflict')) throw error
        const read = await store.read()
        version = read.version
        const holder = read.checkpoint?.holder
        if (holder !== undefined && !isOurs(holder)) {
          fenced = new Fenced('Another run has taken over.')
          released.abort()
          throw fenced
        }
        if (read.checkpoint !== undefined) written = read.checkpoint
      }
    }
  }

  const write = oneAtATime(writeOurs)

  const insist = async (work: () => Promise<void>, patienceMs: number): Promise<void> => {
    const since = clock.monotonic()
    for (;;) {
      try {
        return await work()
      } catch (error) {
        const longest = signal.aborted ? Math.min(patienceMs, INSIST_MS) : patienceMs
        if (isFinal(error) || clock.monotonic() - since >= longest) throw error
        await clock.wait(RETRY_MS, never)
      }
    }
  }

  /** The work's outcome, or an error when it takes too long: a call that hangs ends later, and nobody hears of it. */
  const within = async (milliseconds: number, work: Promise<void>): Promise<void> => {
    const done = new AbortController()
    const late = clock.wait(milliseconds, done.signal).then(() => {
      if (!done.signal.aborted) throw new CheckpointSilent('The last write was not answered.')
    })
    work.catch(() => undefined)
    await Promise.race([work, late]).finally(() => done.abort())
  }

  await insist(async () => {
    for (;;) {
      const read = await store.read()
      const holder = read.checkpoint?.holder
      if (holder !== undefined && holder.slot > slot) throw new Fenced(`The later run ${holder.run} has taken over.`)
      // Ours already: a write of this very claim, whose answer was lost.
      if (!isOurs(holder)) found = read.checkpoint
      version = read.version
      const isOurChain = read.checkpoint?.account === account && read.checkpoint.sink === sink
      const { report, streams = {} } = read.checkpoint ?? {}
      written = { account, sink, streams: isOurChain ? streams : {}, ...(report && { report }) }
      try {
        return await writeOnce()
      } catch (error) {
        if (!hasReason(error, 'Conflict')) throw error
      }
    }
  }, CLAIM_MS)

  const over = AbortSignal.any([signal, released.signal])
  const renewForEver = async () => {
    while (!released.signal.aborted && fenced === undefined) {
      const age = clock.monotonic() - renewedAt
      await clock.wait(Math.max(RETRY_MS, RENEW_MS - age), released.signal)
      const isDue = clock.monotonic() - renewedAt > RENEW_MS - RETRY_MS
      if (!released.signal.aborted && isDue) await write().catch(() => undefined)
    }
  }
  void renewForEver()

  return {
    found,
    chains: written.streams,
    guard: async () => {
      let isSilent = false
      while (fenced === undefined && clock.monotonic() - renewedAt > HOLD_MS) {
        if (over.aborted) throw over.reason
        await write().catch(async (error: unknown) => {
          if (isFinal(error)) return
          if (!isSilent) options.onSilence?.(true)
          isSilent = true
          await clock.wait(RETRY_MS, over)
        })
      }
      if (isSilent) options.onSilence?.(false)
      if (fenced !== undefined) throw fenced
    },
    isHeld: () => fenced === undefined && clock.monotonic() - renewedAt <= HOLD_MS,
    confirm: () =>
      insist(write, INSIST_MS).catch((error: unknown) => {
        throw isFinal(error) ? error : new CheckpointSilent('The store of checkpoints does not answer.')
      }),
    move: (stream, chain) => {
      moved.set(stream, chain)
      // A failure shows again at the next renewal, and stops the requests when it lasts.
      write().catch(() => undefined)
    },
    release: async (report, spent) => {
      released.abort()
      ending = { report, budget: { at: clock.now().toISOString(), spent: [...spent] } }
      const last = insist(write, INSIST_MS)
      await (signal.aborted ? within(STOPPED_MS, last) : last)
    },
  }
}

const never = new AbortController().signal

/** One call at a time; who asks while one is under way gets the result of the one after it, which all of them share. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let queued: Promise<void> | undefined
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    if (running === undefined) return start()
    queued ??= running
      .catch(() => undefined)
      .then(() => {
        queued = undefined
        return start()
      })
    return queued
  }
}

function hasReason(error: unknown, ...reasons: readonly string[]): boolean {
  return error instanceof Error && 'reason' in error && reasons.includes(String(error.reason))
}

/** Asking again would not help. */
function isFinal(error: unknown): boolean {
  return error instanceof Fenced || error instanceof CheckpointGone
}
