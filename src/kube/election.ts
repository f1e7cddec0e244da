/**
 * Leader election: one replica of many writes. It keeps to what client-go's leaderelection does to a Lease, so that
 * replicas of both kinds would get along, and differs where that is slower or less safe:
 * - A stand-by asks every 1 to 2.2 s and again right when the Lease runs out; client-go's 2 to 4.4 s, twice, would make
 *   a failover of up to 24 s out of a Lease of 15 s.
 * - The leader counts from when its last renewal was *sent*, and is none any more the moment it reads another's name.
 * - A Lease deleted by hand is left to the leader by those who have seen him.
 * - A lost lead is not the end of the process: the caller stands again.
 *
 * Nothing here can stop a write that is on its way already: writes carry preconditions of their own.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { isKubeError } from './errors.ts'
import { type Held, lead } from './leadership.ts'
import { claimed, type Sighting, sighted, takenUntilMs } from './lease.ts'
import { leaseCalls } from './lease-calls.ts'
import { toldOnce } from './told-once.ts'

/** One stretch of being the leader. */
export type Leadership = {
  /** Aborted when the lease is lost or given back; its reason is a KubeError `NotLeader` that says which. */
  readonly signal: AbortSignal
  /** Whether a write may leave now. Once false it stays false. */
  mayWrite(): boolean
  /**
   * Gives the lease back, once all work has ended: until then it is renewed. Takes no longer than half of `renewDeadline`,
   * and never throws. Done twice is done once; one that was lost is not given back.
   */
  release(): Promise<void>
}

/** Time as one replica has it. */
export type Clock = {
  /** For people, in the Lease. */
  now(): Date
  /** For decisions: goes on while the process is stopped, and never back. */
  monotonicMs(): number
  /** Resolves after so long, or when the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

export type ElectionOptions = {
  readonly namespace: string
  /** Of the Lease. */
  readonly name: string
  /** Another one for each process that ever was: `<hostname>_<uuid>`. */
  readonly identity: string
  /** Ends standing. It does not end leading: work under way may still be finished, then `release`. */
  readonly signal: AbortSignal
  /** A call that failed and is tried again; told once until it goes well or fails otherwise. Must not throw. */
  readonly onProblem: (error: unknown) => void
  /** Another than the last one leads now, as far as is seen from here. Must not throw. */
  readonly onLeader?: (identity: string) => void
  /** A stand-by takes over when the Lease has not changed for so long. Whole seconds. Default: 15,000 ms. */
  readonly leaseDuration?: number
  /** The leader stops writing so long after its last successful renewal was sent. Default: 10,000 ms. */
  readonly renewDeadline?: number
  /** Between two renewals, and between two tries of one. Default: 2000 ms. */
  readonly retryPeriod?: number
  readonly clock?: Clock
  /** From [0, 1). */
  readonly random?: () => number
}

/** The options with their defaults. */
export type Settings = Required<Omit<ElectionOptions, 'onLeader'>> & Pick<ElectionOptions, 'onLeader'>

/** client-go's: up to so much of a pause comes on top. */
const JITTER_FACTOR = 1.2

const realClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, { signal }).catch(() => {}),
}

/**
 * Stands for election until it leads; rejects only when `signal` is aborted. A lost leadership is not the end of the
 * process: the caller ends its work and stands again. Throws RangeError when the durations do not fit together.
 */
export async function campaign(cluster: Cluster, options: ElectionOptions): Promise<Leadership> {
  const settings = withDefaults(options)
  const { signal, clock, random, renewDeadline, retryPeriod } = settings
  // Half of the time that a renewal has: there is a second try.
  const leases = leaseCalls(cluster, settings.namespace, settings.name, renewDeadline / 2)
  const problems = toldOnce(settings.onProblem)
  const leader = toldOnce<string>((identity) => settings.onLeader?.(identity))
  let seen: Sighting | undefined

  async function tryToTake(): Promise<Held | undefined> {
    const askedMs = clock.monotonicMs()
    const found = await leases.get(signal)
    if (found !== undefined) seen = sighted(seen, found, clock.monotonicMs())
    if (seen?.lease.record.holderIdentity) leader.tell(seen.lease.record.holderIdentity)
    if (seen !== undefined && takenUntilMs(seen, settings.identity) > askedMs) return undefined
    const record = claimed(found?.record, settings.identity, settings.leaseDuration / 1000, clock.now())
    const sentMs = clock.monotonicMs()
    // Not ended by the signal: a Lease taken without knowing would be nobody's until it runs out.
    const lease = await (found === undefined ? leases.create(record) : leases.update(found, record))
    leader.tell(settings.identity)
    return { lease, sentMs }
  }

  for (;;) {
    signal.throwIfAborted()
    try {
      const held = await tryToTake()
      problems.clear()
      // An answer that took too long: whoever believes it would lead with no time left to say so.
      if (held !== undefined && clock.monotonicMs() < held.sentMs + renewDeadline) {
        const leadership = lead(held, leases, settings)
        if (!signal.aborted) return leadership
        await leadership.release()
      }
    } catch (error) {
      // Another was quicker.
      if (!signal.aborted && !isKubeError(error, 'Conflict', 'AlreadyExists')) problems.tell(error)
    }
    const pause = (retryPeriod / 2) * (1 + random() * JITTER_FACTOR)
    const untilFreeMs = seen === undefined ? 0 : takenUntilMs(seen, settings.identity) - clock.monotonicMs()
    await clock.sleep(untilFreeMs > 0 ? Math.min(pause, untilFreeMs + 1) : pause, signal)
  }
}

function withDefaults(options: ElectionOptions): Settings {
  const settings = {
    leaseDuration: 15_000,
    renewDeadline: 10_000,
    retryPeriod: 2_000,
    clock: realClock,
    random: Math.random,
    ...options,
  }
  const { leaseDuration, renewDeadline, retryPeriod } = settings
  const fits = leaseDuration > renewDeadline && renewDeadline > retryPeriod * JITTER_FACTOR && retryPeriod > 0
  if (!fits || leaseDuration % 1000 !== 0) {
    throw new RangeError('leaseDuration must be whole seconds and exceed renewDeadline, and that 1.2 retryPeriods')
  }
  return settings
}
