/** What is counted of runs, as a table: a run's measures are a row of numbers, and a metric is a column. */
import type { Measures } from '../connector/run.ts'
import { streamName } from '../connector/schema.ts'
import { type Family, joined, labelled } from './exposition.ts'

type Column<Figure> = { readonly figure: Figure; readonly name: string; readonly help: string }

const OF_RUN: readonly Column<'requests' | 'throttled' | 'throttledSeconds'>[] = [
  { figure: 'requests', name: 'run_requests_total', help: 'Requests of runs to Zendesk, including token requests.' },
  {
    figure: 'throttled',
    name: 'throttled_requests_total',
    help: 'Requests of runs that Zendesk answered with 429.',
  },
  {
    figure: 'throttledSeconds',
    name: 'throttled_seconds_total',
    help: 'Time that runs waited because Zendesk, or other clients of the account, required it.',
  },
]

const OF_STREAM: readonly Column<'published' | 'bytes' | 'late' | 'unmapped' | 'rejected'>[] = [
  { figure: 'published', name: 'records_total', help: 'Records published.' },
  { figure: 'bytes', name: 'received_bytes_total', help: 'Bytes read from Zendesk, uncompressed.' },
  {
    figure: 'late',
    name: 'late_records_total',
    help: 'Activities that Zendesk served after newer ones had been read.',
  },
  { figure: 'unmapped', name: 'unmapped_records_total', help: 'Records of unknown kind, published as base events.' },
  { figure: 'rejected', name: 'rejected_records_total', help: 'Records that the sink permanently rejected.' },
]

/** Streams in the order of their columns. What a checkpoint says of others is not told: a label must be bounded. */
export const STREAMS = streamName.options
/** Labels by the place of the stream. */
export const STREAM_LABELS = STREAMS.map((stream) => labelled({ stream }))

/** Figures in a fixed order; NaN where nothing is said of a stream. */
export type Row = number[]

/** The figures of one run so far. */
export function rowOf(measures: Measures): Row {
  const row: Row = OF_RUN.map(({ figure }) => measures[figure])
  for (const stream of STREAMS) {
    const told = measures.streams.find(({ name }) => name === stream)
    for (const { figure } of OF_STREAM) row.push(told?.[figure] ?? Number.NaN)
  }
  return row
}

/** Adds to `total` what has come on top of `before`; a figure that fell adds nothing. */
export function addRow(total: Row, before: Row | undefined, after: Row): void {
  for (const [column, value] of after.entries()) {
    if (Number.isNaN(value)) continue
    total[column] = (total[column] || 0) + Math.max(0, value - (before?.[column] || 0))
  }
}

/** The counters of all rows that `rows` goes through; its labels are the connector's, or empty. */
export function countersOf(rows: () => Iterable<readonly [labels: string, row: Row]>): Family[] {
  const counter = ({ name, help }: Column<string>, columns: readonly (readonly [labels: string, at: number])[]) => ({
    name: `zendesk_connector_${name}`,
    help,
    type: 'counter' as const,
    *samples() {
      for (const [labels, row] of rows())
        for (const [own, at] of columns) {
          const value = row[at]
          if (value !== undefined && !Number.isNaN(value)) yield [joined(labels, own), value] as const
        }
    },
  })
  return [
    ...OF_RUN.map((column, at) => counter(column, [['', at]])),
    ...OF_STREAM.map((column, offset) =>
      counter(
        column,
        STREAM_LABELS.map((label, stream) => [label, OF_RUN.length + stream * OF_STREAM.length + offset]),
      ),
    ),
  ]
}
