/**
 * Which runs have not ended, by Zendesk account: a Job that is active, or a pod that is unfinished, also one whose Job or
 * connector is gone. The account's budget is theirs until then.
 */

export type Occupancy = {
  /** `thing`, a Job or a pod, of the Job with the uid `run` has not ended. `connector`: uid of the run's owner, where it is known. */
  hold(thing: string, run: string, account: string, connector?: string): void
  /** It has ended, or is gone. */
  release(thing: string): void
  /** Whether a run of another connector than this one, by uid, is under way in the account. */
  isBusy(account: string, connector: string): boolean
  /** Runs under way. */
  readonly size: number
}

type Run = {
  readonly uid: string
  readonly account: string
  connector: string | undefined
  readonly things: Set<string>
}

/** Nothing is under way. `onEnd` is told of each account in which a run has ended. */
export function createOccupancy(onEnd: (account: string) => void): Occupancy {
  const runs = new Map<string, Run>()
  const byAccount = new Map<string, Set<Run>>()
  const byThing = new Map<string, Run>()

  const begin = (uid: string, account: string): Run => {
    const run: Run = { uid, account, connector: undefined, things: new Set() }
    runs.set(uid, run)
    byAccount.set(account, (byAccount.get(account) ?? new Set()).add(run))
    return run
  }
  const end = (run: Run) => {
    runs.delete(run.uid)
    const others = byAccount.get(run.account)
    others?.delete(run)
    if (others?.size === 0) byAccount.delete(run.account)
    onEnd(run.account)
  }
  const release = (thing: string) => {
    const run = byThing.get(thing)
    byThing.delete(thing)
    run?.things.delete(thing)
    if (run?.things.size === 0) end(run)
  }

  return {
    hold: (thing, uid, account, connector) => {
      const before = byThing.get(thing)
      if (before !== undefined && before.uid !== uid) release(thing)
      const run = runs.get(uid) ?? begin(uid, account)
      run.connector ??= connector
      run.things.add(thing)
      byThing.set(thing, run)
    },
    release,
    isBusy: (account, connector) => {
      for (const run of byAccount.get(account) ?? []) if (run.connector !== connector) return true
      return false
    },
    get size() {
      return runs.size
    },
  }
}
