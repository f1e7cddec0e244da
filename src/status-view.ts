/** One connector as a person wants to see it: lines of text from what the API server serves. Pure. */
import { lastOutcome } from './connector/outcome.ts'
import { type Next, outlookOf } from './connector/outlook.ts'
import type { Connector } from './connector/schema.ts'
import { type Check, type Status, status as statusSchema } from './connector/status.ts'
import { plainText } from './connector/text.ts'
import { filled, inWords } from './progress-bar.ts'
import { textTable } from './text-table.ts'

export type ViewOptions = {
  readonly now: Date
  /** Whether the output shows colours. */
  readonly colour: boolean
}

const COLOURS = { green: 32, yellow: 33, red: 31 } as const
type Colour = keyof typeof COLOURS
type Paint = (text: string, colour: Colour | undefined) => string

const BAR = 30
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** All there is to see, with a line feed at the end. Nothing of it is obeyed by a terminal but our own colours. */
export function statusView(connector: Connector, { now, colour }: ViewOptions): string {
  const { status = statusSchema.parse({}) } = connector
  const paint: Paint = (text, name) => (colour && name !== undefined ? `\x1b[${COLOURS[name]}m${text}\x1b[39m` : text)
  const parts = [
    head(connector, status, paint),
    checks(status.connectionTest?.checks ?? [], paint),
    streams(status.sync?.streams ?? [], now),
    times(connector, status, now, paint),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

/** The same in one line, for where lines follow one another: what has changed shows by itself. */
export function statusLine(connector: Connector): string {
  const { status = statusSchema.parse({}) } = connector
  const { activeRun, lastRun, streams: of = [], waiting } = status.sync ?? {}
  const run =
    activeRun === undefined
      ? [waiting && 'the next run is waiting', lastRun && `last run ${lastRun.result}`]
      : [
          `running${activeRun.percent === undefined ? '' : `, ${activeRun.percent} %`}`,
          activeRun.waitingFor && `waiting: ${activeRun.waitingFor}`,
        ]
  const records = of.reduce((sum, one) => sum + one.records, 0)
  const parts = [
    state(connector, status).text,
    ...run.filter((part) => part !== undefined),
    ...(of.length > 0 ? [`${grouped(records)} records`] : []),
  ]
  return `${shown(connector.metadata.name)}: ${parts.join('; ')}\n`
}

// Its state.

function head({ metadata, spec }: Connector, status: Status, paint: Paint): string {
  const { role, requestsPerMinute } = status.account ?? {}
  const { text, colour } = state({ metadata, spec, status }, status)
  const about = [
    `namespace ${metadata.namespace}`,
    ...(spec.displayName === undefined ? [] : [shown(spec.displayName)]),
    ...(role === undefined ? [] : [`as ${role}`]),
    `${spec.rateLimit.requestsPerMinute}${requestsPerMinute === undefined ? '' : ` of ${requestsPerMinute}`} requests/min`,
  ]
  return `${shown(metadata.name)}  ${shown(spec.endpoint)}  (${about.join(', ')})\n${paint(text, colour)}\n`
}

/** `Error (InvalidClient): Zendesk refuses …`: STATUS, and why it is not ready or why it is. */
function state({ spec, metadata }: Connector, status: Status): { text: string; colour: Colour | undefined } {
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  const suspended = spec.suspend ? ', suspended' : ''
  const isOld = status.observedGeneration < metadata.generation && ready !== undefined
  const late = isOld ? ' (The latest spec change is not tested yet.)' : ''
  const why = ready === undefined ? ': not seen by the operator yet' : ` (${ready.reason}): ${ready.message}`
  const colour = { True: 'green', False: 'red', Unknown: 'yellow' } as const
  return { text: `${status.connection}${suspended}${why}${late}`, colour: colour[ready?.status ?? 'Unknown'] }
}

// Its tables.

function checks(of: readonly Check[], paint: Paint): string {
  if (of.length === 0) return ''
  const rows = of.map(({ name, result, reason, message }) => [name, result, reason ?? '', message ?? ''])
  const [header = '', ...lines] = textTable([['CHECK', 'RESULT', 'REASON', 'MESSAGE'], ...rows]).split('\n')
  const colours = { Passed: 'green', Failed: 'red', Unknown: 'yellow', Skipped: undefined } as const
  // After the columns are measured: a colour has no width.
  const painted = of.map(({ result }, index) => {
    const line = lines[index] ?? ''
    const at = line.indexOf(result, header.indexOf('RESULT'))
    return line.slice(0, at) + paint(result, colours[result]) + line.slice(at + result.length)
  })
  return [header, ...painted, ''].join('\n')
}

function streams(of: NonNullable<NonNullable<Status['sync']>['streams']>, now: Date): string {
  if (of.length === 0) return ''
  const rows = of.map(({ name, records, newestRecordTime, complete }) => [
    name,
    grouped(records),
    newestRecordTime === undefined ? '' : clock(new Date(newestRecordTime), now),
    newestRecordTime === undefined ? '' : ago(newestRecordTime, now),
    complete ? 'yes' : 'no',
  ])
  return textTable([['STREAM', 'RECORDS', 'NEWEST', 'LAG', 'COMPLETE'], ...rows], [1])
}

// Its runs and tests.

function times(connector: Connector, status: Status, now: Date, paint: Paint): string {
  const { connectionTest } = status
  const { activeRun, lastRun } = status.sync ?? {}
  const next = outlookOf(connector, now)
  const failures = connectionTest?.consecutiveFailures ?? 0
  const outcome = lastOutcome(connectionTest)?.kind
  const rows: (readonly [string, string] | undefined)[] = [
    ...(activeRun === undefined ? [] : running(activeRun, now, paint)),
    lastRun && ['Last run', lastRunInWords(lastRun, now)],
    connectionTest?.lastTime === undefined
      ? undefined
      : [
          'Last test',
          `${ago(connectionTest.lastTime, now)} ago, ${outcome}${failures > 1 ? ` for the ${ordinal(failures)} time in a row` : ''}`,
        ],
    ['Next test', inTime(next.test, now)],
    ['Next run', inTime(next.run, now)],
  ]
  return textTable(rows.filter((row) => row !== undefined))
}

type ActiveRun = NonNullable<NonNullable<Status['sync']>['activeRun']>

function running(
  { startTime, percent, progress, estimatedCompletionTime, waitingFor }: ActiveRun,
  now: Date,
  paint: Paint,
): (readonly [string, string])[] {
  const bar = percent === undefined ? '' : `[${filled(percent, BAR)}] ${percent} %, `
  const done = estimatedCompletionTime === undefined ? '' : `, done ${inTime(new Date(estimatedCompletionTime), now)}`
  return [
    ['Running', `${bar}for ${ago(startTime, now)}${done}`],
    ...(progress === undefined ? [] : [['', progress] as const]),
    ...(waitingFor === undefined ? [] : [['', paint(`waiting: ${waitingFor}`, 'yellow')] as const]),
  ]
}

function lastRunInWords(run: NonNullable<NonNullable<Status['sync']>['lastRun']>, now: Date): string {
  const { result, reason, message, startTime, endTime, records, requests, throttled, throttledSeconds = 0 } = run
  const took = startTime && endTime ? [`took ${inWords(Date.parse(endTime) - Date.parse(startTime))}`] : []
  const parts = [
    `${result}${reason === undefined ? '' : ` (${reason})`}${endTime === undefined ? '' : ` ${ago(endTime, now)} ago`}`,
    ...took,
    `${grouped(records)} records`,
    `${grouped(requests)} requests`,
    ...(throttled > 0 ? [`${grouped(throttled)} of them answered with 429`] : []),
    ...(throttledSeconds > 0 ? [`waited ${inWords(throttledSeconds * 1000)} for Zendesk`] : []),
    ...(run.rejected ? [`${grouped(run.rejected)} rejected by the sink`] : []),
  ]
  return `${parts.join(', ')}${message === undefined ? '' : `: ${message}`}`
}

/** `in 12 min 5 s (10:42:00 UTC)`. */
function inTime(next: Next, now: Date): string {
  if (typeof next === 'string') return next
  return next <= now ? 'now' : `in ${inWords(next.getTime() - now.getTime())} (${clock(next, now)})`
}

/** How long ago, without tenths of seconds: two clocks are compared. Of some streams the newest record is a year old. */
function ago(time: string, now: Date): string {
  const milliseconds = Math.max(0, now.getTime() - Date.parse(time))
  if (milliseconds < 2 * DAY_MS) return inWords(milliseconds).replace(/\.\d s$/, ' s')
  const days = Math.floor(milliseconds / DAY_MS)
  return `${days} d ${Math.floor((milliseconds - days * DAY_MS) / HOUR_MS)} h`
}

/** `10:42:00 UTC`, with the date where it is not today's. */
function clock(time: Date, now: Date): string {
  const [date = '', rest = ''] = new Date(Math.round(time.getTime() / 1000) * 1000).toISOString().split('T')
  const day = Math.abs(time.getTime() - now.getTime()) < DAY_MS && now.toISOString().startsWith(date) ? '' : `${date} `
  return `${day}${rest.slice(0, 8)} UTC`
}

function ordinal(count: number): string {
  const tens = count % 100
  const ending = tens > 10 && tens < 20 ? 'th' : (['th', 'st', 'nd', 'rd'][count % 10] ?? 'th')
  return `${count}${ending}`
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/** What the status holds is plain already; of the spec only some is. */
function shown(text: string): string {
  return plainText(text, 256)
}
