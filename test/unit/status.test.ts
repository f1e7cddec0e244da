/** The table of docs/design.md, "Status": each row, judged through the public seam of the operator's rules. */
import { describe, expect, test } from 'vitest'
import type { Reason } from '../../src/connector/reasons.ts'
import { REASONS } from '../../src/connector/reasons.ts'
import type { Connector } from '../../src/connector/schema.ts'
import { type Status, status as statusSchema } from '../../src/connector/status.ts'
import { summarise } from '../../src/connector/summary.ts'
import { aConnector, aLastRun, at, judge, observed, START, tested, withStatus } from './fixtures/connectors.ts'

const none = statusSchema.parse({})

/** STATUS, Connected, Ready, Reconciling, Stalled: the columns of the table. */
function row(status: Status): string[] {
  const of = (type: string) => status.conditions?.find((one) => one.type === type)?.status ?? '–'
  return [status.connection, of('Connected'), of('Ready'), of('Reconciling'), of('Stalled')]
}

function shown(connector: Connector, status: Status, now: Date): Status {
  return judge(observed(withStatus(connector, status)), now).status
}

/** The status after tests that ended with these reasons, ten seconds apart. */
function afterTests(connector: Connector, ...reasons: (Reason | undefined)[]): Status {
  return reasons.reduce<Status>(
    (status, reason, index) => {
      const now = at(10 * (index + 1))
      return summarise(connector, tested(connector, status, reason, now), now)
    },
    shown(connector, none, START),
  )
}

const suspended = { suspend: true }
const connected = ['Connected', 'True', 'True', '–', '–']

test('new, not tested yet', () => {
  expect(row(shown(aConnector(), none, START))).toEqual(['Pending', 'Unknown', 'Unknown', 'True', '–'])
  expect(shown(aConnector(), none, START).observedGeneration).toBe(-1)
})

test('suspended before the first test', () => {
  const status = shown(aConnector(suspended), none, START)
  expect(row(status)).toEqual(['Pending', 'Unknown', 'False', '–', '–'])
  expect(status.conditions?.find((one) => one.type === 'Ready')?.reason).toBe('Suspended')
})

test('suspended later: as before', () => {
  const before = afterTests(aConnector(), undefined)
  const status = shown(aConnector(suspended, { generation: 2 }), before, at(60))
  expect(row(status)).toEqual(connected)
  expect(status.observedGeneration).toBe(2)
  expect(row(shown(aConnector(suspended, { generation: 2 }), afterTests(aConnector(), 'NotAdmin'), at(60)))).toEqual([
    'Error',
    'False',
    'False',
    '–',
    'True',
  ])
})

test('spec changed, not yet tested: as before, but Reconciling, and of the generation before', () => {
  const status = shown(aConnector({}, { generation: 2 }), afterTests(aConnector(), undefined), at(60))
  expect(row(status)).toEqual(['Connected', 'True', 'True', 'True', '–'])
  expect(status.observedGeneration).toBe(1)
})

test('all checks passed, no run yet or a run that did not fail', () => {
  expect(row(afterTests(aConnector(), undefined))).toEqual(connected)
  const ran = { ...afterTests(aConnector(), undefined), sync: { lastRun: aLastRun() } }
  expect(row(shown(aConnector(), ran, at(60)))).toEqual(connected)
})

test('a routine test or a run under way changes nothing', () => {
  const before = afterTests(aConnector(), undefined)
  expect(shown(aConnector(), before, at(7200))).toEqual(before)
})

test('Secret missing, less than 5 min: Error, and waiting for it', () => {
  const missing = afterTests(aConnector(), 'SecretNotFound')
  expect(row(missing)).toEqual(['Error', 'False', 'False', 'True', '–'])
})

test('Secret missing for 5 min: stalled, though nothing else has happened', () => {
  const connector = aConnector()
  const missing = summarise(connector, tested(connector, none, 'SecretNotFound', at(10), 'missing'), at(10))
  const look = (now: Date) => judge(observed(withStatus(connector, missing), { secret: undefined }), now)
  expect(row(look(at(309)).status)).toEqual(['Error', 'False', 'False', 'True', '–'])
  expect(look(at(20)).wakeAt).toEqual(at(310))
  expect(row(look(at(310)).status)).toEqual(['Error', 'False', 'False', '–', 'True'])
})

const lasting: Reason[] = [
  'SecretKeyMissing',
  'AccountNotFound',
  'InvalidClient',
  'InvalidScope',
  'NotAdmin',
  'UserSuspended',
  'PlanNotSupported',
]
test.each(lasting)('%s stays until someone acts: stalled', (reason) => {
  const status = afterTests(aConnector(), reason)
  expect(row(status)).toEqual(['Error', 'False', 'False', '–', 'True'])
  expect(status.conditions?.find((one) => one.type === 'Ready')).toMatchObject({
    reason,
    message: `It says ${reason}. See docs/reasons.md#${reason.toLowerCase()}.`,
  })
  expect(row(afterTests(aConnector(), undefined, reason))).toEqual(['Error', 'False', 'False', '–', 'True'])
})

