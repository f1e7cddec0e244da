/** What must hold of every status, and of the way from one to the next. A law answers with what is wrong, or nothing. */
import { kstatusOf } from './kstatus.ts'
import { rowsFor, shownBy, testOutcome } from './status-table.ts'
import type { Condition, Life, Version, WrittenStatus } from './statuses.ts'

type Law = (now: Version, before: Version | undefined, earlier: readonly Version[]) => string | undefined

const LONGEST_MESSAGE = 1024
const condition = ({ status }: Version, type: string) => status.conditions.find((one) => one.type === type)

const runFailed = ({ sync }: WrittenStatus) => sync?.lastRun?.result === 'Failed'

/** Of statuses that were written, whoever wrote the object in between. */
const ofWrites: Readonly<Record<string, Law>> = {
  'the table of docs/design.md': (now, before, earlier) => {
    // It is written over the spec that stands, and may have been judged by one that stood since the write before.
    const since = earlier.slice(earlier.findLastIndex(({ ofStatus }) => ofStatus))
    const due = [now, ...since].map(({ generation, suspend }) =>
      rowsFor({ ...now, generation, suspend }, before?.status),
    )
    const shown = `${shownBy(now.status)}`
    if (due.some(({ rows }) => rows.some((row) => `${row}` === shown))) return undefined
    return `${due[0]?.name}: shown ${shown}, due ${due[0]?.rows.join(' or ')}`
  },

  'Ready goes only because something has failed': (now, before, earlier) => {
    if (before === undefined || condition(before, 'Ready')?.status !== 'True') return undefined
    if (condition(now, 'Ready')?.status === 'True') return undefined
    const { connectionTest, sync } = now.status
    const good = earlier.findLast(({ status }) => testOutcome(status).kind === 'good' && !runFailed(status))?.status
    const failedTest =
      connectionTest?.lastTime !== good?.connectionTest?.lastTime && testOutcome(now.status).kind !== 'good'
    const failedRun = runFailed(now.status) && sync?.lastRun?.id !== good?.sync?.lastRun?.id
    return failedTest || failedRun ? undefined : 'no test and no run has failed since all was well'
  },

  'Ready comes only because something went well': (now, before) => {
    if (before === undefined || condition(now, 'Ready')?.status !== 'True') return undefined
    if (condition(before, 'Ready')?.status !== 'False') return undefined
    const { connectionTest, sync } = now.status
    const tested = connectionTest?.lastTime !== before.status.connectionTest?.lastTime
    const ran = sync?.lastRun?.id !== before.status.sync?.lastRun?.id && sync?.lastRun?.result !== 'Failed'
    return tested || ran ? undefined : 'no test and no run since it was False'
  },

  'Synced says how the last run ended': (now, before) => {
    const shown = condition(now, 'Synced')?.status
    const { lastRun, lastSuccessTime } = now.status.sync ?? {}
    const due = lastRun?.result === 'Failed' ? 'False' : lastSuccessTime === undefined ? 'Unknown' : 'True'
    // Where all is as before, so is this.
    return shown === due || shown === (before && condition(before, 'Synced')?.status)
      ? undefined
      : `${shown}, due ${due}`
  },

  'a write changes more than times, unless a test was made': (now, before) => {
    if (now.idle) return 'the write changed nothing'
    if (before === undefined) return undefined
    const changed = differences(before.status, now.status)
    if (changed.some((path) => !/[tT]ime$|Since$/.test(path))) return undefined
    return changed.includes('connectionTest.lastTime') ? undefined : `only ${changed.join(', ') || 'nothing'} changed`
  },

  'a failure that repeats changes no more than count and time': (now, before) => {
    if (before === undefined) return undefined
    const [one, other] = [testOutcome(before.status), testOutcome(now.status)]
    const count = (version: Version) => version.status.connectionTest?.consecutiveFailures ?? 0
    const repeats = one.kind === other.kind && one.reason === other.reason && count(now) === count(before) + 1
    if (!repeats || (one.kind === 'no answer' && count(now) === 3)) return undefined
    // A spec that was changed meanwhile is shown as one.
    const tested = (version: Version) => version.status.connectionTest?.testedGeneration
    if (tested(before) !== tested(now)) return undefined
    const said = ({ status: { conditions } }: Version) =>
      conditions.map(({ message, ...rest }) => ({ ...rest, message: message.replace(/ Next test at .*$/, '') }))
    const changed = differences({ conditions: said(before) }, { conditions: said(now) })
    return changed.length === 0 ? undefined : changed.join(', ')
  },

  'a condition’s time moves when its status does, and only then': (now, before) => {
    for (const one of now.status.conditions) {
      const old = before && condition(before, one.type)
      if (old === undefined) continue
      const moved = one.lastTransitionTime !== old.lastTransitionTime
      if (moved !== (one.status !== old.status)) return `${one.type}: ${show(old)} → ${show(one)}`
      if (Date.parse(one.lastTransitionTime) < Date.parse(old.lastTransitionTime))
        return `${one.type} goes back in time`
    }
    return undefined
  },
}

