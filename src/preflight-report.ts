/** What a preflight found, for people, machines, test reports and pull requests. */
import { relative } from 'node:path'
import type { Reason } from './connector/reasons.ts'
import { LONGEST } from './connector/status.ts'
import { plainText } from './connector/text.ts'
import type { Place, Remark } from './documents.ts'
import { STANDARD_INPUT } from './manifest-files.ts'
import { type Examination, type Examined, fullName } from './preflight.ts'
import { textTable } from './text-table.ts'

export const FORMATS = ['table', 'json', 'junit', 'github'] as const
export type Format = (typeof FORMATS)[number]

export type Preflight = {
  readonly connectors: readonly Examined[]
  /** What is wrong with files, and with objects other than connectors. */
  readonly problems: readonly Remark[]
  /** Zendesk was not asked. */
  readonly offline: boolean
}

/** The whole report, with a line feed at its end. */
export function inFormat(format: Format, preflight: Preflight): string {
  return WRITERS[format](preflight)
}

/** Whether all can be merged. */
export function isGood({ connectors, problems }: Preflight): boolean {
  return connectors.every(isRight) && problems.every(({ level }) => level !== 'error')
}

const isWrong = ({ result }: Examination) => result === 'Failed' || result === 'Unknown'
const isRight = ({ checks }: Examined) => !checks.some(isWrong)

const WRITERS: Readonly<Record<Format, (preflight: Preflight) => string>> = {
  table: asTable,
  json: asJson,
  junit: asJUnit,
  github: asAnnotations,
}

// For people.

function asTable(preflight: Preflight): string {
  const tables = preflight.connectors.map((one) => {
    const rows = one.checks.flatMap((check) => rowsOf(check))
    const endpoint = one.spec === undefined ? '' : `  ${one.spec.endpoint}`
    const head = `${shown(one.name)}${endpoint}: ${verdict(one, preflight)}`
    return `${head}\n\n${textTable([['CHECK', 'RESULT', 'REASON', 'MESSAGE'], ...rows])}`
  })
  const problems = preflight.problems.map((one) => `${inWords(one)}\n`).join('')
  return [...(problems === '' ? [] : [problems]), ...tables].join('\n')
}

function rowsOf({ name, result, reason, remarks }: Examination): string[][] {
  const [first, ...others] = remarks.map(inWords)
  return [[name, result, reason ?? '', first ?? ''], ...others.map((message) => ['', '', '', message])]
}

/** `connector.yaml:7: spec.endpoint: must be …`. */
function inWords({ place, message, level }: Remark): string {
  return shown(`${place.file}:${place.line}: ${level === 'error' ? '' : `${level}: `}${message}`)
}

function verdict(one: Examined, { offline }: Pick<Preflight, 'offline'>): string {
  if (isRight(one)) return offline ? 'Passed (Zendesk not tested)' : 'Connected'
  const reason = reasonOf(one)
  return reason === undefined ? 'Error' : `Error (${reason})`
}

function reasonOf({ checks }: Examined): Reason | undefined {
  return (checks.find(({ result }) => result === 'Failed') ?? checks.find(isWrong))?.reason
}

// For machines.

function asJson(preflight: Preflight): string {
  const connectors = preflight.connectors.map((one) => ({
    name: one.name,
    ...(one.namespace === undefined ? {} : { namespace: one.namespace }),
    ...(one.spec === undefined ? {} : { endpoint: one.spec.endpoint }),
    file: one.place.file,
    line: one.place.line,
    passed: isRight(one),
    checks: one.checks.map(({ name, result, reason, remarks }) => ({
      name,
      result,
      ...(reason === undefined ? {} : { reason }),
      ...(remarks.length === 0 ? {} : { message: remarks.map(({ message }) => message).join(' ') }),
      ...(remarks.length === 0 ? {} : { remarks: remarks.map(flat) }),
    })),
  }))
  return `${JSON.stringify({ passed: isGood(preflight), connectors, problems: preflight.problems.map(flat) }, null, 2)}\n`
}