const passing: Reason[] = ['NetworkError', 'TlsError', 'ZendeskUnavailable', 'RateLimited']
describe.each(passing)('%s, which is no answer', (reason) => {
  test('first or second time in a row: as before', () => {
    expect(row(afterTests(aConnector(), undefined, reason))).toEqual(connected)
    expect(row(afterTests(aConnector(), undefined, reason, reason))).toEqual(connected)
    expect(row(afterTests(aConnector(), reason, reason))).toEqual(['Pending', 'Unknown', 'Unknown', 'True', '–'])
    expect(row(afterTests(aConnector(), 'NotAdmin', reason))).toEqual(['Error', 'False', 'False', '–', 'True'])
  })

  test('third time on: Error, connection unknown, and the message says when it is tried next', () => {
    const status = afterTests(aConnector(), undefined, reason, reason, reason)
    expect(row(status)).toEqual(['Error', 'Unknown', 'False', 'True', '–'])
    expect(status.conditions?.find((one) => one.type === 'Ready')?.message).toContain('Next test at 08:01:40 UTC')
  })

  test('a count starts anew after an answer', () => {
    expect(row(afterTests(aConnector(), reason, reason, undefined, reason))).toEqual(connected)
    expect(afterTests(aConnector(), 'NotAdmin', 'NotAdmin', reason).connectionTest?.consecutiveFailures).toBe(1)
  })

  test('next tries come after 10 s, 30 s, and then from 1 min to 15 min', () => {
    const waits: number[] = []
    for (let failures = 1; failures <= 9; failures += 1) {
      const status = afterTests(aConnector(), ...Array<Reason>(failures).fill(reason))
      const { wakeAt } = judge(observed(withStatus(aConnector(), status)), at(10 * failures + 1))
      waits.push(((wakeAt?.getTime() ?? 0) - at(10 * failures).getTime()) / 1000)
    }
    expect(waits).toEqual([10, 30, 60, 120, 240, 480, 900, 900, 900])
  })
})

describe('connected, but the last run failed', () => {
  const failed = (reason: Reason) => ({
    ...afterTests(aConnector(), undefined),
    sync: {
      lastStartTime: START.toISOString(),
      lastRun: aLastRun({ result: 'Failed', reason, message: 'It failed.' }),
    },
  })

  test('and is tried again', () => {
    expect(row(shown(aConnector(), failed('RunFailed'), at(60)))).toEqual(['Connected', 'True', 'False', 'True', '–'])
  })

  test('for a reason that stays', () => {
    const status = shown(aConnector(), failed('SinkUnavailable'), at(60))
    expect(row(status)).toEqual(['Connected', 'True', 'False', '–', 'True'])
    expect(status.conditions?.find((one) => one.type === 'Synced')?.status).toBe('False')
  })
})

test('Synced is Unknown until the first run, True when one has finished', () => {
  const synced = (status: Status) => status.conditions?.find((one) => one.type === 'Synced')?.status
  const before = afterTests(aConnector(), undefined)
  expect(synced(before)).toBe('Unknown')
  const ran = { ...before, sync: { lastRun: aLastRun(), lastSuccessTime: START.toISOString() } }
  expect(synced(shown(aConnector(), ran, at(60)))).toBe('True')
})

test('Reconciling and Stalled are never both there, and never there but True', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    if (REASONS[reason].lasting || passing.includes(reason)) {
      for (const status of [afterTests(aConnector(), reason), afterTests(aConnector(), reason, reason, reason)]) {
        const shownTypes = (status.conditions ?? []).filter((one) => ['Reconciling', 'Stalled'].includes(one.type))
        expect(shownTypes.length).toBeLessThanOrEqual(1)
        expect(shownTypes.every((one) => one.status === 'True')).toBe(true)
      }
    }
  }
})

test('what is wrong names its page in the docs, and keeps to the longest message', () => {
  const said = (status: Status) => status.conditions?.find((one) => one.type === 'Ready')?.message ?? ''
  expect(said(afterTests(aConnector(), 'NotAdmin'))).toBe('It says NotAdmin. See docs/reasons.md#notadmin.')
  expect(said(afterTests(aConnector(), 'NetworkError', 'NetworkError', 'NetworkError'))).toMatch(
    /^It says NetworkError\. Next test at \d\d:\d\d:\d\d UTC\. See docs\/reasons\.md#networkerror\.$/,
  )
  const triedAgain = aLastRun({ result: 'Failed', reason: 'RunFailed', message: 'It was killed.' })
  expect(
    said(shown(aConnector(), { ...afterTests(aConnector(), undefined), sync: { lastRun: triedAgain } }, at(60))),
  ).toBe('It was killed. See docs/reasons.md#runfailed.')
  const lastRun = aLastRun({ result: 'Failed', reason: 'SinkUnavailable', message: 'x'.repeat(1024) })
  const long = said(shown(aConnector(), { ...afterTests(aConnector(), undefined), sync: { lastRun } }, at(60)))
  expect(long).toHaveLength(1024)
  expect(long).toMatch(/x… See docs\/reasons\.md#sinkunavailable\.$/)
})

test('a transition time moves only when the status moves', () => {
  const ready = (status: Status) => status.conditions?.find((one) => one.type === 'Ready')
  const first = afterTests(aConnector(), 'NotAdmin')
  const second = afterTests(aConnector(), 'NotAdmin', 'InvalidClient')
  expect(ready(second)?.reason).toBe('InvalidClient')
  expect(ready(second)?.lastTransitionTime).toBe(ready(first)?.lastTransitionTime)
  expect(ready(afterTests(aConnector(), 'NotAdmin', undefined))?.lastTransitionTime).toBe(at(20).toISOString())
})
