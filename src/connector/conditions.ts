/** Status conditions: the transition time moves only when a status moves, and the generation is always stamped. */
import type { Reason } from './reasons.ts'
import { type Condition, LONGEST } from './status.ts'
import { plainText } from './text.ts'

export type ConditionType = 'Ready' | 'Connected' | 'Synced' | 'Reconciling' | 'Stalled'
export type Judgement = {
  readonly status: Condition['status']
  readonly reason: Reason
  readonly message: string
}
/** What is to be said; a type that is absent is not shown. */
export type Judgements = Readonly<Partial<Record<ConditionType, Judgement>>>

/** Merges new judgements into the conditions that stand; types that are not judged are dropped. */
export function stamp(
  before: readonly Condition[],
  judgements: Judgements,
  generation: number,
  now: Date,
): Condition[] {
  return Object.entries(judgements).map(([type, { status, reason, message }]) => {
    const old = before.find((one) => one.type === type)
    return {
      type,
      status,
      observedGeneration: generation,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now.toISOString(),
      reason,
      // Put together of several: of what stood in a status, and of what is added to it.
      message: plainText(message, LONGEST),
    }
  })
}
