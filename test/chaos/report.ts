/** The outcome as tables for people, and as one line for programs. */
import { PHASES } from './books.ts'
import type { Findings, Outcome } from './chaos.ts'

/** Sentences shown of each kind of finding. */
const SHOWN = 10

export function figuresOf({ books, findings }: Outcome): Readonly<Record<string, number>> {
  const counts = Object.entries(findings).map(([name, found]) => [name, found.length])
  return { kills: books.kills.length, faults: books.faultCount(), ...Object.fromEntries(counts) }
}

/** Whether nothing was wrong, and all was done that was asked for. */
export function isGood({ books, isDone, findings }: Outcome): boolean {
  return isDone && books.troubles.length === 0 && Object.values(findings).every((found) => found.length === 0)
}

export function tablesOf(outcome: Outcome): string {
  const { books, findings } = outcome
  const kills = [...PHASES, 'elsewhere' as const].map((phase) => {
    const there = books.kills.filter(({ where }) => where === phase)
    const bySink = (['file', 's3', 'http'] as const).map((kind) => there.filter(({ sink }) => sink === kind).length)
    const how = countsOf(there.map((kill) => kill.how))
    return [phase, there.length, ...bySink, how]
  })
  const lines = [
    table(['killed in', 'kills', 'file', 's3', 'http', 'where exactly'], kills),
    table(['fault', 'struck'], [...books.faults].sort(byName)),
    table(['processes ended with', 'times'], [...books.ends].sort(byName)),
    table(
      ['in all', ''],
      [
        ['records arrived', outcome.records],
        ['of them again, to collectors', outcome.repeatedToCollectors],
        ['segments', outcome.segments],
        ['requests to Zendesk', outcome.requests],
        ['versions of checkpoints', outcome.checkpointVersions],
        ['seconds', outcome.seconds],
      ],
    ),
    ...Object.entries<Findings[keyof Findings]>(findings).map(([name, found]) => listOf(name, found)),
    listOf('trouble', books.troubles),
  ]
  return lines.filter((line) => line !== '').join('\n\n')
}

function listOf(name: string, found: readonly string[]): string {
  const more = found.length > SHOWN ? [`… and ${found.length - SHOWN} more`] : []
  return [...found.slice(0, SHOWN), ...more].map((sentence) => `${name}: ${sentence}`).join('\n')
}

function countsOf(words: readonly string[]): string {
  const groups = [...Map.groupBy(words, (word) => word)].sort(([, one], [, other]) => other.length - one.length)
  return groups.map(([word, all]) => `${word} ${all.length}`).join('; ')
}

function byName([one]: readonly [string, number], [other]: readonly [string, number]): number {
  return one < other ? -1 : 1
}

type Cell = string | number

/** Columns of text, numbers to the right. */
export function table(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const all = [head, ...rows].map((row) => row.map(String))
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lineOf = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        typeof rows[0]?.[column] === 'number' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return all.map(lineOf).join('\n')
}
