/** What the operator does next: the rules of src/connector/decide.ts, one by one. */
import { describe, expect, test } from 'vitest'
import type { Step } from '../../src/connector/decide.ts'
import type { Observed, ObservedRun, Standing } from '../../src/connector/observed.ts'
import { ordersFor } from '../../src/connector/orders.ts'
import type { Checkpoint, Spent } from '../../src/connector/run.ts'
import {
  type Connector,
  RESYNC_REQUESTED_AT,
  SYNC_REQUESTED_AT,
  TEST_REQUESTED_AT,
} from '../../src/connector/schema.ts'
import { type LastRun, type Status, status as statusSchema } from '../../src/connector/status.ts'
import { summarise } from '../../src/connector/summary.ts'
import {
  aConnector,
  aLastRun,
  aProgress,
  aRun,
  at,
  judge,
  noMeasures,
  noStream,
  observed,
  SECRET,
  START,
  tested,
  withStatus,
} from './fixtures/connectors.ts'

const MINUTE = 60
const HOUR = 3600

/** Connected at START, with a run that was started then and has ended well a minute later. */
function atRest(connector: Connector, more: Partial<Status> = {}): Status {
  const status = tested(connector, statusSchema.parse({}), undefined, START)
  const sync = {
    lastSlot: 1,
    lastStartTime: START.toISOString(),
    lastRun: aLastRun({ endTime: at(MINUTE).toISOString() }),
    lastSuccessTime: at(MINUTE).toISOString(),
  }
  return summarise(connector, { ...status, sync, ...more }, at(MINUTE))
}

function step(connector: Connector, status: Status | undefined, seconds: number, more: Partial<Observed> = {}): Step {
  const seen = status === undefined ? connector : withStatus(connector, status)
  return judge(observed(seen, more), at(seconds)).step
}

describe('a test is due at once', () => {
  const connector = aConnector()
  test('when there was none yet', () => expect(step(connector, undefined, 0)).toEqual({ do: 'test' }))
  test('when the spec has changed', () => {
    expect(step(aConnector({}, { generation: 2 }), atRest(connector), 61)).toEqual({ do: 'test' })
  })
  test('when the Secret was changed, replaced, made or deleted', () => {
    const look = (secret: Observed['secret']) => step(connector, atRest(connector), 61, { secret })
    expect(look({ ...SECRET, resourceVersion: '8' })).toEqual({ do: 'test' })
    expect(look({ ...SECRET, uid: 'another' })).toEqual({ do: 'test' })
    expect(look(undefined)).toEqual({ do: 'test' })
    expect(look(SECRET)).toEqual({ do: 'nothing' })
  })
  test('when someone asks for it, once for each value', () => {
    const asking = aConnector({}, { annotations: { [TEST_REQUESTED_AT]: 'now' } })
    expect(step(asking, atRest(connector), 61)).toEqual({ do: 'test' })
    expect(step(asking, tested(asking, atRest(connector), undefined, at(62)), 63)).toEqual({ do: 'nothing' })
  })
  test('when a run was refused after the last test, but only once', () => {
    const lastRun = aLastRun({ result: 'Failed', reason: 'NotAdmin', endTime: at(MINUTE).toISOString() })
    const refused = atRest(connector, { sync: { lastSlot: 1, lastStartTime: START.toISOString(), lastRun } })
    expect(step(connector, refused, 61)).toEqual({ do: 'test' })
    expect(step(connector, tested(connector, refused, 'NotAdmin', at(62)), 63)).toEqual({ do: 'nothing' })
  })
})

test('tests keep to the rate among themselves, and a second apart, whatever a rule insists on', () => {
  const connector = aConnector({ rateLimit: { requestsPerMinute: 20 } })
  const look = (seconds: number, ...spent: Spent[]) => judge(observed(connector), at(seconds), { spentByTests: spent })
  expect(look(0).step).toEqual({ do: 'test' })
  expect(look(5, { secondsAgo: 0.2, requests: 4 })).toMatchObject({ step: { do: 'nothing' }, wakeAt: at(5.8) })
  expect(look(5, { secondsAgo: 2, requests: 4 }).step).toEqual({ do: 'test' })
  const full = look(5, { secondsAgo: 2, requests: 4 }, { secondsAgo: 10, requests: 4 }, { secondsAgo: 30, requests: 4 })
  expect(full).toMatchObject({ step: { do: 'nothing' }, wakeAt: at(35) })
})

test('a request with more characters than are kept is handled once, wherever it is cut', () => {
  const value = `${'x'.repeat(255)}😀😀`
  const asking = aConnector({}, { annotations: { [TEST_REQUESTED_AT]: value } })
  const handled = tested(asking, atRest(aConnector()), undefined, at(62))
  const stored = Buffer.from(handled.lastHandledTestRequest ?? '', 'utf8').toString('utf8')
  expect(step(asking, { ...handled, lastHandledTestRequest: stored }, 63)).toEqual({ do: 'nothing' })
})

