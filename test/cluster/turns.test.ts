/** Connectors that share a Zendesk account, from different namespaces: they take turns, and know nothing of each other. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { follow } from '../support/cluster/api.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { runEnded } from '../support/records.ts'
import { type Stage, startStage } from '../support/stage.ts'
import { livesIn } from '../support/statuses.ts'

const ACCOUNT = 'shared'
const RATE = 60
/** What each is called, and where it lives: words that stand nowhere else. */
const HERON = { name: 'heron', namespace: 'lakeside' }
const OTTER = { name: 'otter', namespace: 'riverbank' }
const LYNX = { name: 'lynx', namespace: 'highlands' }
const TEAMS = [HERON, OTTER, LYNX]

type Thing = {
  metadata: { uid: string; name: string; namespace: string; resourceVersion: string; deletionTimestamp?: string }
  status: { phase?: string; conditions?: { type: string; status: string }[] }
}

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'turns' })
  for (const { namespace } of TEAMS) await stage.cluster.kubectl('create', 'namespace', namespace)
  await stage.startOperator()
})
afterAll(() => stage?.stop())

const isRunning = ({ status: { phase, conditions = [] } }: Thing) =>
  phase === undefined
    ? !conditions.some(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
    : phase !== 'Succeeded' && phase !== 'Failed'

/** Watches what is unfinished of the account, in the order in which it happened; the most there were at once. */
function watchUnfinished(path: string, signal: AbortSignal) {
  const unfinished = new Map<string, string>()
  const seen = { most: [] as string[], order: [] as string[] }
  const note = (thing: Thing, isThere: boolean) => {
    const { uid, namespace, name } = thing.metadata
    if (!isThere || !isRunning(thing)) unfinished.delete(uid)
    else if (!unfinished.has(uid)) {
      unfinished.set(uid, `${namespace}/${name}`)
      seen.order.push(namespace)
    }
    if (unfinished.size > seen.most.length) seen.most = [...unfinished.values()]
  }
  const label = `labelSelector=${encodeURIComponent(`cloudapps.security/account=${ACCOUNT}`)}`
  void follow<Thing>(stage.cluster.api, `${path}?${label}`, signal, {
    changed: (thing) => note(thing, true),
    gone: (thing) => note(thing, false),
  })
  return seen
}

const ask = (annotation: string) => (team: { name: string; namespace: string }) =>
  stage.cluster.kubectl('annotate', 'zdc', team.name, '-n', team.namespace, '--overwrite', annotation)

test('two run in turn and never side by side, a third that is not connected holds no turn, and none hears of the others', async () => {
  const limit = { requests: 100 }
  const account = stage.simulator.account(ACCOUNT, { activities: { lastSevenDays: 1500 }, limit })
  // Whoever comes first keeps the other waiting for much more than the half minute from which it is told.
  const busy = { kind: 'status', status: 503, retryAfter: 45 } as const
  account.addFault({ path: 'audit_logs.+size.+100', times: 1, effect: busy })
  account.addFault({ path: 'audit_logs.+size.+100', effect: { kind: 'latency', milliseconds: 250 } })
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const pods = watchUnfinished('/api/v1/pods', stop.signal)
  const jobs = watchUnfinished('/apis/batch/v1/jobs', stop.signal)

  const spec = {
    rateLimit: { requestsPerMinute: RATE },
    sync: { interval: '168h', streams: ['AuditLogs'], sink: { stdout: {} } },
  }
  const good = { clientId: 'zendesk-connector', clientSecret: `${ACCOUNT}-secret` }
  const manifestsOf = ({ name, namespace }: (typeof TEAMS)[number]) => [
    secretYaml(name, name === LYNX.name ? { ...good, clientSecret: 'wrong' } : good, namespace),
    connectorYaml({ name, namespace, endpoint: `${ACCOUNT}.zendesk.com`, spec }),
  ]
  // A minute has room for two tests: the third comes when both wait for nothing but each other.
  await stage.apply(documents(...manifestsOf(HERON), ...manifestsOf(OTTER)))
  const until = ({ name, namespace }: (typeof TEAMS)[number], holds: Parameters<Stage['until']>[1], seconds = 60) =>
    stage.until(name, holds, { namespace, seconds })
  const synced = ({ status }: { status: { conditions?: { type: string; reason: string; message: string }[] } }) =>
    status?.conditions?.find(({ type }) => type === 'Synced')

  await expect.poll(() => pods.order, { timeout: 60_000 }).toHaveLength(1)
  const [first, second] = pods.order[0] === HERON.namespace ? [HERON, OTTER] : [OTTER, HERON]
  const waiting = await until(second, (one) => synced(one)?.reason === 'WaitingForAccount')
  expect(waiting.status).toMatchObject({ connection: 'Connected', sync: { waiting: { for: 'Account' } } })
  expect(pods.order).toEqual([first.namespace])
  await stage.apply(documents(...manifestsOf(LYNX)))
  await until(LYNX, ({ status }) => status?.connection === 'Error', 90)
  await until(first, runEnded(1), 90)
  await until(second, runEnded(1), 90)
  expect((await stage.get(second.name, second.namespace)).status.sync.waiting).toBeUndefined()

  // The third asks, too, for a run and for a test.
  await Promise.all(TEAMS.map(ask('cloudapps.security/sync-requested-at=now')))
  await ask('cloudapps.security/test-requested-at=now')(LYNX)
  for (const team of [HERON, OTTER]) {
    const { status } = await until(team, runEnded(2), 120)
    expect(status.sync.lastRun).toMatchObject({ result: 'Succeeded' })
  }
  await until(LYNX, ({ status }) => status.lastHandledTestRequest === 'now')

  expect(pods.most).toHaveLength(1)
  expect(jobs.most).toHaveLength(1)
  expect(pods.order.toSorted()).toEqual([HERON, HERON, OTTER, OTTER].map(({ namespace }) => namespace))
  expect(jobs.order).not.toContain(LYNX.namespace)
  const { status } = await stage.get(LYNX.name, LYNX.namespace)
  expect(status).toMatchObject({ connection: 'Error', connectionTest: { consecutiveFailures: expect.any(Number) } })
  expect([status.sync, status.account.role]).toEqual([undefined, undefined])

  // A run keeps to the rate, with what the runs before it have spent; tests that are asked for come on top.
  expect(account.ledger.requests('size.+100').length).toBeGreaterThan(2 * 15)
  expect(account.ledger.tooManyRequests()).toBe(0)
  expect(account.ledger.maxInAnyWindow(60_000)).toBeLessThanOrEqual(RATE + TEAMS.length * 12)

  const lives = await livesIn(stage.cluster.auditLog)
  for (const { name, namespace } of TEAMS) {
    const others = TEAMS.filter((team) => team.name !== name).flatMap((team) => [team.name, team.namespace])
    const statuses = lives.find((life) => life.name === `${namespace}/${name}`)?.versions.map(({ status }) => status)
    expect(statuses?.length).toBeGreaterThan(2)
    const told = await stage.cluster.kubectl('get', 'events,jobs,pods,configmaps', '-n', namespace, '-o', 'json')
    expect(told).toContain('"kind": "Event"')
    const text = JSON.stringify(statuses) + told
    expect(others.filter((one) => text.includes(one))).toEqual([])
  }
}, 300_000)
