/** Connectors that come, change and go for as long as it takes, and how soon the operator has acted on each change. */
import type { Dice } from '../chaos/dice.ts'
import { complaints, type Shown } from '../chaos/operator/judge.ts'
import type { Residents, Truth } from '../chaos/operator/residents.ts'

/** Connectors there are: never more, and no fewer once there were so many. */
const MOST = 24
const LEAST = 8

const KINDS = ['create', 'change', 'rotate', 'test', 'flip', 'delete'] as const
export type Kind = (typeof KINDS)[number]

/** A change that was made, and what is not as it must be after it. */
type Change = { readonly kind: Kind; readonly name: string; readonly madeAt: number }

/** A change that was acted on, or whose time was up. */
export type Acted = { readonly kind: Kind; readonly name: string; readonly seconds: number; readonly wrong: string[] }

export type Churn = {
  readonly done: readonly Acted[]
  /** Makes one change, to a connector that none is pending for. */
  stir(): Promise<void>
  /** Whether one was deleted, and /metrics must be looked at. */
  hasDeleted(): boolean
  /** Compares what is served with what was asked for; `exported`: what /metrics says, where one was deleted. */
  look(connectors: readonly Shown[], exported: string): void
  pending(): number
}

export function createChurn(residents: Residents, dice: Dice, patienceMs: number): Churn {
  const free = Array.from({ length: MOST }, (_, index) => `soaked-${String(index + 1).padStart(2, '0')}`)
  const pending = new Map<string, Change>()
  const done: Acted[] = []

  const make: Readonly<Record<Kind, (name: string) => Promise<void>>> = {
    create: async (name) => {
      residents.account(name).changeRole('admin')
      residents.account(name).rotateSecret('zendesk-connector', `${name}-secret`)
      // What becomes of its runs is the chaos of runs' to judge: changes of the spec end them.
      await residents.add(name, { connection: 'Connected', disturbed: true })
    },
    change: (name) => residents.change(name, { rateLimit: { requestsPerMinute: dice.between(100, 700) } }),
    rotate: residents.rotate,
    test: residents.testNow,
    flip: async (name) => {
      await residents.flip(name)
      residents.disturb(name, true)
    },
    delete: async (name) => {
      await residents.remove(name)
      free.push(name)
    },
  }

  const choose = (): [Kind, string] | undefined => {
    const settled = [...residents.truth.keys()].filter((name) => !pending.has(name))
    const vacant = free.find((name) => !pending.has(name))
    const count = residents.truth.size
    const kind = count < LEAST ? 'create' : dice.of(KINDS)
    if (kind === 'create') {
      if (vacant === undefined) return undefined
      free.splice(free.indexOf(vacant), 1)
      return [kind, vacant]
    }
    if (settled.length === 0 || (kind === 'delete' && count <= LEAST)) return undefined
    return [kind, dice.of(settled)]
  }

  const wrongAfter = ({ kind, name }: Change, connectors: readonly Shown[], exported: string): string[] => {
    if (kind === 'delete') return exported.includes(`="${name}"`) ? [`${name} is still in /metrics`] : []
    const truth: [string, Truth][] = [...residents.truth].filter(([of]) => of === name)
    return complaints(connectors, undefined, new Map(truth))
  }

  return {
    done,
    pending: () => pending.size,
    hasDeleted: () => [...pending.values()].some(({ kind }) => kind === 'delete'),
    stir: async () => {
      const choice = choose()
      if (choice === undefined) return
      const [kind, name] = choice
      const madeAt = performance.now()
      await make[kind](name)
      pending.set(name, { kind, name, madeAt })
    },
    look: (connectors, exported) => {
      for (const [name, change] of pending) {
        const wrong = wrongAfter(change, connectors, exported)
        const ms = performance.now() - change.madeAt
        if (wrong.length > 0 && ms < patienceMs) continue
        pending.delete(name)
        done.push({ kind: change.kind, name, seconds: ms / 1000, wrong })
      }
    },
  }
}
