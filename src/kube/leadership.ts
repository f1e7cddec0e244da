/** One stretch of being the leader: the Lease is renewed until it is lost or given back. */
import type { Leadership, Settings } from './election.ts'
import { isKubeError, KubeError } from './errors.ts'
import { type Lease, released, renewed } from './lease.ts'
import type { LeaseCalls } from './lease-calls.ts'
import { toldOnce } from './told-once.ts'

/** The Lease as this replica has taken it. `sentMs`: when the write that made it so was sent, by the monotonic clock. */
export type Held = { readonly lease: Lease; readonly sentMs: number }

/** Begins to lead: renews until the lease is lost or given back. */
export function lead(taken: Held, leases: LeaseCalls, settings: Settings): Leadership {
  const { clock, identity, leaseDuration, renewDeadline, retryPeriod } = settings
  const ending = new AbortController()
  const problems = toldOnce(settings.onProblem)
  let { lease } = taken
  let deadlineMs = taken.sentMs + renewDeadline

  const mayWrite = () => !ending.signal.aborted && clock.monotonicMs() < deadlineMs
  const end = (why: string) => ending.abort(new KubeError('NotLeader', why))

  async function write(from: Lease): Promise<void> {
    const sentMs = clock.monotonicMs()
    const left = deadlineMs - sentMs
    const written = await leases.update(
      from,
      renewed(from.record, leaseDuration / 1000, clock.now()),
      ending.signal,
      left,
    )
    // Too late is lost, even if nobody else has it: what was refused meanwhile stays refused.
    if (!mayWrite()) return
    lease = written
    deadlineMs = sentMs + renewDeadline
  }

  /** By the version that is known; when that fails for whatever reason, by what is there now. */
  async function renew(): Promise<void> {
    try {
      await write(lease)
    } catch {
      if (!mayWrite()) return
      const found = await leases.get(ending.signal, deadlineMs - clock.monotonicMs())
      if (found === undefined) return end('the Lease was deleted: another may lead')
      if (found.record.holderIdentity !== identity) return end('another replica holds the Lease')
      await write(found)
    }
  }

  async function renewals(): Promise<void> {
    while (mayWrite()) {
      await clock.sleep(retryPeriod, ending.signal)
      if (!mayWrite()) return
      try {
        await renew()
        problems.clear()
      } catch (error) {
        if (!ending.signal.aborted) problems.tell(error)
      }
    }
  }

  /** Apart from the renewals, which may hang in one call. */
  async function watchDeadline(): Promise<void> {
    while (mayWrite()) await clock.sleep(deadlineMs - clock.monotonicMs(), ending.signal)
    end('the Lease could not be renewed in time')
  }

  async function giveBack(): Promise<void> {
    const led = mayWrite()
    end('the Lease was released')
    if (!led) return
    const giveUpMs = clock.monotonicMs() + renewDeadline / 2
    const left = () => giveUpMs - clock.monotonicMs()
    const giveBackFrom = (from: Lease) => leases.update(from, released(from.record, clock.now()), undefined, left())
    try {
      await giveBackFrom(lease)
    } catch (error) {
      // A renewal that was given up may have arrived.
      const found = isKubeError(error, 'Conflict') ? await leases.get(undefined, left()) : undefined
      if (found === undefined) throw error
      if (found.record.holderIdentity === identity) await giveBackFrom(found)
    }
  }

  void renewals()
  void watchDeadline()
  let givingBack: Promise<void> | undefined
  return {
    signal: ending.signal,
    mayWrite,
    release: () => {
      givingBack ??= giveBack().catch(settings.onProblem)
      return givingBack
    },
  }
}
