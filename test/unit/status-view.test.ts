/** `zendesk-connector status`: what a person sees of a connector, from the object as the API server serves it. */
import { describe, expect, it } from 'vitest'
import { connector as connectorSchema } from '../../src/connector/schema.ts'
import { createRedraw } from '../../src/redraw.ts'
import { statusLine, statusView } from '../../src/status-view.ts'

const NOW = new Date('2026-11-23T08:00:00Z')
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000).toISOString()
const ESCAPE = '\u001b'

const condition = (type: string, status: string, reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: at(-300),
})

const test = {
  lastTime: at(-600),
  consecutiveFailures: 0,
  testedGeneration: 1,
  testedSecrets: [{ name: 'acme-zendesk', uid: 'u', resourceVersion: '7' }],
  checks: [
    { name: 'Endpoint', result: 'Passed' },
    { name: 'AuditLogs', result: 'Passed' },
  ],
}
const lastRun = {
  id: 'acme-run-1',
  result: 'Succeeded',
  startTime: at(-420),
  endTime: at(-300),
  records: 1234,
  requests: 56,
  throttled: 2,
  throttledSeconds: 12,
}
const sync = {
  lastSlot: 1,
  lastStartTime: at(-420),
  lastSuccessTime: at(-300),
  lastRun,
  streams: [
    { name: 'Users', records: 12345, newestRecordTime: at(-90), complete: true },
    { name: 'Groups', records: 3, newestRecordTime: at(-(3 * 24 + 5) * 3600), complete: true },
    { name: 'AuditLogs', records: 7, complete: false },
  ],
}
const connected = {
  observedGeneration: 1,
  connection: 'Connected',
  account: { subdomain: 'acme', role: 'admin', requestsPerMinute: 700 },
  connectionTest: test,
  sync,
  conditions: [condition('Ready', 'True', 'Connected', 'Connected to acme.zendesk.com.')],
}

function served(status?: object, spec: object = {}, generation = 1) {
  return connectorSchema.parse({
    metadata: { name: 'acme', namespace: 'security', uid: 'uid', generation, creationTimestamp: at(-9999) },
    spec: {
      endpoint: 'acme.zendesk.com',
      secretRef: { name: 'acme-zendesk' },
      sync: { sink: { stdout: {} } },
      ...spec,
    },
    ...(status && { status }),
  })
}

const view = (status?: object, spec?: object, generation?: number) =>
  statusView(served(status, spec, generation), { now: NOW, colour: false })

describe('the view of one connector', () => {
  it('tells state, checks, streams, the last of all and the next of all', () => {
    expect(view(connected)).toBe(
      `acme  acme.zendesk.com  (namespace security, as admin, 200 of 700 requests/min)
Connected (Connected): Connected to acme.zendesk.com.

CHECK      RESULT  REASON  MESSAGE
Endpoint   Passed
AuditLogs  Passed

STREAM     RECORDS  NEWEST                   LAG         COMPLETE
Users       12,345  07:58:30 UTC             1 min 30 s  yes
Groups           3  2026-11-20 03:00:00 UTC  3 d 5 h     yes
AuditLogs        7                                       no

Last run   Succeeded 5 min 0 s ago, took 2 min 0 s, 1,234 records, 56 requests, 2 of them answered with 429, waited 12 s for Zendesk
Last test  10 min 0 s ago, passed
Next test  in 57 min 10 s (08:57:10 UTC)
Next run   in 8 min 33 s (08:08:33 UTC)
`,
    )
  })

  it('says what is wrong with a connector in its first lines and at the check that found it', () => {
    const message = 'Zendesk rejects client id and secret: correct the Secret.'
    const checks = [{ name: 'Token', result: 'Failed', reason: 'InvalidClient', message }]
    const lines = view({
      ...connected,
      connection: 'Error',
      connectionTest: { ...test, consecutiveFailures: 3, checks },
      conditions: [condition('Ready', 'False', 'InvalidClient', message)],
    })
    expect(lines).toContain(`Error (InvalidClient): ${message}`)
    expect(lines).toMatch(/^Token +Failed +InvalidClient +Zendesk rejects/m)
    expect(lines).toContain('failed for the 3rd time in a row')
    expect(lines).toMatch(/^Next run +once connected$/m)
  })

  it('draws how far a run has come, when it may be done, and what it waits for', () => {
    const activeRun = {
      id: 'acme-run-2',
      job: 'acme-run-2',
      startTime: at(-65),
      progress: 'AuditLogs: 40 % of seven days.',
      percent: 40,
      estimatedCompletionTime: at(95),
      waitingFor: 'Zendesk asks to wait until 08:00:30 UTC.',
    }
    const lines = view({ ...connected, sync: { ...sync, activeRun } })
    expect(lines).toContain(
      `Running    [${'#'.repeat(12)}${'-'.repeat(18)}] 40 %, for 1 min 5 s, done in 1 min 35 s (08:01:35 UTC)`,
    )
    expect(lines).toContain('AuditLogs: 40 % of seven days.')
    expect(lines).toContain('waiting: Zendesk asks to wait until 08:00:30 UTC.')
    expect(lines).toMatch(/^Next run +in 8 min 33 s/m)
  })

  it('says what the next run waits for when its time has come', () => {
    const due = { ...sync, lastStartTime: at(-3600) }
    expect(view({ ...connected, sync: due })).toMatch(/^Next run +now$/m)
    const activeRun = { id: 'acme-run-2', job: 'acme-run-2', startTime: at(-3600) }
    expect(view({ ...connected, sync: { ...due, activeRun } })).toMatch(/^Next run +after the active run$/m)
    const waiting = { since: at(-60), for: 'Account' }
    expect(view({ ...connected, sync: { ...due, waiting } })).toContain('another connector of the account is syncing')
    expect(view(connected, {}, 2)).toMatch(/^Next run +once the changed spec is tested$/m)
    expect(view(connected, {}, 2)).toContain('The latest spec change is not tested yet.')
  })

  it('shows one that is suspended, and one that nobody has looked at', () => {
    expect(view(connected, { suspend: true })).toContain('Connected, suspended (Connected)')
    expect(view(connected, { suspend: true })).toMatch(/^Next test +not while suspended$/m)
    expect(view()).toContain('Pending: not seen by the operator yet')
  })

  it('follows the operator’s own rules: a new test is due at once after a change, later after a failure', () => {
    expect(view(connected, {}, 2)).toMatch(/^Next test +now$/m)
    const checks = [{ name: 'Token', result: 'Unknown', reason: 'NetworkError', message: 'No connection.' }]
    const unanswered = { ...connected, connectionTest: { ...test, lastTime: at(-30), consecutiveFailures: 3, checks } }
    expect(view(unanswered)).toMatch(/^Next test +in 30 s \(08:00:30 UTC\)$/m)
    expect(view(unanswered)).toContain('no answer for the 3rd time in a row')
  })
})

