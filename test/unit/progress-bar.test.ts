import { describe, expect, it } from 'vitest'
import type { Progress } from '../../src/connector/run.ts'
import { createProgressBar, inWords } from '../../src/progress-bar.ts'

const START = Date.parse('2026-11-20T10:00:00Z')
const at = (seconds: number) => new Date(START + seconds * 1000)

type Told = { records?: number; requests?: number; percent?: number; left?: number; waitingFor?: string }

function progressOf(told: Told, seconds: number): Progress {
  const { records = 0, requests = 0, percent, left, waitingFor } = told
  return {
    sentence: '',
    ...(percent !== undefined && { percent }),
    ...(left !== undefined && { estimatedCompletionTime: at(seconds + left).toISOString() }),
    ...(waitingFor !== undefined && { waitingFor }),
    measures: { records, requests, bytes: 0, throttled: 0, throttledSeconds: 0, retries: {}, codes: [], streams: [] },
  }
}

const ESCAPE = '\u001b'
const sequences = new RegExp(`(${ESCAPE}\\[\\d*[A-Z]|[\\r\\n])`)

/** A terminal as far as the bar uses one: its lines, and all that was ever written. */
function screen(columns: number, terminal: boolean, quiet = false) {
  const rows = ['']
  let row = 0
  let written = ''
  let seconds = 0
  const write = (more: string) => {
    written += more
    for (const part of more.split(sequences)) {
      if (part === '\n') row += 1
      else if (part.endsWith('A') && part.startsWith(ESCAPE)) row -= Number(part.slice(2, -1))
      else if (part === `${ESCAPE}[J`) rows.splice(row, rows.length, '')
      else if (part !== '\r') rows[row] = (rows[row] ?? '') + part
      rows[row] ??= ''
    }
  }
  const bar = createProgressBar({ write, columns }, { terminal, now: () => at(seconds), quiet })
  return {
    ...bar,
    lines: () => rows,
    written: () => written,
    tell: (after: number, told: Told, name = 'acme') => {
      seconds = after
      bar.show(name, progressOf(told, after))
    },
  }
}

describe('on a terminal', () => {
  it('draws a bar with what has come in, how fast, and how long it will take', () => {
    const { tell, lines } = screen(100, true)
    tell(0, {})
    tell(20, { percent: 25, records: 5000, requests: 30, left: 90 })
    expect(lines()).toEqual([
      `acme  [${'#'.repeat(7)}${'-'.repeat(22)}]  25 %  5,000 records  1 min 30 s left  250/s  30 requests/min`,
    ])
  })

  it('tells paces of the last minute', () => {
    const { tell, lines } = screen(200, true)
    for (let second = 0; second <= 100; second++) tell(second, { records: Math.min(second, 40) * 10, requests: second })
    expect(lines()).toEqual(['acme  400 records  0/s  60 requests/min'])
  })

  it('says below the bar what is waited for, and nothing when nothing is', () => {
    const { tell, lines } = screen(60, true)
    tell(0, { percent: 0, waitingFor: 'the budget' })
    expect(lines()[1]).toBe('      waiting: the budget')
    tell(1, { percent: 0 })
    expect(lines()).toHaveLength(1)
  })

  it.each([20, 40, 60, 80, 200])('never writes more than a line holds: %d columns', (columns) => {
    const { tell, lines } = screen(columns, true)
    tell(9, {
      percent: 100,
      records: 123_456_789,
      requests: 2500,
      left: 99_999,
      waitingFor: 'Zendesk asks for patience, '.repeat(9),
    })
    expect(lines()).toHaveLength(2)
    expect(Math.max(...lines().map((line) => line.length))).toBeLessThan(columns)
    expect(lines()[0]).toMatch(/^acme/)
  })

  it('keeps lines of others above it, and leaves nothing but them', () => {
    const { tell, keep, clear, lines } = screen(60, true)
    tell(0, { percent: 10, waitingFor: 'the budget' })
    keep('one\n')
    tell(1, { percent: 20, waitingFor: 'the budget' })
    keep('two\n')
    expect(lines()).toEqual(['one', 'two', expect.stringContaining('20 %'), '      waiting: the budget'])
    clear()
    expect(lines()).toEqual(['one', 'two', ''])
  })
})

describe('anywhere else', () => {
  it('writes a plain line every ten seconds, and none for a run that is over at once', () => {
    const { tell, written } = screen(80, false)
    for (let second = 0; second <= 30; second++) tell(second, { percent: second, records: second, requests: second })
    expect(written()).toBe([2, 12, 22].map((n) => `acme: ${n} %, ${n} records, 1/s, ${n} requests/min\n`).join(''))
  })

  it('says what is waited for, and writes no escape sequence', () => {
    const { tell, keep, clear, written } = screen(80, false)
    for (const second of [0, 5]) tell(second, { waitingFor: 'the run before' })
    keep('kept\n')
    clear()
    expect(written()).toBe('acme: 0 records, 0/s, 0 requests/min; waiting: the run before\nkept\n')
  })

  it('is silent when told so, but for what is kept', () => {
    const { tell, keep, written } = screen(80, true, true)
    for (const second of [0, 60]) tell(second, {})
    keep('kept\n')
    expect(written()).toBe('kept\n')
  })
})

it.each([
  [300, '0.3 s'],
  [59_000, '59 s'],
  [125_000, '2 min 5 s'],
  [12_000_000, '3 h 20 min'],
])('%d ms are %s', (milliseconds, words) => {
  expect(inWords(milliseconds)).toBe(words)
})
