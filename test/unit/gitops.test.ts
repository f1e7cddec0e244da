/** What Argo CD and Flux show of connectors, for every row of the table in docs/design.md, by their own interpreters. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ACTIONS, argocdConfig } from '../../scripts/argocd.ts'
import type { Reason } from '../../src/connector/reasons.ts'
import type { Connector } from '../../src/connector/schema.ts'
import { type Status, status as statusSchema } from '../../src/connector/status.ts'
import { summarise } from '../../src/connector/summary.ts'
import {
  type ArgoHealth,
  buildGitops,
  type FluxHealth,
  type Health,
  healthOf,
  judgeHealth,
  luaOf,
  wrongIn,
} from '../support/gitops.ts'
import { kstatusOf } from '../support/kstatus.ts'
import { aConnector, aLastRun, at, judge, observed, START, tested, withStatus } from './fixtures/connectors.ts'

beforeAll(buildGitops, 900_000)

/** As the API server serves it. */
const served = (connector: Connector, status: Status) => ({
  apiVersion: 'cloudapps.security/v1alpha1',
  kind: 'ZendeskConnector',
  ...connector,
  status,
})

const shown = (connector: Connector, status: Status, now: Date) =>
  judge(observed(withStatus(connector, status)), now).status

function afterTests(connector: Connector, ...reasons: (Reason | undefined)[]): Status {
  return reasons.reduce<Status>(
    (status, reason, index) => {
      const now = at(10 * (index + 1))
      return summarise(connector, tested(connector, status, reason, now), now)
    },
    shown(connector, statusSchema.parse({}), START),
  )
}

/** Tested well, and the last run failed. */
function afterRun(reason: Reason) {
  const well = afterTests(aConnector(), undefined)
  const lastRun = aLastRun({ result: 'Failed', reason, message: `It says ${reason}.` })
  const connector = aConnector()
  return served(connector, summarise(connector, { ...well, sync: { lastRun } }, at(60)))
}

const fresh = aConnector()
const changed = aConnector({}, { generation: 2 })
const suspended = aConnector({ suspend: true })
const suspendedLater = aConnector({ suspend: true }, { generation: 2 })
const of = (connector: Connector, ...reasons: (Reason | undefined)[]) =>
  served(connector, afterTests(connector, ...reasons))

type Row = readonly [situation: string, object: object, argo: ArgoHealth['status'], flux: FluxHealth, message: RegExp]
const rows: readonly Row[] = [
  ['just created', served(fresh, statusSchema.parse({})), 'Progressing', 'InProgress', /has not seen/],
  ['new, not tested yet', of(fresh), 'Progressing', 'InProgress', /^Progressing: .*first time/],
  ['suspended, not seen yet', served(suspended, statusSchema.parse({})), 'Progressing', 'InProgress', /has not seen/],
  ['suspended before the first test', of(suspended), 'Suspended', 'Current', /suspend/],
  [
    'suspended later, all well',
    served(suspendedLater, shown(suspendedLater, afterTests(fresh, undefined), at(60))),
    'Suspended',
    'Current',
    /suspend/,
  ],
  [
    'suspended later, in Error',
    served(suspendedLater, shown(suspendedLater, afterTests(fresh, 'NotAdmin'), at(60))),
    'Suspended',
    'Current',
    /suspend/,
  ],
  [
    'spec changed, not seen yet',
    served(changed, afterTests(fresh, undefined)),
    'Progressing',
    'InProgress',
    /has not seen/,
  ],
  [
    'spec changed, not yet tested',
    served(changed, shown(changed, afterTests(fresh, undefined), at(60))),
    'Progressing',
    'InProgress',
    /has changed/,
  ],
  [
    'spec changed while in Error, not yet tested',
    served(changed, shown(changed, afterTests(fresh, 'NotAdmin'), at(60))),
    'Progressing',
    'InProgress',
    /has changed/,
  ],
  ['all checks passed', of(fresh, undefined), 'Healthy', 'Current', /^Connected: /],
  ['Secret missing, less than 5 min', of(fresh, 'SecretNotFound'), 'Progressing', 'InProgress', /^SecretNotFound: /],
  ['a failure that stays until someone acts', of(fresh, 'InvalidClient'), 'Degraded', 'Failed', /^InvalidClient: /],
  ['no answer, after it was well', of(fresh, undefined, 'NetworkError'), 'Healthy', 'Current', /^Connected: /],
  [
    'no answer, third time on',
    of(fresh, undefined, 'NetworkError', 'NetworkError', 'NetworkError'),
    'Progressing',
    'InProgress',
    /^NetworkError: .*Next test at/,
  ],
  ['connected, last run failed, tried again', afterRun('RunFailed'), 'Progressing', 'InProgress', /^RunFailed: /],
  ['connected, last run failed and stays so', afterRun('SinkUnavailable'), 'Degraded', 'Failed', /^SinkUnavailable: /],
]