function flat({ level, message, place }: Remark) {
  return { level, message, ...place }
}

// For test reports.

/** A testsuite for each connector with a testcase for each check, and one for each file that something is wrong with. */
function asJUnit({ connectors, problems }: Preflight): string {
  const files = [...new Set(problems.map(({ place }) => place.file))]
  const suites = [
    ...files.map((file) => {
      const remarks = problems.filter(({ place }) => place.file === file)
      const result = remarks.some(({ level }) => level === 'error') ? ('Failed' as const) : ('Passed' as const)
      return suite(file, file, [{ name: 'File', result, remarks }])
    }),
    ...connectors.map((one) => suite(fullName(one), one.place.file, one.checks)),
  ]
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="zendesk-connector test">\n${suites.join('')}</testsuites>\n`
}

function suite(name: string, file: string, checks: readonly Examination[]): string {
  const count = (result: Examination['result']) => checks.filter((check) => check.result === result).length
  const counts = {
    tests: checks.length,
    failures: count('Failed'),
    errors: count('Unknown'),
    skipped: count('Skipped'),
  }
  const cases = checks.map((check) => testcase(name, check)).join('')
  return `  <testsuite ${attributes({ name, file, ...counts })}>\n${cases}  </testsuite>\n`
}

const ELEMENTS = { Failed: 'failure', Unknown: 'error' } as const

function testcase(classname: string, { name, result, reason, remarks }: Examination): string {
  const [first] = remarks
  const text = remarks.map((one) => xml(inWords(one))).join('\n')
  const inside = () => {
    if (result === 'Skipped') return '<skipped/>'
    if (result === 'Passed') return text === '' ? '' : `<system-out>${text}</system-out>`
    const element = ELEMENTS[result]
    return `<${element} ${attributes({ message: first?.message ?? '', type: reason ?? result })}>${text}</${element}>`
  }
  const place = first === undefined ? {} : { file: first.place.file, line: first.place.line }
  const content = inside()
  const open = `    <testcase ${attributes({ name, classname, ...place })}`
  return content === '' ? `${open}/>\n` : `${open}>${content}</testcase>\n`
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${xml(String(value))}"`)
    .join(' ')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Text as XML 1.0 takes it: there are characters that it knows no way to write. */
function xml(text: string): string {
  return shown(text)
    .replaceAll(/[\uFFFE\uFFFF]/g, ' ')
    .replaceAll(/[&<>"']/g, (one) => ENTITIES[one] ?? one)
}

// For pull requests.

/** GitHub's workflow commands: an annotation for each remark, at its line in the file. */
function asAnnotations(preflight: Preflight): string {
  const ofFiles = preflight.problems.map((remark) => annotation('zendesk-connector', remark))
  const ofConnectors = preflight.connectors.flatMap((one) => [
    ...one.checks.flatMap((check) => annotationsOf(one, check)),
    `${shown(`connector ${fullName(one)}: ${verdict(one, preflight)}`)}\n`,
  ])
  return [...ofFiles, ...ofConnectors].join('')
}

function annotationsOf(one: Examined, { name, reason, remarks }: Examination): string[] {
  const title = `${fullName(one)}: ${reason ?? name}`
  return remarks.map((remark) => annotation(title, remark))
}

function annotation(title: string, { level, message, place }: Remark): string {
  const properties = [...placeInRepository(place), ['title', title]].map(
    ([name, value = '']) => `${name}=${escaped(value).replaceAll(':', '%3A').replaceAll(',', '%2C')}`,
  )
  return `::${level} ${properties.join(',')}::${escaped(message)}\n`
}

/** GitHub knows files by their path from where the job checks out, which is where it begins. */
function placeInRepository({ file, line, column }: Place): string[][] {
  if (file === STANDARD_INPUT) return []
  return [
    ['file', relative('', file)],
    ['line', String(line)],
    ['col', String(column)],
  ]
}

function escaped(text: string): string {
  return shown(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

/** Names and paths are as somebody wrote them. */
function shown(text: string): string {
  return plainText(text, 2 * LONGEST)
}
