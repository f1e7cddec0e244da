/** The faults, by name. Each strikes, and tells from when on all must come right again. */
import type { Dice } from '../dice.ts'
import { clockJumps, leaderFrozen, leaderKilled, tokenRotated } from './replica-faults.ts'
import type { Residents } from './residents.ts'
import { nodePaused, nodeVanishes } from './run-faults.ts'
import { apiServerKilled, apiServerRefuses, etcdPaused, watchesSilenced } from './server-faults.ts'
import type { World } from './world.ts'

export type Scene = { readonly world: World; readonly residents: Residents; readonly dice: Dice }

/** A fault that has struck. */
export type Struck = {
  /** performance.now() from which on the state has 60 s to be right. */
  readonly since: number
  /** Date.now() at which the leader was struck: from then on another has 20 s to take over. */
  readonly leaderStruckAt?: number
  /** What comes after the state is right: it may strike once more. */
  readonly next?: () => Promise<Struck | undefined>
}

export type Fault = {
  readonly name: string
  readonly what: string
  /** Reasons of KubeErrors that may be logged at level error because of it. */
  readonly mayLog: readonly string[]
  strike(scene: Scene): Promise<Struck>
}

export const FAULTS: readonly Fault[] = [
  apiServerKilled,
  etcdPaused,
  watchesSilenced,
  apiServerRefuses,
  tokenRotated,
  leaderKilled,
  leaderFrozen,
  nodeVanishes,
  nodePaused,
  clockJumps,
]
