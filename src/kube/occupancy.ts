/**
 * Which runs have not ended, by Zendesk account: a Job that is active, or a pod that is unfinished, also one whose Job or
 * connector is gone. The account's budget is theirs until then, or until it is certain without being seen: a node may be
 * lost with a pod, and a namespace closed to us.
 */

/** A Job or a pod of a run. */
export type Part = {
  /** uid of the Job. */
  readonly run: string
  readonly account: string
  /** uid of the run's owner, where it is known. */
  readonly connector?: string
  /** It has ended by then, whatever is seen of it. Of what was said before, the earliest counts. */
  readonly until: Date
}

export type Occupancy = {
  /** `thing`, a Job or a pod by its key, has not ended. */
  hold(thing: string, part: Part): void
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
  readonly things: Map<string, { readonly untilMs: number; readonly timer: NodeJS.Timeout }>
}

/** Nothing is under way. `onEnd` is told of each account in which a run has ended. */
export function createOccupancy(onEnd: (account: string) => void, now: () => Date): Occupancy {
  const runs = new Map<string, Run>()
  const byAccount = new Map<string, Set<Run>>()
  const byThing = new Map<string, Run>()

  const begin = (uid: string, account: string): Run => {
    const run: Run = { uid, account, connector: undefined, things: new Map() }
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
    clearTimeout(run?.things.get(thing)?.timer)
    run?.things.delete(thing)
    if (run?.things.size === 0) end(run)
  }

  return {
    hold: (thing, { run: uid, account, connector, until }) => {
      const before = byThing.get(thing)
      if (before !== undefined && before.uid !== uid) release(thing)
      const known = runs.get(uid)?.things.get(thing)
      // Its timer goes on, whatever has become of the clock since.
      if (known !== undefined && known.untilMs <= until.getTime()) return
      const left = until.getTime() - now().getTime()
      if (left <= 0) return release(thing)
      const run = runs.get(uid) ?? begin(uid, account)
      run.connector ??= connector
      clearTimeout(known?.timer)
      run.things.set(thing, { untilMs: until.getTime(), timer: setTimeout(() => release(thing), left).unref() })
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