describe('on a terminal', () => {
  it('has colours only where they are asked for, and the same text without them', () => {
    const coloured = statusView(served(connected), { now: NOW, colour: true })
    expect(coloured).toContain(`${ESCAPE}[32mPassed${ESCAPE}[39m`)
    expect(coloured.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '')).toBe(view(connected))
    expect(view(connected)).not.toContain(ESCAPE)
  })

  it('obeys nothing of what a status or a spec holds', () => {
    const hostile = `${ESCAPE}[2J${ESCAPE}]0;owned\u0007\u202E\nConnected`
    const status = {
      ...connected,
      conditions: [condition('Ready', 'True', 'Connected', hostile)],
      sync: { ...sync, lastRun: { ...lastRun, message: hostile } },
    }
    const lines = view(status, { displayName: hostile })
    expect(lines).not.toMatch(new RegExp(`[${ESCAPE}\u0007\u202E]`))
    expect(lines.split('\n').length).toBe(view(connected).split('\n').length)
    expect(statusLine(served(status))).toMatch(/^acme: .*\n$/)
  })
})

describe('what follows on a terminal', () => {
  /** As far as a redraw uses one. */
  function screen(columns: number, rows: number) {
    const lines: string[] = []
    const draw = createRedraw({
      columns,
      rows,
      write: (text: string) => {
        const up = new RegExp(`^\\r${ESCAPE}\\[(\\d+)A${ESCAPE}\\[J`).exec(text)
        if (up) lines.splice(lines.length - Number(up[1]))
        lines.push(
          ...text
            .slice(up?.[0].length ?? 0)
            .trimEnd()
            .split('\n'),
        )
      },
    })
    return { draw, lines }
  }

  it('takes the place of what was there, also where lines are longer than the terminal is wide', () => {
    const { draw, lines } = screen(20, 24)
    draw(`${'a'.repeat(45)}\nb\n`)
    expect(lines).toEqual(['a'.repeat(20), 'a'.repeat(20), 'a'.repeat(5), 'b'])
    draw(`${ESCAPE}[32m${'c'.repeat(20)}${ESCAPE}[39m\n`)
    expect(lines).toEqual([`${ESCAPE}[32m${'c'.repeat(20)}${ESCAPE}[39m`])
  })

  it('is cut where the terminal ends: what has left it cannot be drawn over', () => {
    const { draw, lines } = screen(80, 4)
    draw('1\n2\n3\n4\n5\n')
    expect(lines).toEqual(['1', '2', '…'])
  })
})

describe('where lines follow one another', () => {
  it('says in one line how the connector is', () => {
    expect(statusLine(served(connected))).toBe(
      'acme: Connected (Connected): Connected to acme.zendesk.com.; last run Succeeded; 12,355 records\n',
    )
    const activeRun = { id: 'r', job: 'r', startTime: at(-60), percent: 40 }
    expect(statusLine(served({ ...connected, sync: { ...sync, activeRun } }))).toContain('; running, 40 %; ')
  })
})
