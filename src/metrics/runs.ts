/**
 * What runs have measured: runs come and go, so the operator adds up what their checkpoints tell. Counters begin at zero
 * with the operator, as counters do.
 */
import type { Observed } from '../connector/observed.ts'
import type { Measures } from '../connector/run.ts'
import { type Family, joined, labelled, labelsOf } from './exposition.ts'
import { addRow, countersOf, type Row, rowOf } from './figures.ts'

/** Pairs: an object with numbers for names takes kilobytes. */
type Counts = readonly (readonly [name: string, count: number])[]

/** What was last taken in of a connector: the pod whose measures they are, and the measures. */
type Seen = { readonly pod: string; readonly row: Row; readonly retries: Counts; readonly codes: Counts }
/** Of a connector that has never run: all that its first run does is counted, however late it is looked at. */
const nothingYet: Seen = { pod: '', row: [], retries: [], codes: [] }

type Totals = { readonly row: Row; readonly retries: Map<string, number> }
const noTotals = (): Totals => ({ row: [], retries: new Map() })

/** Kinds of one connector's retries that are told apart: a checkpoint can say anything. */
const MOST_KINDS = 32

export type RunFigures = {
  /** Takes in what is known of the connector `namespace/name`. */
  observe(key: string, observed: Observed): void
  forget(key: string): void
  readonly families: readonly Family[]
}

/** `answered` hears of each of Zendesk's answers to a run, by its code. Not `perConnector`: only sums are kept. */
export function createRunFigures(perConnector: boolean, answered: (code: string, count: number) => void): RunFigures {
  const seen = new Map<string, Seen>()
  const totals = new Map<string, Totals>()
  const all = noTotals()

  const totalsOf = (key: string): Totals => {
    if (!perConnector) return all
    const known = totals.get(key) ?? noTotals()
    totals.set(key, known)
    return known
  }

  const add = ({ row, retries }: Totals, before: Seen, after: Seen) => {
    addRow(row, before.row, after.row)
    for (const [kind, more] of increases(before.retries, after.retries)) {
      const told = retries.has(kind) || retries.size < MOST_KINDS ? kind : 'other'
      retries.set(told, (retries.get(told) ?? 0) + more)
    }
    for (const [code, more] of increases(before.codes, after.codes)) answered(code, more)
  }

  function* rows() {
    if (!perConnector) yield ['', all] as const
    for (const [key, of] of totals) yield [labelsOf(key), of] as const
  }

  return {
    observe: (key, { checkpoint }) => {
      const { holder, progress } = checkpoint ?? {}
      if (holder === undefined || progress === undefined) {
        if (!seen.has(key)) seen.set(key, nothingYet)
        return
      }
      const before = seen.get(key)
      const after = seenOf(`${holder.run}/${holder.pod}`, progress.measures)
      seen.set(key, after)
      // What a run had done when this operator began is not told again.
      if (before !== undefined) add(totalsOf(key), before.pod === after.pod ? before : nothingYet, after)
    },
    forget: (key) => {
      seen.delete(key)
      totals.delete(key)
    },
    families: [
      ...countersOf(function* () {
        for (const [labels, { row }] of rows()) yield [labels, row] as const
      }),
      {
        name: 'zendesk_connector_retries_total',
        help: 'Retries by runs, by kind of failure.',
        type: 'counter',
        *samples() {
          for (const [labels, { retries }] of rows())
            for (const [kind, count] of retries) yield [joined(labels, labelled({ kind })), count] as const
        },
      },
    ],
  }
}

function seenOf(pod: string, measures: Measures): Seen {
  return {
    pod,
    row: rowOf(measures),
    retries: Object.entries(measures.retries),
    codes: measures.codes.map(({ code, requests }) => [code, requests]),
  }
}

function* increases(before: Counts, after: Counts) {
  for (const [name, count] of after) {
    const [, was = 0] = before.find(([one]) => one === name) ?? []
    const more = count - was
    if (more > 0) yield [name, more] as const
  }
}
