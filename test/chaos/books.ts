/** What has been done so far, and what should not have happened. */

/** What a process can be killed in. */
export const PHASES = ['fetching', 'writing', 'publishing', 'checkpointing'] as const
export type Phase = (typeof PHASES)[number]
/** `elsewhere`: starting, waiting, between two of the phases. */
export type Where = Phase | 'elsewhere'

/** Faults that a process is started for; all others strike whoever comes by. */
export const SPECIALS = ['fill', 'freeze', 'stop', 'lose'] as const
export type Special = (typeof SPECIALS)[number]

export type SinkKind = 'file' | 's3' | 'http'
export type Kill = { readonly where: Where; readonly sink: SinkKind; readonly how: string }

export type Books = {
  readonly kills: readonly Kill[]
  /** How many faults of each kind have struck. */
  readonly faults: ReadonlyMap<string, number>
  /** How processes ended, and how often: exit codes and signals. */
  readonly ends: ReadonlyMap<string, number>
  /** What should not have happened, a sentence each. */
  readonly troubles: readonly string[]
  /** Kills that hit that phase. */
  killsIn(phase: Phase): number
  faultCount(): number
  specialCount(special: Special): number
  killed(kill: Kill): void
  /** `special`: it was one of these. */
  faulted(kind: string, special?: Special): void
  ended(how: string): void
  trouble(what: string): void
}

export function openBooks(): Books {
  const kills: Kill[] = []
  const faults = new Map<string, number>()
  const ends = new Map<string, number>()
  const specials = new Map<Special, number>()
  const troubles: string[] = []
  const bump = <T>(counts: Map<T, number>, key: T) => void counts.set(key, (counts.get(key) ?? 0) + 1)
  return {
    kills,
    faults,
    ends,
    troubles,
    killsIn: (phase) => kills.filter(({ where }) => where === phase).length,
    faultCount: () => [...faults.values()].reduce((sum, count) => sum + count, 0),
    specialCount: (special) => specials.get(special) ?? 0,
    killed: (kill) => void kills.push(kill),
    faulted: (kind, special) => {
      bump(faults, kind)
      if (special !== undefined) bump(specials, special)
    },
    ended: (how) => bump(ends, how),
    trouble: (what) => void troubles.push(what),
  }
}
