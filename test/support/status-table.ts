/**
 * The table of docs/design.md once more, from the facts in a status and from what was shown before: written for the
 * judge, from the table and not from the program, so that the two can disagree.
 */
import type { Version, WrittenStatus } from './statuses.ts'

/** STATUS, Connected, Ready, Reconciling, Stalled; `–`: the condition is not there. */
export type Row = readonly [string, string, string, string, string]

/** Reasons that stay until someone acts: a closed list, as reasons are. */
const LASTING = [
  'SecretNotFound',
  'SecretKeyMissing',
  'AccountNotFound',
  'InvalidClient',
  'InvalidScope',
  'NotAdmin',
  'UserSuspended',
  'PlanNotSupported',
  'SinkUnavailable',
]
const SECRET_GRACE_MS = 300_000

const of = ({ conditions }: WrittenStatus, type: string) => conditions.find((one) => one.type === type)?.status ?? '–'

/** What a status shows. */
export function shownBy(status: WrittenStatus): Row {
  return [
    status.connection ?? '–',
    of(status, 'Connected'),
    of(status, 'Ready'),
    of(status, 'Reconciling'),
    of(status, 'Stalled'),
  ]
}

export type TestOutcome = { readonly kind: 'none' | 'good' | 'bad' | 'no answer'; readonly reason?: string }

/** How the last test ended: a failure that stays counts more than a missing answer. */
export function testOutcome({ connectionTest }: WrittenStatus): TestOutcome {
  if (connectionTest?.lastTime === undefined) return { kind: 'none' }
  const failed = connectionTest.checks.find(({ result }) => result === 'Failed')
  const unknown = connectionTest.checks.find(({ result }) => result === 'Unknown')
  const problem = failed ?? unknown
  if (problem === undefined) return { kind: 'good' }
  const { reason = '' } = problem
  return { kind: failed !== undefined && LASTING.includes(reason) ? 'bad' : 'no answer', reason }
}

/** The row that the table asks for, and its name; several where a clock at the edge of five minutes decides. */
export function rowsFor(version: Version, before: WrittenStatus | undefined): { name: string; rows: readonly Row[] } {
  const { status, suspend, generation, at } = version
  const asBefore: Row = before === undefined ? ['Pending', '–', '–', '–', '–'] : shownBy(before)
  const outcome = testOutcome(status)
  const { connectionTest, sync } = status
  const one = (name: string, ...rows: Row[]) => ({ name, rows })
  if (suspend && outcome.kind === 'none') {
    return one('suspended before the first test', ['Pending', 'Unknown', 'False', '–', '–'])
  }
  if (suspend) return one('suspended later', asBefore)
  if (outcome.kind === 'none') return one('not tested yet', ['Pending', 'Unknown', 'Unknown', 'True', '–'])
  if (connectionTest?.testedGeneration !== generation) {
    return one('spec changed', [asBefore[0], asBefore[1], asBefore[2], 'True', '–'])
  }
  if (outcome.kind === 'no answer') {
    if ((connectionTest?.consecutiveFailures ?? 0) <= 2) return one('no answer, once or twice', asBefore)
    return one('no answer for long', ['Error', 'Unknown', 'False', 'True', '–'])
  }
  if (outcome.kind === 'bad') {
    const waiting: Row = ['Error', 'False', 'False', 'True', '–']
    const stalled: Row = ['Error', 'False', 'False', '–', 'True']
    if (outcome.reason !== 'SecretNotFound') return one(`failed: ${outcome.reason}`, stalled)
    const left = Date.parse(connectionTest?.reasonSince ?? '') + SECRET_GRACE_MS - at.getTime()
    return one('Secret missing', ...(left > -2000 ? [waiting] : []), ...(left < 2000 ? [stalled] : []))
  }
  if (sync?.lastRun?.result === 'Failed') {
    return LASTING.includes(sync.lastRun.reason ?? '')
      ? one('last run failed and stays so', ['Connected', 'True', 'False', '–', 'True'])
      : one('last run failed, tried again', ['Connected', 'True', 'False', 'True', '–'])
  }
  return one('all is well', ['Connected', 'True', 'True', '–', '–'])
}
