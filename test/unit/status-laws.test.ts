/** The judge of statuses, judged: a life as it should be passes, and each thing that can be wrong with one is found. */
import { expect, test } from 'vitest'
import { judge } from '../support/status-laws.ts'
import type { Version } from '../support/statuses.ts'

type Facts = { kind?: 'good' | 'bad'; lastTime?: string; failures?: number }
type Shown = Readonly<Record<string, string>>

const at = (second: number) => `2026-11-23T08:00:${String(second).padStart(2, '0')}.000Z`

/** What an operator writes in that second; `since`: when each condition came to be so. */
function version(second: number, { kind, lastTime = at(second), failures = 0 }: Facts, shown: Shown, since = second) {
  const reason = kind === 'bad' ? 'NotAdmin' : 'Connected'
  const conditions = Object.entries(shown).map(([type, status]) => ({
    type,
    status,
    reason,
    message: 'So it is.',
    lastTransitionTime: at(since),
    observedGeneration: 1,
  }))
  const checks = [{ name: 'Admin', result: kind === 'bad' ? 'Failed' : 'Passed', ...(kind === 'bad' && { reason }) }]
  const test = { lastTime, consecutiveFailures: failures, testedGeneration: 1, checks }
  const connection = kind === undefined ? 'Pending' : kind === 'bad' ? 'Error' : 'Connected'
  const status = { observedGeneration: kind ? 1 : -1, connection, conditions, ...(kind && { connectionTest: test }) }
  const raw = { apiVersion: 'x/v1', kind: 'X', metadata: { name: 'a', generation: 1 }, spec: {}, status }
  const written = { at: new Date(at(second)), by: 'zendesk-connector', ofStatus: true, idle: false }
  return { ...written, raw, generation: 1, suspend: false, status } satisfies Version
}

const fresh = version(0, {}, { Ready: 'Unknown', Connected: 'Unknown', Synced: 'Unknown', Reconciling: 'True' })
const wellShown = { Ready: 'True', Connected: 'True', Synced: 'Unknown' }
const illShown = { Ready: 'False', Connected: 'False', Synced: 'Unknown', Stalled: 'True' }
/** Synced has been Unknown from the first moment on. */
const kept = (one: Version): Version => ({
  ...one,
  status: {
    ...one.status,
    conditions: one.status.conditions.map((each) =>
      each.type === 'Synced' ? { ...each, lastTransitionTime: at(0) } : each,
    ),
  },
})
const well = kept(version(1, { kind: 'good' }, wellShown))
const ill = kept(version(2, { kind: 'bad', failures: 1 }, illShown))

const lawsBrokenBy = async (...versions: Version[]) => {
  const violations = await judge([{ name: 'security/acme', uid: 'u', versions }])
  return [...new Set(violations.map(({ law }) => law))]
}

test('a life as it should be', async () => {
  const again = kept(version(3, { kind: 'bad', failures: 2 }, illShown, 2))
  const healed = kept(version(4, { kind: 'good' }, wellShown))
  expect(await lawsBrokenBy(fresh, well, ill, again, healed)).toEqual([])
})

test.each<[string, Version[]]>([
  [
    'Ready goes only because something has failed',
    [well, kept(version(2, { kind: 'good', lastTime: at(1) }, illShown))],
  ],
  [
    'Ready comes only because something went well',
    [ill, kept(version(3, { kind: 'bad', lastTime: at(2), failures: 1 }, wellShown))],
  ],
  [
    'the table of docs/design.md',
    [well, kept(version(2, { kind: 'bad', failures: 1 }, { ...wellShown, Ready: 'False' }))],
  ],
  [
    'Reconciling and Stalled are there when True, and never both',
    [kept(version(2, { kind: 'bad' }, { ...illShown, Reconciling: 'True' }))],
  ],
  ['Synced says how the last run ended', [kept(version(2, { kind: 'bad' }, { ...illShown, Synced: 'True' }))]],
  [
    'a condition’s time moves when its status does, and only then',
    [ill, version(3, { kind: 'bad', failures: 2 }, illShown)],
  ],
  ['a write changes more than times, unless a test was made', [well, { ...well, idle: true }]],
  [
    'a failure that repeats changes no more than count and time',
    [ill, kept(version(3, { kind: 'bad', failures: 2 }, { ...illShown, Connected: 'Unknown' }, 2))],
  ],
  [
    'observedGeneration is never ahead and never goes back',
    [well, { ...ill, status: { ...ill.status, observedGeneration: 0 } }],
  ],
  [
    'what it says is plain, short and ends like a sentence',
    [
      {
        ...well,
        status: {
          ...well.status,
          conditions: well.status.conditions.map((one) => ({ ...one, message: '\u001b[31mNo.' })),
        },
      },
    ],
  ],
  ['kstatus agrees', [{ ...ill, raw: { ...ill.raw, status: well.status } }]],
])('%s', async (law, versions) => {
  expect(await lawsBrokenBy(...versions)).toContain(law)
})
