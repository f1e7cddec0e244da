/**
 * `npm run bench -- operator`: the operator as it is shipped with ten thousand connectors, each with what some days leave
 * behind, on a real API server and before a Zendesk that takes a second for each test; and a controller on
 * controller-runtime in its place.
 */
import { parseArgs } from 'node:util'
import { textTable } from '../src/text-table.ts'
import { quantile, rounded } from './support/operator/figures.ts'
import { growthTable, writeGrowth } from './support/operator/growth.ts'
import { type Figures, measureOperator } from './support/operator/measure.ts'

const GOALS = { startSeconds: 10, rssMb: 256, pickupP99Ms: 1000, firstTests1000Seconds: 60, secretToTestP99Ms: 1000 }

const help = `npm run bench -- operator [--connectors 10000] [--growth]

Start, memory, and how soon new connectors and changed Secrets are acted upon, beside a controller on
controller-runtime; and how many runs an hour this machine sustains. About 15 minutes with 10,000 connectors.
--growth: the same with a hundredth and a tenth of them as well, as a table and a plot in docs/.`

export async function bench(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { connectors: { type: 'string' }, growth: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return { table: help, json: {}, good: true }
  const connectors = Number(values.connectors ?? 10_000)
  if (values.growth !== true) return told(await measureOperator(connectors))
  const all: Figures[] = []
  for (const count of [connectors / 100, connectors / 10, connectors]) all.push(await measureOperator(count))
  const last = told(all.at(-1) as Figures)
  await writeGrowth(all)
  return { ...last, table: `${growthTable(all)}\n${last.table}` }
}

function told(figures: Figures) {
  const { connectors, requests, runs, quiet, peer } = figures
  const p99 = (samples: readonly number[]) => rounded(quantile(samples, 0.99))
  const p50 = (samples: readonly number[]) => rounded(quantile(samples, 0.5))
  const measured = {
    startSeconds: rounded(figures.startSeconds, 2),
    rssMb: rounded(figures.rssMb),
    pickupP99Ms: p99(figures.firstRequestWhileDue),
    firstTests1000Seconds: rounded(figures.firstTests1000Seconds, 1),
    secretToTestP99Ms: Math.max(p99(quiet.secretToTest), p99(figures.secretToTestWhileDue)),
  }
  const json = {
    connectors,
    ...measured,
    requestsPerConnectorHour: rounded(requests.perConnectorHour, 1),
    runsPerHour: rounded(runs.perHour),
    ofControllerRuntime: {
      rss: rounded(quiet.rssMb / peer.rssMb, 2),
      pickup: rounded(quantile(quiet.firstStatus, 0.5) / quantile(peer.firstStatus, 0.5), 2),
    },
  }
  const goal = (name: keyof typeof GOALS) => `≤ ${GOALS[name]}`
  const both = (samples: readonly number[]) => `${p50(samples)} / ${p99(samples)}`
  const table = textTable(
    [
      ['WHAT', 'MEASURED', 'GOAL'],
      ['connectors', connectors.toLocaleString('en-US'), ''],
      ['start until all are known, s', String(measured.startSeconds), goal('startSeconds')],
      ['  until it leads', String(rounded(quiet.leadsSeconds, 2)), ''],
      ['  controller-runtime', String(rounded(peer.startSeconds, 2)), ''],
      ['most memory (VmHWM), MiB', String(measured.rssMb), goal('rssMb')],
      ['  with nothing due', String(rounded(quiet.rssMb)), ''],
      ['  controller-runtime', String(rounded(peer.rssMb)), ''],
      [
        'new: first test starts while all are due, ms, p50 / p99',
        both(figures.firstRequestWhileDue),
        goal('pickupP99Ms'),
      ],
      ['  with nothing due', both(quiet.firstRequest), ''],
      ['new: first status with nothing due, ms, p50 / p99', both(quiet.firstStatus), ''],
      ['  controller-runtime', both(peer.firstStatus), ''],
      [
        'Secret changed: test starts while all are due, ms, p50 / p99',
        both(figures.secretToTestWhileDue),
        goal('secretToTestP99Ms'),
      ],
      ['  with nothing due', both(quiet.secretToTest), goal('secretToTestP99Ms')],
      ['1,000 first tests of 1 s, s', String(measured.firstTests1000Seconds), goal('firstTests1000Seconds')],
      ['routine tests a second while all are due', String(rounded(figures.testsPerSecond, 1)), ''],
      ['API requests per routine test', String(rounded(requests.perTest, 2)), ''],
      ['API requests per run', String(rounded(requests.perRun, 1)), ''],
      ['API requests an hour of the operator itself', String(rounded(requests.fixedPerHour)), ''],
      ['API requests per connector and hour, a run every 15 min', String(json.requestsPerConnectorHour), ''],
      ['runs an hour', json.runsPerHour.toLocaleString('en-US'), ''],
    ],
    [1],
  )
  const good = Object.entries(GOALS).every(([name, most]) => measured[name as keyof typeof GOALS] <= most)
  return { table: `${table}What bounds the runs: ${runs.bound}`, json, good }
}