/** Of each moment: also between a change of the spec and what the operator makes of it. */
const ofMoments: Readonly<Record<string, Law>> = {
  'Reconciling and Stalled are there when True, and never both': ({ status: { conditions } }) => {
    const found = conditions.filter(({ type }) => type === 'Reconciling' || type === 'Stalled')
    return found.length > 1 || found.some(({ status }) => status !== 'True') ? found.map(show).join(' ') : undefined
  },

  'observedGeneration is never ahead and never goes back': (now, before) => {
    const { status, generation } = now
    const seen = [status.observedGeneration, ...status.conditions.map((one) => one.observedGeneration ?? -1)]
    if (seen.some((one) => one > generation)) return `${seen} of ${generation}`
    if (status.observedGeneration >= (before?.status.observedGeneration ?? -1)) return undefined
    return `${before?.status.observedGeneration} → ${status.observedGeneration}`
  },

  'what it says is plain, short and ends like a sentence': ({ status }) => {
    const messages = [
      ...status.conditions.map(({ message }) => message),
      ...(status.connectionTest?.checks ?? []).flatMap(({ message }) => message ?? []),
    ]
    const wrong = messages.find((one) => one.length > LONGEST_MESSAGE || !/^\P{Cc}+[.…]$/u.test(one))
    return wrong && JSON.stringify(wrong)
  },
}

function show({ type, status, reason, lastTransitionTime }: Condition): string {
  return `${type}=${status} (${reason}, since ${lastTransitionTime})`
}

/** Paths of the leaves in which two values differ. */
export function differences(one: unknown, other: unknown, path = ''): string[] {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return one === other ? [] : [path]
  }
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...keys].flatMap((key) =>
    differences(Reflect.get(one, key), Reflect.get(other, key), path === '' ? key : `${path}.${key}`),
  )
}

/** As much of a version as kstatus goes by. */
type Told = Pick<Version, 'generation'> & {
  readonly status: Pick<WrittenStatus, 'observedGeneration'> & {
    readonly conditions: readonly Pick<Condition, 'type' | 'status'>[]
  }
}

/** What kstatus must make of a version: nothing is done before it was observed, and nothing is Current that is not Ready. */
export function expected({ status, generation }: Told): 'InProgress' | 'Failed' | 'Current' {
  const has = (type: string) => status.conditions.some((one) => one.type === type && one.status === 'True')
  if (status.observedGeneration !== generation || has('Reconciling')) return 'InProgress'
  if (has('Stalled')) return 'Failed'
  return has('Ready') ? 'Current' : 'InProgress'
}

export type Violation = { readonly connector: string; readonly law: string; readonly what: string; readonly at: number }

/** Judges lives; none: all laws hold. `at` is the index of the version. */
export async function judge(lives: readonly Life[]): Promise<Violation[]> {
  const all = lives.flatMap(({ versions }) => versions)
  const answers = await kstatusOf(all.map(({ raw }) => raw))
  const kstatus = new Map(all.map((version, index) => [version, answers[index]]))
  return lives.flatMap(({ name: connector, versions }) =>
    versions.flatMap((version, at) => {
      const before = versions[at - 1]
      const applied = [...Object.entries(ofMoments), ...(version.ofStatus ? Object.entries(ofWrites) : [])]
      const earlier = versions.slice(0, at)
      const found = applied.map(([law, holds]) => ({ connector, law, at, what: holds(version, before, earlier) ?? '' }))
      const answer = kstatus.get(version)
      const what = answer === expected(version) ? '' : `kstatus: ${answer}, due ${expected(version)}`
      return [...found, { connector, law: 'kstatus agrees', at, what }].filter((one) => one.what !== '')
    }),
  )
}

/** Violations for people, with the way that led there. */
export function told(violations: readonly Violation[], lives: readonly Life[]): string {
  return violations
    .slice(0, 5)
    .map(({ connector, law, what, at }) => {
      const versions = lives.find(({ name, versions }) => name === connector && versions.length > at)?.versions ?? []
      const from = Math.max(0, at - 6)
      const way = versions.slice(from, at + 2).map((version, index) => line(version, from + index === at))
      return [`${connector}: “${law}” does not hold: ${what}`, ...way].join('\n')
    })
    .concat(violations.length > 5 ? [`… and ${violations.length - 5} more`] : [])
    .join('\n\n')
}

function line({ at, by, ofStatus, generation, suspend, status }: Version, isIt: boolean): string {
  const { connectionTest, sync } = status
  const { kind, reason = '' } = testOutcome(status)
  const ready = status.conditions.find(({ type }) => type === 'Ready')
  return [
    isIt ? '>' : ' ',
    at.toISOString().slice(11, 23),
    ofStatus ? 'status' : 'object',
    `gen ${generation}/${status.observedGeneration}/${connectionTest?.testedGeneration ?? '–'}`,
    shownBy(status).join(' '),
    ready?.reason ?? '',
    `| test ${kind} ${reason} ×${connectionTest?.consecutiveFailures ?? 0} ${connectionTest?.lastTime?.slice(11, 23) ?? ''}`,
    `| run ${sync?.lastRun?.id ?? '–'} ${sync?.lastRun?.result ?? ''} ${sync?.lastRun?.reason ?? ''}`,
    suspend ? 'suspended' : '',
    by.includes('zendesk-connector') ? '' : `by ${by}`,
  ]
    .filter((part) => part !== '')
    .join('  ')
}