test('a CRD that drops the field makes no loop', () => {
  const connector = aConnector()
  const lastRun = aLastRun({ result: 'Failed', reason: 'NotAdmin', endTime: at(MINUTE).toISOString() })
  const refused = atRest(connector, { sync: { lastSlot: 1, lastStartTime: START.toISOString(), lastRun } })
  const done = tested(connector, refused, 'NotAdmin', at(62))
  const { testedAfterRun: _, ...pruned } = done.connectionTest ?? { consecutiveFailures: 0 }
  expect(step(connector, { ...done, connectionTest: pruned }, 63)).toEqual({ do: 'nothing' })
})

test('a refusal is compared by run, not by clocks: an operator whose clock is behind tests once', () => {
  const connector = aConnector()
  const lastRun = aLastRun({ result: 'Failed', reason: 'InvalidClient', endTime: at(HOUR).toISOString() })
  const refused = atRest(connector, { sync: { lastSlot: 1, lastStartTime: START.toISOString(), lastRun } })
  expect(step(connector, refused, 61)).toEqual({ do: 'test' })
  expect(step(connector, tested(connector, refused, undefined, at(62)), 63)).toEqual({ do: 'nothing' })
})

test('a test that is not asked for waits until the run’s last minute leaves room for it', () => {
  const connector = aConnector({ rateLimit: { requestsPerMinute: 60 } })
  const lastRun = aLastRun({ result: 'Failed', reason: 'NotAdmin', endTime: at(MINUTE).toISOString() })
  const refused = atRest(connector, { sync: { lastSlot: 1, lastStartTime: START.toISOString(), lastRun } })
  const budget = (...spent: Spent[]) => ({
    checkpoint: { account: 'acme', sink: 's', streams: {}, budget: { at: at(MINUTE).toISOString(), spent } },
  })
  const full = budget({ secondsAgo: 0, requests: 20 }, { secondsAgo: 40, requests: 40 })
  expect(step(connector, refused, MINUTE + 19, full)).toEqual({ do: 'nothing' })
  expect(judge(observed(withStatus(connector, refused), full), at(MINUTE + 19)).wakeAt).toEqual(at(MINUTE + 20))
  expect(step(connector, refused, MINUTE + 20, full)).toEqual({ do: 'test' })
  expect(step(connector, refused, MINUTE + 1, budget({ secondsAgo: 0, requests: 48 }))).toEqual({ do: 'test' })
  const silent = { run: 'acme-1', slot: 1, pod: 'p', claimTime: START.toISOString(), released: false }
  const died = { ...full.checkpoint, holder: { ...silent, renewTime: at(50).toISOString() } }
  expect(step(connector, refused, 50 + 74, { checkpoint: died })).toEqual({ do: 'nothing' })
  expect(step(connector, refused, 50 + 75, { checkpoint: died })).toEqual({ do: 'test' })
})

describe('a routine test', () => {
  const connector = aConnector({ sync: { interval: '168h', sink: { stdout: {} } } })
  test('is due an interval, drawn out by less than a tenth, after the last good news', () => {
    expect(step(connector, atRest(connector), HOUR)).toEqual({ do: 'nothing' })
    const { wakeAt } = judge(observed(withStatus(connector, atRest(connector))), at(HOUR))
    expect(wakeAt?.getTime()).toBeGreaterThanOrEqual(at(MINUTE + HOUR).getTime())
    expect(wakeAt?.getTime()).toBeLessThanOrEqual(at(MINUTE + 1.1 * HOUR).getTime())
    expect(step(connector, atRest(connector), MINUTE + 1.1 * HOUR)).toEqual({ do: 'test' })
  })
  test('waits for a run under way, one that is asked for does not', () => {
    const runs = [aRun({ slot: 1, pods: [{ name: 'p', phase: 'Running', creationTime: START }] })]
    expect(step(connector, atRest(connector), 2 * HOUR, { runs })).toEqual({ do: 'nothing' })
    const asking = aConnector({}, { annotations: { [TEST_REQUESTED_AT]: 'now' } })
    expect(step(asking, atRest(connector), 61, { runs })).toEqual({ do: 'test' })
  })
  test('goes on while the connection is stalled: the cure may happen in Zendesk', () => {
    const stalled = tested(connector, atRest(connector), 'NotAdmin', at(MINUTE))
    expect(step(connector, stalled, MINUTE + 1.1 * HOUR)).toEqual({ do: 'test' })
  })
})