test.each(rows)('%s', async (_situation, object, argo, flux, message) => {
  const [health] = await healthOf([object])
  expect(health).toEqual({ argo: { status: argo, message: expect.stringMatching(message) }, flux })
})

test('Argo CD and Flux tell the same, and both what kstatus tells of all that is not suspended', async () => {
  const objects = rows.map(([, object]) => object)
  expect(await judgeHealth(objects)).toEqual([])
  const running = rows.filter(([, , argo]) => argo !== 'Suspended')
  expect(await kstatusOf(running.map(([, object]) => object))).toEqual(running.map(([, , , flux]) => flux))
})

test('of each, the judge takes nothing but what is right: not even what Argo CD and Flux agree upon', () => {
  const pairs = [
    ['Healthy', 'Current'],
    ['Suspended', 'Current'],
    ['Progressing', 'InProgress'],
    ['Degraded', 'Failed'],
    ['Healthy', 'Failed'],
    ['Degraded', 'Current'],
  ] as const
  for (const [situation, object, argo, flux] of rows) {
    const taken = pairs.filter(([status, other]) => {
      const health: Health = { argo: { status, message: 'Because.' }, flux: other }
      return wrongIn(object, health).length === 0
    })
    expect(taken, situation).toEqual([[argo, flux]])
    expect(wrongIn(object, { argo: { status: argo, message: '' }, flux })).toHaveLength(1)
  }
})

test('one that is being deleted is under way, however it was', async () => {
  const { metadata, ...rest } = of(fresh, 'InvalidClient')
  const deletionTimestamp = at(60).toISOString()
  const object = { ...rest, metadata: { ...metadata, deletionTimestamp } }
  const [health] = await healthOf([object])
  expect(health?.argo).toEqual({ status: 'Progressing', message: expect.stringMatching(/deleted/) })
  expect(await judgeHealth([object])).toEqual([])
})

describe('the actions of Argo CD', () => {
  const object = of(fresh, undefined)
  type Changed = { metadata: { annotations?: Record<string, string> }; spec: { suspend: boolean } }
  const act = (name: string, on: object = object) => luaOf<Changed>(`actions/${name}/action.lua`, on)

  test.each(['test', 'sync'])('%s-now asks by an annotation and touches nothing else', async (what) => {
    const after = await act(`${what}-now`)
    const asked = after.metadata.annotations?.[`cloudapps.security/${what}-requested-at`] ?? ''
    expect(Math.abs(Date.parse(asked) - Date.now())).toBeLessThan(60_000)
    // To Lua an empty object is an empty list; Argo CD puts that right before it compares.
    const plain = ({ metadata, ...rest }: typeof object | Changed) =>
      JSON.stringify({ ...rest, metadata: { ...metadata, annotations: undefined } }, sorted).replaceAll('[]', '{}')
    expect(plain(after)).toBe(plain(object))
    const kept = await act(`${what}-now`, { ...object, metadata: { ...object.metadata, annotations: { a: 'b' } } })
    expect(kept.metadata.annotations).toMatchObject({ a: 'b' })
  })

  test('suspend and resume set spec.suspend', async () => {
    const paused = await act('suspend')
    expect(paused.spec.suspend).toBe(true)
    expect((await act('resume', paused)).spec.suspend).toBe(false)
  })

  test('only what makes sense is offered', async () => {
    const offered = async (on: object) => {
      const found = await luaOf<Record<string, { disabled: boolean }>>('actions/discovery.lua', on)
      expect(Object.keys(found).sort()).toEqual([...ACTIONS].sort())
      return ACTIONS.filter((name) => found[name]?.disabled === false)
    }
    expect(await offered(object)).toEqual(['test-now', 'sync-now', 'suspend'])
    expect(await offered(of(suspended))).toEqual(['resume'])
  })
})

const sorted = (_key: string, value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value

test('argocd-cm.yaml holds the scripts: run `node scripts/generate-argocd.ts` after a change', async () => {
  const file = join(import.meta.dirname, '..', '..', 'gitops', 'argocd', 'argocd-cm.yaml')
  const found = parse(await readFile(file, 'utf8'))
  expect(found).toEqual(await argocdConfig())
  const inner = parse(found.data['resource.customizations.actions.cloudapps.security_ZendeskConnector'])
  expect(inner.definitions.map(({ name }: { name: string }) => name)).toEqual(ACTIONS)
})
