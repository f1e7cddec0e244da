/** How the operator's cost grows with its connectors: a table and a plot for docs/. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { textTable } from '../../../src/text-table.ts'
import { plot } from '../plot.ts'
import { quantile, rounded } from './figures.ts'
import type { Figures } from './measure.ts'

const docs = join(import.meta.dirname, '..', '..', '..', 'docs')

type Row = readonly [string, (figures: Figures) => number, number]

const p99 = (samples: readonly number[]) => quantile(samples, 0.99)
/** What it is called, what it is, and to how many places. */
const ROWS: readonly Row[] = [
  ['Start until all are known, s', ({ startSeconds }) => startSeconds, 2],
  ['… controller-runtime', ({ peer }) => peer.startSeconds, 2],
  ['Most memory (VmHWM) with nothing due, MiB', ({ quiet }) => quiet.rssMb, 0],
  ['… controller-runtime', ({ peer }) => peer.rssMb, 0],
  ['Most memory in all, MiB', ({ rssMb }) => rssMb, 0],
  ['New connector to its first test while all are due, p99, ms', (one) => p99(one.firstRequestWhileDue), 0],
  ['Secret changed to its test while all are due, p99, ms', (one) => p99(one.secretToTestWhileDue), 0],
  ['First tests of 1 s each, per 1,000, s', (one) => one.firstTests1000Seconds, 1],
  ['API requests of the operator itself per hour', ({ requests }) => requests.fixedPerHour, 0],
  ['API requests per routine test', ({ requests }) => requests.perTest, 1],
  ['API requests per run', ({ requests }) => requests.perRun, 1],
  ['API requests per connector and hour', ({ requests }) => requests.perConnectorHour, 1],
]

const cells = (all: readonly Figures[]) => [
  ['', ...all.map(({ connectors }) => `${connectors.toLocaleString('en-US')} connectors`)],
  ...ROWS.map(([name, of, places]) => [
    name,
    ...all.map((figures) => rounded(of(figures), places).toLocaleString('en-US')),
  ]),
]

export function growthTable(all: readonly Figures[]): string {
  return textTable(
    cells(all),
    all.map((_, index) => index + 1),
  )
}

/** Writes docs/operator-growth.svg and docs/operator-growth.md. */
export async function writeGrowth(all: readonly Figures[]): Promise<void> {
  const of = (name: string, figure: (figures: Figures) => number) => ({ name, values: all.map(figure) })
  const svg = plot(
    [
      {
        title: 'Most memory',
        unit: 'MiB',
        most: 256,
        series: [of('this operator', ({ quiet }) => quiet.rssMb), of('controller-runtime', ({ peer }) => peer.rssMb)],
      },
      {
        title: 'Start until all are known',
        unit: 's',
        most: 10,
        series: [
          of('this operator', (one) => one.startSeconds),
          of('controller-runtime', ({ peer }) => peer.startSeconds),
        ],
      },
      {
        title: 'To a test while all are due, p99',
        unit: 'ms',
        most: 1000,
        series: [
          of('new connector', (one) => p99(one.firstRequestWhileDue)),
          of('Secret changed', (one) => p99(one.secretToTestWhileDue)),
        ],
      },
    ],
    all.map(({ connectors }) => connectors),
    'connectors',
    'How memory, start and reaction of the operator grow with the number of connectors',
  )
  const [head = [], ...rows] = cells(all)
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
  const table = lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
  await writeFile(join(docs, 'operator-growth.svg'), svg)
  await writeFile(
    join(docs, 'operator-growth.md'),
    `# How the operator grows

Written by \`npm run bench -- operator --growth\`, on one machine with its API server, its Zendesk and its pods. Each
connector has a Secret, a status, a checkpoint, three Jobs that have ended and a pod. Dashed: what must hold.

![Memory, start and reaction over the number of connectors](operator-growth.svg)

${table}
`,
  )
}