describe('a run is started', () => {
  const connector = aConnector()
  const fresh = summarise(connector, tested(connector, statusSchema.parse({}), undefined, START), START)
  test('right after the first test passed', () => {
    expect(step(connector, fresh, 0)).toEqual({ do: 'start run', slot: 1 })
  })
  test('when its interval is over, counted from start to start', () => {
    expect(step(connector, atRest(connector), 15 * MINUTE)).toEqual({ do: 'nothing' })
    expect(step(connector, atRest(connector), 16.5 * MINUTE)).toEqual({ do: 'start run', slot: 2 })
  })
  test('at once when the last one had more to do', () => {
    const sync = { lastSlot: 1, lastStartTime: START.toISOString(), lastRun: aLastRun({ result: 'MoreToDo' }) }
    expect(step(connector, atRest(connector, { sync }), 61)).toEqual({ do: 'start run', slot: 2 })
  })
  test('when someone asks for it, once for each value', () => {
    const asking = aConnector({}, { annotations: { [SYNC_REQUESTED_AT]: 'now' } })
    expect(step(asking, atRest(connector), 61)).toEqual({ do: 'start run', slot: 2 })
    expect(step(asking, { ...atRest(connector), lastHandledSyncRequest: 'now' }, 61)).toEqual({ do: 'nothing' })
  })
  test('when someone asks for snapshots anew, once for each value, and says since when', () => {
    const asking = aConnector({}, { annotations: { [RESYNC_REQUESTED_AT]: 'now' } })
    expect(step(asking, atRest(connector), 61)).toEqual({ do: 'start run', slot: 2 })
    const runs = [aRun({ slot: 2, run: 'acme-2', creationTime: at(61), requests: { resync: 'now' } })]
    const { status } = judge(observed(withStatus(asking, atRest(connector)), { runs }), at(62))
    expect(status).toMatchObject({ lastHandledResyncRequest: 'now', sync: { resyncTime: at(61).toISOString() } })
    const names = { run: 'acme-3', checkpoint: 'c' }
    expect(ordersFor(withStatus(asking, atRest(connector)), 2, names, [], at(61)).snapshotsSince).toBe(
      at(61).toISOString(),
    )
    expect(ordersFor(withStatus(asking, status), 3, names, [], at(99)).snapshotsSince).toBe(at(61).toISOString())
    const ended = { ...atRest(connector), lastHandledResyncRequest: 'now' }
    expect(step(asking, ended, 61)).toEqual({ do: 'nothing' })
  })
  test('when the Secret of the sink is another than the last run was started with', () => {
    const s3 = { bucket: 'data', secretRef: { name: 'keys' } }
    const toS3 = aConnector({ sync: { sink: { s3 } } })
    const started = (sinkSecret: string) => {
      const status = atRest(toS3)
      return { ...status, sync: { ...status.sync, sinkSecret } }
    }
    expect(step(toS3, started('uid/1'), 61, { sinkSecret: 'uid/1' })).toEqual({ do: 'nothing' })
    expect(step(toS3, started('uid/1'), 61, { sinkSecret: 'uid/2' })).toEqual({ do: 'start run', slot: 2 })
    expect(step(toS3, started('uid/1'), 61)).toEqual({ do: 'nothing' })
    expect(step(toS3, atRest(toS3), 61, { sinkSecret: 'uid/1' })).toEqual({ do: 'start run', slot: 2 })
    const runs = [aRun({ slot: 2, run: 'acme-2', sinkSecret: 'uid/2' })]
    const { status } = judge(observed(withStatus(toS3, started('uid/1')), { runs }), at(62))
    expect(status.sync?.sinkSecret).toBe('uid/2')
  })
  test('never without a connection that was tested as it is now', () => {
    for (const reason of ['NotAdmin', 'NetworkError'] as const) {
      const broken = tested(connector, atRest(connector), reason, at(16 * MINUTE))
      expect(step(connector, broken, 16 * MINUTE + 1)).toEqual({ do: 'nothing' })
    }
  })
  test('never beside another run of the connector, nor while that one is being deleted', () => {
    const pods = [{ name: 'p', phase: 'Running' as const, creationTime: START }]
    for (const run of [aRun({ pods }), aRun({ pods, state: 'Failed', deleting: true })]) {
      expect(step(connector, atRest(connector), HOUR, { runs: [run] })).toEqual({ do: 'nothing' })
    }
  })
  test('with a slot above any that was used, also when the status was lost', () => {
    const holder = {
      run: 'acme-77',
      slot: 77,
      pod: 'p',
      claimTime: START.toISOString(),
      renewTime: START.toISOString(),
      released: true,
    }
    const checkpoint = { account: 'acme', sink: 's', streams: {}, holder }
    expect(step(connector, fresh, 0, { checkpoint })).toEqual({ do: 'start run', slot: 78 })
  })
  test('once: a Job of a slot that is not written down is taken up, not made again', () => {
    const runs = [aRun({ slot: 1 })]
    const decision = judge(observed(withStatus(connector, fresh), { runs }), at(1))
    expect(decision.step).toEqual({ do: 'nothing' })
    expect(decision.status.sync).toMatchObject({ lastSlot: 1, activeRun: { id: 'acme-1' } })
    const asked = judge(observed(withStatus(connector, fresh), { runs: [aRun({ requests: { sync: 'now' } })] }), at(1))
    expect(asked.status.lastHandledSyncRequest).toBe('now')
  })
})

