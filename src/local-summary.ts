/** What a run without a cluster says in the end: a table for people, JSON for machines. */
import { EXIT, type Report } from './connector/run.ts'
import { inWords } from './progress-bar.ts'
import type { ExitCode } from './sync/failure.ts'
import { textTable } from './text-table.ts'

export type LocalRun = {
  readonly name: string
  readonly namespace: string
  readonly endpoint: string
  /** Folder with the records of all streams. */
  readonly files: string
  readonly report: Report
  readonly exitCode: ExitCode
}

const HEAD = ['STREAM', 'NEW', 'TOTAL', 'LATE', 'REQUESTS', 'BYTES', 'COMPLETE', 'NEWEST']
const NUMERIC = [1, 2, 3, 4, 5]

export function asTable({ name, endpoint, files, report, exitCode }: LocalRun): string {
  const { streams, startTime, endTime, throttledSeconds } = report
  const rows = streams.map((one) => [
    one.name,
    grouped(one.published),
    grouped(one.records),
    grouped(one.late),
    grouped(one.requests),
    size(one.bytes),
    one.complete ? 'yes' : 'no',
    one.newestRecordTime ?? '',
  ])
  const total = (count: (one: Report['streams'][number]) => number) => streams.reduce((sum, one) => sum + count(one), 0)
  const totals = [
    'Total',
    grouped(report.records),
    grouped(total(({ records }) => records)),
    grouped(total(({ late }) => late)),
    // Those for tokens are no stream's.
    grouped(report.requests),
    size(report.bytes),
  ]
  const took = inWords(Date.parse(endTime) - Date.parse(startTime))
  const waited = throttledSeconds > 0 ? `, ${inWords(throttledSeconds * 1000)} of it waiting for Zendesk` : ''
  return [
    `${name}  ${endpoint}: ${verdict(report)}`,
    '',
    `${textTable([HEAD, ...rows, totals], NUMERIC)}`,
    `Took ${took}${waited}. Records are in ${files}`,
    ...hint(report, exitCode),
    '',
  ].join('\n')
}

function verdict({ result, reason, message }: Report): string {
  switch (result) {
    case 'Succeeded':
      return 'Succeeded'
    case 'MoreToDo':
      return 'Stopped'
    case 'Failed':
      return `Failed (${reason}): ${message}`
  }
}

/** Nothing that was published is lost: what to do about the rest. */
function hint({ result }: Report, exitCode: ExitCode): string[] {
  if (exitCode === EXIT.fenced) return ['Another process is working in this folder and continues from here.']
  if (result === 'MoreToDo') return ['There is more to do: run the same command again to continue.']
  return exitCode === EXIT.ok ? [] : ['Nothing is lost: run the same command again to continue.']
}

export function asJson(runs: readonly LocalRun[]): string {
  const connectors = runs.map(({ report, ...run }) => ({ ...run, ...report }))
  return `${JSON.stringify({ connectors }, null, 2)}\n`
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/** `12 B`, `3.4 kB`, `56 MB`. */
function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB']
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}
