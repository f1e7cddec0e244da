/**
 * How far a run has come, for whoever watches it: a bar on a terminal, a plain line every ten seconds anywhere else.
 * Nothing but lines of text is left of it in the end.
 */
import type { Progress } from './connector/run.ts'

export type Output = {
  write(text: string): unknown
  readonly isTTY?: boolean
  /** Width of the terminal. */
  readonly columns?: number
}

export type ProgressBar = {
  /** Shows how far the run of the connector `name` has come. */
  show(name: string, progress: Progress): void
  /** Writes lines that stay, each with its line feed; the bar is drawn anew below them. */
  keep(lines: string): void
  /** Takes the bar away. */
  clear(): void
}

export type ProgressBarOptions = {
  /** Whether the output understands escape sequences. */
  readonly terminal: boolean
  readonly now: () => Date
  /** Shows nothing; what is kept is still written. */
  readonly quiet: boolean
}

/** Runs that are over at once need no line. */
const FIRST_LINE_MS = 1500
const LINE_EVERY_MS = 10_000
/** Paces are told of the last minute, since requests are limited by the minute. */
const PACE_MS = 60_000
const ENDLESS = 80
const BAR = { least: 10, most: 40 }

export function createProgressBar(output: Output, { terminal, now, quiet }: ProgressBarOptions): ProgressBar {
  let drawn: readonly string[] = []
  let paceOf = createPace()
  let shown: { readonly name: string; readonly nextAt: number } | undefined

  const erase = () => {
    if (drawn.length > 0) output.write(`\r${drawn.length > 1 ? `\x1b[${drawn.length - 1}A` : ''}\x1b[J`)
  }
  const draw = (lines: readonly string[]) => {
    erase()
    drawn = lines
    output.write(lines.join('\n'))
  }

  return {
    show: (name, progress) => {
      if (quiet) return
      const at = now().getTime()
      if (shown?.name !== name) {
        paceOf = createPace()
        shown = { name, nextAt: at + FIRST_LINE_MS }
      }
      const parts = partsOf(progress, paceOf(progress, at), at)
      if (terminal) {
        draw(barLines(name, progress, parts, (output.columns || ENDLESS) - 1))
      } else if (at >= shown.nextAt) {
        const waits = progress.waitingFor === undefined ? '' : `; waiting: ${progress.waitingFor}`
        output.write(`${name}: ${parts.join(', ')}${waits}\n`)
        shown = { name, nextAt: at + LINE_EVERY_MS }
      }
    },
    keep: (lines) => {
      erase()
      output.write(lines)
      if (drawn.length > 0) output.write(drawn.join('\n'))
    },
    clear: () => {
      erase()
      drawn = []
    },
  }
}

/** As many parts as find room beside a bar, from the one that matters most; what is waited for on a line of its own. */
function barLines(name: string, { percent, waitingFor }: Progress, parts: readonly string[], width: number): string[] {
  let text = name
  for (const part of parts) {
    if (text.length + part.length + 2 > width) break
    text += `  ${part}`
  }
  const room = Math.min(BAR.most, width - text.length - 4)
  const bar = percent === undefined || room < BAR.least ? '' : `  [${filled(percent, room)}]`
  const waits = waitingFor === undefined ? [] : [`${' '.repeat(name.length)}  waiting: ${waitingFor}`]
  return [name + bar + text.slice(name.length), ...waits].map((line) => line.slice(0, width))
}

/** `####----`: so much of `width` characters. */
export function filled(percent: number, width: number): string {
  const full = Math.round((percent / 100) * width)
  return '#'.repeat(full) + '-'.repeat(width - full)
}

type Pace = { readonly recordsPerSecond: number; readonly requestsOfLastMinute: number }

function partsOf(
  { percent, estimatedCompletionTime, measures: { records } }: Progress,
  { recordsPerSecond, requestsOfLastMinute }: Pace,
  at: number,
): string[] {
  return [
    ...(percent === undefined ? [] : [`${percent} %`]),
    `${grouped(records)} records`,
    ...(estimatedCompletionTime === undefined ? [] : [`${inWords(Date.parse(estimatedCompletionTime) - at)} left`]),
    `${grouped(recordsPerSecond)}/s`,
    `${grouped(requestsOfLastMinute)} requests/min`,
  ]
}

/** How fast a run has been in the last minute, or since it began. */
function createPace(): (progress: Progress, at: number) => Pace {
  const seen: { at: number; records: number; requests: number }[] = []
  return ({ measures: { records, requests } }, at) => {
    if (seen.length === 0) seen.push({ at, records: 0, requests: 0 })
    seen.push({ at, records, requests })
    while (seen.length > 2 && at - (seen[1]?.at ?? at) >= PACE_MS) seen.shift()
    const first = seen[0] ?? { at, records, requests }
    return {
      recordsPerSecond: at > first.at ? ((records - first.records) * 1000) / (at - first.at) : 0,
      requestsOfLastMinute: requests - first.requests,
    }
  }
}

function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** `0.3 s`, `2 min 5 s`, `3 h 20 min`. */
export function inWords(milliseconds: number): string {
  if (milliseconds < 10_000) return `${Math.max(0, milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
