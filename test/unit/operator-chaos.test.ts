/** How `npm run chaos -- operator` judges: from the audit log, statuses and logs. */
import { describe, expect, test } from 'vitest'
import { complaints, type Shown } from '../chaos/operator/judge.ts'
import { troublesIn } from '../chaos/operator/logs.ts'
import type { Truth } from '../chaos/operator/residents.ts'
import { jobOf, slotsWithTwo, staleWrites, termsOf, writesIn } from '../chaos/operator/trail.ts'

const USER = 'system:serviceaccount:system:operator'
const replicaOf = (token: string) => token.slice(0, 1)

let revision = 0
/** A line of the audit log: one of the replicas `a` and `b` has written something. */
function line(
  token: string,
  verb: string,
  resource: string,
  more: { holder?: string; object?: object; code?: number },
) {
  revision += 1
  const metadata = { resourceVersion: `${revision}` }
  return JSON.stringify({
    verb,
    stageTimestamp: new Date(revision * 1000).toISOString(),
    user: { username: USER, extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${token}`] } },
    objectRef: { resource, name: 'x' },
    responseStatus: { code: more.code ?? 200 },
    responseObject: more.object ?? { metadata, spec: { holderIdentity: more.holder } },
  })
}
const lease = (token: string, holder: string) => line(token, 'update', 'leases', { holder })
const write = (token: string, code = 200) => line(token, 'patch', 'zendeskconnectors', { code })
const stale = (...lines: string[]) => staleWrites(writesIn(`${lines.join('\n')}\n`, USER), replicaOf)

describe('a write', () => {
  test('of the replica that holds the Lease is good, whatever token it has meanwhile', () => {
    expect(stale(lease('a1', 'A'), write('a1'), write('a2'), lease('a2', 'A'), write('a2'))).toEqual([])
  })

  test('after another has taken the Lease is stale, and one that was refused is none', () => {
    const found = stale(lease('a1', 'A'), lease('b1', 'B'), write('a1'), write('a1', 409), write('b1'))
    expect(found).toMatchObject([{ token: 'a1', what: 'patch zendeskconnectors x' }])
  })

  test('after the Lease was given back, or before anybody had it, is stale', () => {
    expect(stale(write('a1'), lease('a1', 'A'), lease('a1', ''), write('a1'))).toHaveLength(2)
  })

  test('is put in order by its revision, not by when its line was written', () => {
    const [taken, written, lost] = [lease('a1', 'A'), write('a1'), lease('b1', 'B')]
    expect(stale(taken, lost, written)).toEqual([])
  })

  test('of another user counts for nothing, and half a line is passed over', () => {
    const text = `${lease('a1', 'A')}\n${write('b1').replace(USER, 'someone')}\n{"verb":"pat`
    expect(writesIn(text, USER)).toHaveLength(1)
    expect(termsOf(writesIn(text, USER))).toMatchObject([{ token: 'a1', holder: 'A' }])
  })
})

describe('a slot', () => {
  const job = (uid: string, connector: string, slot: number) => ({
    metadata: {
      uid,
      labels: { 'cloudapps.security/slot': `${slot}` },
      ownerReferences: [{ uid: connector, controller: true }],
    },
  })

  test('has two Jobs when two uids share connector and number, however often each was seen', () => {
    const jobs = [job('1', 'c', 1), job('1', 'c', 1), job('2', 'c', 2), job('3', 'd', 1)].map(jobOf)
    expect(slotsWithTwo(jobs)).toEqual([])
    expect(slotsWithTwo([...jobs, jobOf(job('4', 'c', 2))])).toEqual(['c/2'])
  })

  test('is known of a Job by the answer to its creation', () => {
    const created = line('a1', 'create', 'jobs', { object: job('1', 'c', 7), code: 201 })
    expect(writesIn(`${created}\n`, USER)).toMatchObject([{ job: { uid: '1', slot: 'c/7' } }])
  })
})

describe('a status is true', () => {
  const shown: Shown = {
    metadata: { name: 'acme', uid: 'c', generation: 2 },
    status: {
      observedGeneration: 2,
      connection: 'Connected',
      conditions: [{ type: 'Ready', status: 'True', reason: 'Connected' }],
      connectionTest: { testedSecrets: [{ resourceVersion: '7' }] },
      lastHandledSyncRequest: 'now',
      sync: { lastRun: { result: 'Succeeded' } },
    },
  }
  const truth: Truth = { connection: 'Connected', secret: '7', sync: 'now' }
  const about = (more: Partial<Truth>, status: object = {}, jobs: object[] = []) =>
    complaints(
      [{ ...shown, status: { ...shown.status, ...status } }],
      jobs as Parameters<typeof complaints>[1],
      new Map([['acme', { ...truth, ...more }]]),
    )

  test('when everything that was asked for shows in it', () => {
    expect(about({})).toEqual([])
    expect(about({ secret: '8' })).toEqual(['acme: tested Secret is 7, not 8'])
    expect(about({ sync: 'later' })).toEqual(['acme: handled sync request is now, not later'])
    expect(about({ connection: 'Error', reason: 'NotAdmin' })).toContain('acme: reason is Connected, not NotAdmin')
    expect(about({}, { observedGeneration: 1 })).toEqual(['acme: observedGeneration is 1, not 2'])
    expect(complaints([], [], new Map([['acme', truth]]))).toEqual(['acme is not there'])
  })

  test('when it shows a run exactly while there is one', () => {
    const job = { metadata: { name: 'acme-1', ownerReferences: [{ uid: 'c' }] } }
    const ended = { ...job, status: { conditions: [{ type: 'Complete', status: 'True' }] } }
    expect(about({}, {}, [ended])).toEqual([])
    expect(about({}, {}, [job])).toEqual(['acme: shows run undefined, there is acme-1'])
    const sync = { activeRun: { job: 'acme-1' } }
    expect(about({ disturbed: true }, { sync }, [job])).toEqual([])
    expect(about({ disturbed: true }, { sync }, [])).toEqual(['acme: shows run acme-1, there is '])
  })
})

test('a log holds nothing but JSON, and no error that the fault does not explain', () => {
  const info = JSON.stringify({ level: 'info', msg: 'fine' })
  const error = (name: string, reason: string) => JSON.stringify({ level: 'error', error: { name, reason } })
  expect(troublesIn([info, error('KubeError', 'Network')], ['Network'])).toEqual([])
  const bad = [error('KubeError', 'Invalid'), error('TypeError', 'Network'), 'Error: unhandled', '']
  expect(troublesIn(bad, ['Network'])).toHaveLength(4)
})