describe('a run that ends', () => {
  const connector = aConnector()
  const under = (more: Partial<Status['sync']> = {}) =>
    atRest(connector, {
      sync: {
        lastSlot: 1,
        lastStartTime: START.toISOString(),
        activeRun: { id: 'acme-1', job: 'acme-1', startTime: START.toISOString() },
        ...more,
      },
    })
  const report = {
    run: 'acme-1',
    slot: 1,
    result: 'Succeeded',
    startTime: START.toISOString(),
    endTime: at(50).toISOString(),
    ...noMeasures,
    records: 12,
    requests: 5,
    streams: [{ ...noStream, name: 'Users', records: 12, complete: true }],
  } as const
  const checkpoint: Checkpoint = {
    account: 'acme',
    sink: 'stdout',
    streams: {},
    report: { ...report, streams: [...report.streams] },
  }
  const lastRun = (more: Partial<Observed>, seconds = 60) =>
    judge(observed(withStatus(connector, under()), more), at(seconds)).status.sync?.lastRun

  test('is known by its report', () => {
    const runs = [aRun({ state: 'Succeeded', endTime: at(51) })]
    expect(lastRun({ runs, checkpoint })).toMatchObject({ result: 'Succeeded', records: 12, requests: 5 })
  })
  test('is waited for a little when its Job was seen before its report', () => {
    const waited = (state: 'Succeeded' | 'Failed') => {
      const runs = [aRun({ state, endTime: at(59) })]
      const { status, wakeAt, step: next } = judge(observed(withStatus(connector, under()), { runs }), at(60))
      expect([status.sync?.lastRun, next]).toEqual([undefined, { do: 'nothing' }])
      return wakeAt
    }
    expect(waited('Failed')).toEqual(at(64))
    // It has left a report for certain: a watch may have broken just then.
    expect(waited('Succeeded')).toEqual(at(59 + 120))
    expect(lastRun({ runs: [aRun({ state: 'Succeeded', endTime: at(59) })], checkpoint })).toMatchObject({
      result: 'Succeeded',
    })
  })
  test('cut off at its deadline is known by its report, too', () => {
    const more = { ...checkpoint, report: { ...checkpoint.report, result: 'MoreToDo' } } as Checkpoint
    const runs = [aRun({ state: 'Failed', endTime: at(51), failure: 'DeadlineExceeded' })]
    expect(lastRun({ runs, checkpoint: more })).toMatchObject({ result: 'MoreToDo' })
  })
  test('without a report is a failure that tells how its pod ended', () => {
    const pods = [{ name: 'p', phase: 'Failed' as const, creationTime: START, exitCode: 137, termination: 'OOMKilled' }]
    const runs = [aRun({ state: 'Failed', endTime: at(50), failure: 'BackoffLimitExceeded', pods })]
    expect(lastRun({ runs })).toMatchObject({
      result: 'Failed',
      reason: 'RunFailed',
      message: expect.stringMatching(/OOMKilled.*raise its pod's memory limit \(sync\.resources of the chart\)/),
    })
  })
  test('because its Job is gone was stopped, which is no good news that a test could wait for', () => {
    expect(lastRun({})).toMatchObject({ result: 'Stopped' })
    const stopped = atRest(connector, {
      sync: {
        lastSlot: 1,
        lastStartTime: at(HOUR).toISOString(),
        lastRun: aLastRun({ result: 'Stopped', endTime: at(HOUR).toISOString() }),
      },
    })
    expect(step(connector, stopped, 1.11 * HOUR)).toEqual({ do: 'test' })
  })
  test('is not known by the report of another run', () => {
    const other = { ...checkpoint, report: { ...checkpoint.report, run: 'acme-0' } } as Checkpoint
    expect(lastRun({ runs: [aRun({ state: 'Failed', endTime: at(50) })], checkpoint: other })).toMatchObject({
      result: 'Failed',
      records: 0,
    })
  })
})

describe('a run under way', () => {
  const connector = aConnector()
  test('ends when its spec has changed and the new one was tested: the next goes on with it at once', () => {
    const changed = aConnector({ rateLimit: { requestsPerMinute: 10 } }, { generation: 2 })
    const runs = [aRun({ pods: [{ name: 'p', phase: 'Running' as const, creationTime: START }] })]
    expect(step(changed, atRest(connector), 61, { runs })).toEqual({ do: 'test' })
    expect(step(changed, tested(changed, atRest(connector), undefined, at(61)), 62, { runs })).toEqual({
      do: 'stop run',
      run: 'acme-1',
    })
    expect(step(changed, tested(changed, atRest(connector), 'NotAdmin', at(61)), 62, { runs })).toEqual({
      do: 'nothing',
    })
    const renewed = [aRun({ generation: 2 })]
    expect(step(changed, tested(changed, atRest(connector), undefined, at(61)), 62, { runs: renewed })).toEqual({
      do: 'nothing',
    })
  })
  test('that lost its pod to a drain is not one that did not start', () => {
    const holder = {
      run: 'acme-1',
      slot: 1,
      pod: 'p',
      claimTime: START.toISOString(),
      renewTime: at(600).toISOString(),
      released: false,
    }
    const checkpoint = { account: 'acme', sink: 's', streams: {}, holder }
    expect(step(connector, atRest(connector), 605, { runs: [aRun()], checkpoint })).toEqual({ do: 'nothing' })
    expect(step(connector, atRest(connector), 900, { runs: [aRun()], checkpoint })).toMatchObject({ do: 'stop run' })
  })
  const pod = { name: 'p', phase: 'Pending' as const, creationTime: START, waiting: 'ErrImagePull: no such image' }
  test('whose pod does not start within five minutes is given up, with the kubelet’s own words', () => {
    expect(step(connector, atRest(connector), 299, { runs: [aRun({ pods: [pod] })] })).toEqual({ do: 'nothing' })
    expect(step(connector, atRest(connector), 300, { runs: [aRun({ pods: [pod] })] })).toMatchObject({
      do: 'stop run',
      failure: { reason: 'RunNotStarted', message: expect.stringContaining('ErrImagePull: no such image') },
    })
  })
  test('is stopped once when the connector is suspended; nothing else is done then', () => {
    const suspended = aConnector({ suspend: true }, { generation: 2 })
    expect(step(suspended, atRest(connector), 61, { runs: [aRun()] })).toEqual({ do: 'stop run', run: 'acme-1' })
    expect(step(suspended, atRest(connector), 61, { runs: [aRun({ deleting: true })] })).toEqual({ do: 'nothing' })
    expect(step(suspended, undefined, 61)).toEqual({ do: 'nothing' })
  })
  test('shows its progress at most every 30 s', () => {
    const runs = [aRun({ pods: [{ ...pod, phase: 'Running' }] })]
    const checkpoint = (progress: string): Checkpoint => ({
      account: 'acme',
      sink: 'stdout',
      streams: {},
      progress: aProgress(progress),
      holder: {
        run: 'acme-1',
        slot: 1,
        pod: 'p',
        claimTime: START.toISOString(),
        renewTime: START.toISOString(),
        released: false,
      },
    })
    const starting = atRest(connector, { sync: { lastSlot: 0 } })
    const first = judge(observed(withStatus(connector, starting), { runs, checkpoint: checkpoint('a') }), at(1)).status
    const second = judge(observed(withStatus(connector, first), { runs, checkpoint: checkpoint('b') }), at(20))
    const third = judge(observed(withStatus(connector, first), { runs, checkpoint: checkpoint('b') }), at(31)).status
    expect([first, second.status, third].map((one) => one.sync?.activeRun?.progress)).toEqual(['a', 'a', 'b'])
    expect(second.wakeAt).toEqual(at(31))
  })
})

test('Jobs that ended are kept for their logs, the last three of them', () => {
  const connector = aConnector()
  const runs = [1, 2, 3, 4].map((slot) => aRun({ run: `acme-${slot}`, slot, state: 'Succeeded', endTime: START }))
  const sync = { ...atRest(connector).sync, lastSlot: 4 }
  expect(step(connector, atRest(connector, { sync }), 61, { runs })).toEqual({ do: 'prune run', run: 'acme-1' })
  expect(step(connector, atRest(connector, { sync }), 61, { runs: runs.slice(1) })).toEqual({ do: 'nothing' })
})

describe('taking turns', () => {
  const connector = aConnector()
  const neighbour = (more: Partial<Checkpoint>): Partial<Observed> => ({
    account: { busy: false, checkpoints: [{ account: 'acme', sink: 's', streams: {}, ...more }] },
  })
  const asks = aConnector({}, { annotations: { [SYNC_REQUESTED_AT]: 'now' } })
  const look = (more: Partial<Observed> = {}, standing: Partial<Standing> = {}, seconds = 120) =>
    judge(observed(withStatus(asks, atRest(connector)), more), at(seconds), standing)

  test('a test waits for its turn, and says since when it is due', () => {
    const first = judge(observed(connector), at(0), { mayTest: false })
    expect(first).toMatchObject({ step: { do: 'nothing' }, wants: { test: new Date(0) } })
    expect(judge(observed(connector), at(0)).step).toEqual({ do: 'test' })
  })

  test('a run waits for its turn, and for the run of another connector in its account', () => {
    expect(look({}, { mayRun: false })).toMatchObject({ step: { do: 'nothing' }, wants: { run: expect.any(Date) } })
    const busy = { account: { busy: true, checkpoints: [] } }
    expect(look(busy)).toMatchObject({ step: { do: 'nothing' }, wants: { run: expect.any(Date) } })
    expect(look().step).toEqual({ do: 'start run', slot: 2 })
  })

  test('who asks for a run, however often, or is new, stands behind those that fell due before its last run ended', () => {
    const sync = {
      lastSlot: 1,
      lastStartTime: START.toISOString(),
      lastRun: aLastRun({ endTime: at(MINUTE).toISOString() }),
    }
    const wants = (one: Connector, status: Status) =>
      judge(observed(withStatus(one, status)), at(120), { mayRun: false }).wants
    expect(wants(asks, atRest(asks, { sync }))).toEqual({ run: at(MINUTE) })
    expect(wants(asks, atRest(asks, { sync: { ...sync, sinkSecret: 'other' } }))).toEqual({ run: at(MINUTE) })
    const { sync: _, ...neverRun } = atRest(connector)
    expect(wants(connector, neverRun)).toEqual({ run: START })
  })

  test('a run with more to do stands behind those that fell due before its slice was over', () => {
    const lastRun = aLastRun({ result: 'MoreToDo', endTime: at(MINUTE).toISOString() })
    const more = atRest(connector, { sync: { lastSlot: 1, lastStartTime: START.toISOString(), lastRun } })
    expect(judge(observed(withStatus(connector, more)), at(90)).wants).toEqual({ run: at(MINUTE) })
  })

  test('who does not want a turn any more is not in the line: suspended, or not connected', () => {
    const suspended = aConnector({ suspend: true }, { annotations: { [SYNC_REQUESTED_AT]: 'now' } })
    expect(judge(observed(withStatus(suspended, atRest(connector))), at(120)).wants).toEqual({})
    const refused = tested(asks, atRest(connector), 'InvalidClient', at(61))
    expect(judge(observed(withStatus(asks, refused)), at(120)).wants).toEqual({})
  })

  test('a wait is told once it is long, without a word about who is ahead, and forgotten when it is over', () => {
    const waits = (seconds: number) =>
      look({}, { mayRun: false, runWaits: { since: at(100), for: 'Account' } }, seconds)
    expect(waits(110)).toMatchObject({ wakeAt: at(130) })
    expect(waits(110).status.sync?.waiting).toBeUndefined()
    const { status } = waits(130)
    expect(status.sync?.waiting).toEqual({ since: at(100).toISOString(), for: 'Account' })
    expect(status.conditions?.find(({ type }) => type === 'Synced')).toMatchObject({
      status: 'True',
      reason: 'WaitingForAccount',
      message: expect.stringContaining('since 08:01:40 UTC'),
    })
    expect(judge(observed(withStatus(asks, status)), at(140)).status.sync?.waiting).toBeUndefined()
  })

  test('a routine test waits for the run of another connector in the account, and for its last minute', () => {
    const idle = atRest(connector)
    const routine = (more: Partial<Observed>, seconds: number) => step(connector, idle, seconds, more)
    const busy = { account: { busy: true, checkpoints: [] } }
    expect(routine(busy, 2 * HOUR)).not.toEqual({ do: 'test' })
    const spent = neighbour({
      budget: { at: at(2 * HOUR - 10).toISOString(), spent: [{ secondsAgo: 0, requests: 195 }] },
    })
    expect(routine(spent, 2 * HOUR)).not.toEqual({ do: 'test' })
    expect(routine(spent, 2 * HOUR + 50)).toEqual({ do: 'test' })
  })

  test('a run waits until a pod of another connector that died sends nothing any more', () => {
    const holder = { run: 'x', slot: 1, pod: 'p', claimTime: START.toISOString(), released: false }
    const died = neighbour({ holder: { ...holder, renewTime: at(110).toISOString() } })
    expect(look(died)).toMatchObject({ step: { do: 'nothing' }, wants: {}, wakeAt: at(125) })
    expect(look(died, {}, 125).step).toEqual({ do: 'start run', slot: 2 })
  })

  test('a gate that is open leaves no trace: what was asked for stays in front, whatever was tested a moment ago', () => {
    const asking = aConnector({}, { annotations: { [TEST_REQUESTED_AT]: 'now' } })
    const spentByTests = [{ secondsAgo: 30, requests: 8 }]
    const { wants } = judge(observed(withStatus(asking, atRest(connector))), at(120), { mayTest: false, spentByTests })
    expect(wants).toEqual({ test: new Date(0) })
  })

  test('a slice with more to do does not fall due by the interval', () => {
    const lastRun = aLastRun({ result: 'MoreToDo', endTime: at(HOUR).toISOString() })
    const more = atRest(connector, { sync: { lastSlot: 1, lastStartTime: START.toISOString(), lastRun } })
    expect(judge(observed(withStatus(connector, more)), at(HOUR + 5), { mayRun: false }).wants.run).toEqual(at(HOUR))
  })

  test('a renewal far ahead, by a wrong clock or a hostile hand, blocks nobody', () => {
    const holder = { run: 'x', slot: 1, pod: 'p', claimTime: START.toISOString(), released: false }
    expect(look(neighbour({ holder: { ...holder, renewTime: '9999-01-01T00:00:00Z' } })).step).toMatchObject({
      do: 'start run',
    })
  })

  test('in an account that is never idle a cure is found all the same, an interval late', () => {
    const refused = tested(connector, atRest(connector), 'NotAdmin', at(61))
    const busy = { account: { busy: true, checkpoints: [] } }
    expect(step(connector, refused, 1.5 * HOUR, busy)).not.toEqual({ do: 'test' })
    expect(step(connector, refused, 2.5 * HOUR, busy)).toEqual({ do: 'test' })
  })
})

describe('a run whose node does not answer', () => {
  const connector = aConnector({ sync: { interval: '15m', sink: { stdout: {} } } })
  const pod = (more: object = {}) => ({ name: 'p', phase: 'Running' as const, creationTime: at(1), ...more })
  const left = (more: Partial<ObservedRun>) =>
    aRun({ slot: 2, state: 'Active', pods: [pod({ deletionTime: at(300) })], ...more })
  const renewed = (seconds: number) => ({
    checkpoint: {
      account: 'acme',
      sink: 's',
      streams: {},
      holder: {
        run: left({}).run,
        slot: 2,
        pod: 'p',
        claimTime: START.toISOString(),
        renewTime: at(seconds).toISOString(),
        released: false,
      },
    },
  })
  const look = (seconds: number, run: ObservedRun, more: Partial<Observed> = {}) =>
    judge(observed(withStatus(connector, atRest(connector)), { runs: [run], ...more }), at(seconds))

  test('is given up one and a half minutes after its pod was to be gone, not before and not without a word', () => {
    expect(look(389, left({}))).toMatchObject({ step: { do: 'nothing' }, wakeAt: at(390) })
    const { step } = look(390, left({}))
    expect(step).toMatchObject({
      do: 'stop run',
      run: left({}).run,
      failure: { result: 'Failed', reason: 'RunFailed' },
    })
    expect(JSON.stringify(step)).toContain('does not answer')
  })

  test('goes on while its pod renews the checkpoint: only the kubelet is away', () => {
    expect(look(400, left({}), renewed(395))).toMatchObject({ step: { do: 'nothing' }, wakeAt: at(410) })
    expect(look(410, left({}), renewed(395)).step.do).toBe('stop run')
  })

  test('is believed about its end where it could still report', () => {
    const { checkpoint } = renewed(295)
    const run = left({}).run
    const times = { startTime: START.toISOString(), endTime: at(298).toISOString() }
    const report = { ...noMeasures, ...times, run, slot: 2, result: 'MoreToDo' as const, records: 5000 }
    const seen = { checkpoint: { ...checkpoint, holder: { ...checkpoint.holder, released: true }, report } }
    expect(look(390, left({}), seen).step).toEqual({ do: 'stop run', run })
    const { lastRun } = look(391, left({ deleting: true }), seen).status.sync ?? {}
    expect(lastRun).toMatchObject({ result: 'MoreToDo', records: 5000 })
  })

  test('goes on while one of its pods is not being deleted', () => {
    expect(look(2 * HOUR, left({ pods: [pod({ deletionTime: at(300) }), pod({ name: 'q' })] })).step.do).toBe('nothing')
  })

  test('is not waited for when its Job is deleted: the next run starts when it is due', () => {
    const gone = left({ deleting: true })
    expect(look(389, gone)).toMatchObject({ step: { do: 'nothing' }, wakeAt: at(390) })
    const { status, wakeAt } = look(390, gone)
    expect(status.sync).toMatchObject({ lastRun: { result: 'Failed', message: expect.stringContaining('node') } })
    expect(status.sync?.activeRun).toBeUndefined()
    expect(wakeAt).toBeDefined()
    const later = judge(observed(withStatus(connector, status), { runs: [gone] }), wakeAt ?? at(0))
    expect(later.step).toEqual({ do: 'start run', slot: 3 })
  })
})

describe('after the API server’s clock was ahead, and was put right', () => {
  const connector = aConnector()
  const ahead = (days: number) => {
    const then = at(days * 24 * HOUR)
    const run = aLastRun({ startTime: then.toISOString(), endTime: then.toISOString() })
    const status = tested(connector, statusSchema.parse({}), undefined, then)
    const sync = { lastSlot: 1, lastStartTime: then.toISOString(), lastSuccessTime: then.toISOString(), lastRun: run }
    return summarise(connector, { ...status, sync }, then)
  }

  test.each([0.1, 30, 3650])('tests and runs go on within an interval, by whatever it was ahead (%s days)', (days) => {
    const { status, step } = judge(observed(withStatus(connector, ahead(days))), at(60))
    expect(step).toEqual({ do: 'nothing' })
    expect(JSON.stringify(status)).not.toContain(at(days * 24 * HOUR).toISOString())
    const after = withStatus(connector, status)
    expect(judge(observed(after), at(60 + 20 * MINUTE)).step).toEqual({ do: 'start run', slot: 2 })
    expect(judge(observed(after), at(60 + 1.2 * HOUR)).step).toEqual({ do: 'test' })
  })

  test('a new connector, and one that failed, are not left alone until then', () => {
    const made = aConnector({}, { creationTimestamp: at(30 * 24 * HOUR).toISOString() })
    const connected = tested(made, statusSchema.parse({}), undefined, at(1))
    expect(judge(observed(withStatus(made, connected)), at(60)).step).toEqual({ do: 'start run', slot: 1 })
    const unanswered = tested(connector, statusSchema.parse({}), 'ZendeskUnavailable', at(30 * 24 * HOUR))
    const { wakeAt } = judge(observed(withStatus(connector, unanswered)), at(60))
    expect(wakeAt).toEqual(at(70))
  })

  test('what a run’s own machine wrote ahead holds up no test', () => {
    const holder = { run: 'acme-1', slot: 1, pod: 'p', claimTime: START.toISOString(), renewTime: START.toISOString() }
    const checkpoint = {
      ...{ account: 'acme', sink: 's', streams: {}, holder: { ...holder, released: true } },
      budget: { at: at(24 * HOUR).toISOString(), spent: [{ secondsAgo: 0, requests: 200 }] },
    }
    expect(step(connector, atRest(connector), 2 * HOUR, { checkpoint })).toEqual({ do: 'test' })
  })
})

describe('a run that is stopped', () => {
  const connector = aConnector()
  const under = (lastRun?: LastRun) =>
    atRest(connector, {
      sync: {
        lastSlot: 2,
        lastStartTime: START.toISOString(),
        ...(lastRun && { lastRun }),
        activeRun: { id: 'acme-run', job: 'acme-run', startTime: START.toISOString() },
      },
    })

  test('cures nothing: what the one before it failed for stays told', () => {
    const failed = aLastRun({ id: 'before', result: 'Failed', reason: 'SinkUnavailable', endTime: START.toISOString() })
    const { status } = judge(observed(withStatus(connector, under(failed))), at(90))
    expect(status.sync?.activeRun).toBeUndefined()
    expect(status.sync?.lastRun).toMatchObject({ id: 'before', reason: 'SinkUnavailable' })
  })

  test('may still report while its pod is stopping', () => {
    const holder = { run: 'acme-run', slot: 2, pod: 'p', claimTime: START.toISOString(), released: false }
    const checkpoint = {
      account: 'acme',
      sink: 's',
      streams: {},
      holder: { ...holder, renewTime: at(85).toISOString() },
    }
    const look = (seconds: number) => judge(observed(withStatus(connector, under()), { checkpoint }), at(seconds))
    expect(look(90).status.sync?.activeRun).toBeDefined()
    expect(look(90).wakeAt).toEqual(at(100))
    expect(look(100).status.sync?.lastRun?.result).toBe('Stopped')
  })

  test.each(['2026-11-23T09:30:00Z', '9999-01-01T00:00:00Z'])(
    'a renewal that lies ahead (%s) does not keep it under way',
    (renewTime) => {
      const holder = { run: 'acme-run', slot: 2, pod: 'p', claimTime: START.toISOString(), released: false, renewTime }
      const checkpoint = { account: 'acme', sink: 's', streams: {}, holder }
      const { status } = judge(observed(withStatus(connector, under()), { checkpoint }), at(90))
      expect(status.sync?.lastRun?.result).toBe('Stopped')
    },
  )
})
