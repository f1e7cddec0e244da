/** The operator told to stop while tests and a run are under way: how soon it ends, what it leaves, and how the next begins. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { runEnded } from '../support/records.ts'
import { type Stage, startStage } from '../support/stage.ts'

const SYSTEM = 'zendesk-connector-system'
/** Of the 30 s that a pod is given. */
const MOST_MS = 20_000

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'stop' })
  await stage.apply(claimYaml('data'))
})
afterAll(() => stage?.stop())

/** Who the Lease says leads; empty: nobody; undefined: there never was a Lease. */
async function leader(): Promise<string | undefined> {
  type Lease = { spec: { holderIdentity: string } }
  const path = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases`
  const { items } = await stage.cluster.api.request<{ items: Lease[] }>('GET', path)
  return items[0]?.spec.holderIdentity
}

// The one that is not elected comes first: after it there is no Lease yet.
test.each([
  { who: 'the only one', args: ['--no-leader-elect'], holders: [undefined, undefined] },
  {
    who: 'an elected one',
    args: ['--leader-election-namespace', SYSTEM],
    holders: [expect.stringMatching(/._./), ''],
  },
])('$who ends well in time, gives up its tests, leaves the run alone, and the next one goes on', async (given) => {
  const { who, args, holders } = given
  const id = who.replaceAll(' ', '-')
  const busy = stage.simulator.account(`${id}-busy`, { activities: { lastSevenDays: 3000 } })
  const slow = busy.addFault({ path: 'audit_logs.+size.+100', effect: { kind: 'latency', milliseconds: 700 } })
  const silent = [1, 2, 3].map((number) => stage.simulator.account(`${id}-silent-${number}`))
  for (const account of silent) account.addFault({ effect: { kind: 'stall' } })

  const operator = await stage.startOperator({}, args)
  const spec = { sync: { interval: '168h', streams: ['AuditLogs'], sink: { file: { claimName: 'data' } } } }
  const { subdomain: name } = busy
  await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
  await expect.poll(() => busy.ledger.requests('audit_logs').length, { timeout: 60_000 }).toBeGreaterThan(4)
  const underWay = await stage.until(name, ({ status }) => status.sync?.activeRun !== undefined)
  await stage.apply(
    documents(...silent.flatMap(({ subdomain }) => [secretYaml(subdomain), connectorYaml({ name: subdomain })])),
  )
  await expect
    .poll(() => silent.every(({ ledger }) => ledger.count() > 0), { timeout: 30_000, interval: 20 })
    .toBe(true)
  expect(await leader()).toEqual(holders[0])

  const began = performance.now()
  expect(await operator.stop('SIGTERM')).toBe(0)
  const milliseconds = performance.now() - began
  process.stderr.write(`From SIGTERM to the end of ${who}: ${Math.round(milliseconds)} ms\n`)
  expect(milliseconds).toBeLessThan(MOST_MS)
  expect(await leader()).toEqual(holders[1])
  expect(await readFile(stage.operatorLog, 'utf8')).not.toContain('"level":"error"')
  for (const { subdomain } of silent) {
    const { status } = await stage.get(subdomain)
    expect(status).toMatchObject({ connection: 'Pending' })
    expect(status.connectionTest, 'nothing was learned of Zendesk').toBeUndefined()
  }
  const asked = busy.ledger.count()
  await expect.poll(() => busy.ledger.count(), { timeout: 20_000 }).toBeGreaterThan(asked)

  busy.removeFault(slow)
  for (const account of silent) account.clearFaults()
  const next = await stage.startOperator({}, args)
  for (const { subdomain } of silent) await stage.until(subdomain, ({ status }) => status.connection === 'Connected')
  const { status } = await stage.until(name, runEnded(1), { seconds: 60 })
  expect(status.sync.lastRun).toMatchObject({ id: underWay.status.sync.activeRun.id, result: 'Succeeded' })
  expect(await next.stop('SIGTERM')).toBe(0)
})

test('begun anew, it tests at once whose Secret has changed meanwhile, and lets be whose test is fresh', async () => {
  const names = ['rotated', 'untouched'] as const
  const spec = { sync: { interval: '168h', streams: ['AuditLogs'], sink: { file: { claimName: 'data' } } } }
  const untouched = names.map((name) => stage.simulator.account(name))[1]
  const before = await stage.startOperator()
  await stage.apply(documents(...names.flatMap((name) => [secretYaml(name), connectorYaml({ name, spec })])))
  for (const name of names) await stage.until(name, runEnded(1), { seconds: 60 })
  const { status } = await stage.get('untouched')
  expect(await before.stop('SIGTERM')).toBe(0)

  await stage.apply(secretYaml('rotated', { clientId: 'zendesk-connector', clientSecret: 'not-any-more' }))
  const asked = untouched?.ledger.count()
  const next = await stage.startOperator()
  // Its next test would be due in an hour.
  await stage.until('rotated', (one) =>
    one.status.conditions.some(({ reason }: { reason: string }) => reason === 'InvalidClient'),
  )
  // It was looked at with the others, and again for this.
  await stage.apply(connectorYaml({ name: 'untouched', spec: { ...spec, suspend: true } }))
  const after = await stage.until('untouched', (one) => one.status.observedGeneration === one.metadata.generation)
  expect(after.status.connectionTest).toEqual(status.connectionTest)
  expect(untouched?.ledger.count()).toBe(asked)
  expect(await next.stop('SIGTERM')).toBe(0)
})
