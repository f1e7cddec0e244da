/** From YAML to Connected or Error, on a real API server: what a platform engineer sees, reason by reason. */
import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { type Served, type Stage, startStage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ name: 'connection' })
  await stage.startOperator()
})
afterAll(() => stage?.stop())

const ready = ({ status }: Served) => status?.conditions?.find((one: { type: string }) => one.type === 'Ready')
const isError = (reason: string) => (connector: Served) =>
  connector.status?.connection === 'Error' && ready(connector)?.reason === reason
const isConnected = ({ status }: Served) => status?.connection === 'Connected'

let requests = 0
/** Asks for a test by hand; any new value acts once. */
async function testNow(name: string): Promise<void> {
  requests += 1
  const annotation = `cloudapps.security/test-requested-at=${requests}`
  await stage.cluster.kubectl('annotate', 'zdc', name, '-n', 'security', '--overwrite', annotation)
}

async function anAccount(name: string, spec: object = {}): Promise<Account> {
  const account = stage.simulator.account(name)
  await stage.apply(documents(secretYaml(name), connectorYaml({ name, spec })))
  return account
}

describe('a connector and its Secret', () => {
  test('applied together are Connected, and kubectl wait knows it', async () => {
    await anAccount('good')
    const wait = (what: string) =>
      stage.cluster.kubectl('wait', 'zdc/good', '-n', 'security', `--for=${what}`, '--timeout=20s')
    await wait('condition=Ready')
    await wait('jsonpath={.status.connection}=Connected')
    const { status, metadata } = await stage.get('good')
    expect(status.observedGeneration).toBe(metadata.generation)
    expect(status.account).toMatchObject({ subdomain: 'good', role: 'admin', requestsPerMinute: 700 })
  })

  test('without the Secret is SecretNotFound; once it is created, Connected within a second of Zendesk’s answer', async () => {
    const account = stage.simulator.account('later')
    await stage.apply(connectorYaml({ name: 'later' }))
    const missing = await stage.until('later', isError('SecretNotFound'))
    expect(ready(missing).message).toContain('The Secret later-zendesk does not exist')
    expect(missing.status.conditions.map((one: { type: string }) => one.type)).toContain('Reconciling')
    expect(account.ledger.count()).toBe(0)
    await stage.apply(secretYaml('later'))
    const connected = await stage.until('later', isConnected)
    const answeredAt = Math.max(...account.ledger.requests('users/me|audit_logs').map((one) => one.at))
    expect(Date.parse(connected.status.connectionTest.lastTime) - answeredAt).toBeLessThan(1000)
  })

  test('with a Secret that lacks a key is SecretKeyMissing, naming the key', async () => {
    stage.simulator.account('keyless')
    await stage.apply(
      documents(secretYaml('keyless', { clientId: 'zendesk-connector' }), connectorYaml({ name: 'keyless' })),
    )
    expect(ready(await stage.until('keyless', isError('SecretKeyMissing'))).message).toContain('clientSecret')
    await stage.apply(secretYaml('keyless'))
    await stage.until('keyless', isConnected)
  })

  test('with a wrong secret is InvalidClient; a right one is taken up at once, a rotated one too', async () => {
    const account = stage.simulator.account('wrong')
    await stage.apply(
      documents(
        secretYaml('wrong', { clientId: 'zendesk-connector', clientSecret: 'nope' }),
        connectorYaml({ name: 'wrong' }),
      ),
    )
    await stage.until('wrong', isError('InvalidClient'))
    await stage.apply(secretYaml('wrong'))
    await stage.until('wrong', isConnected)
    account.rotateSecret('zendesk-connector', 'new-secret')
    await stage.apply(secretYaml('wrong', { clientId: 'zendesk-connector', clientSecret: 'new-secret' }))
    const version = await stage.cluster.kubectl(
      'get',
      'secret',
      'wrong-zendesk',
      '-n',
      'security',
      '-o',
      'jsonpath={.metadata.resourceVersion}',
    )
    const rotated = await stage.until(
      'wrong',
      ({ status }) => status.connectionTest.testedSecrets[0].resourceVersion === version,
    )
    expect(isConnected(rotated)).toBe(true)
  })
})

describe('what Zendesk may answer', () => {
  const inTrouble: [string, (account: Account) => void, string, string][] = [
    ['agent', (account) => account.changeRole('agent'), 'NotAdmin', 'not an admin'],
    ['suspended', (account) => account.suspendActingUser(), 'UserSuspended', 'suspended'],
    ['professional', (account) => account.setPlan('professional'), 'PlanNotSupported', 'the same applies to AuditLogs'],
  ]
  test.each(inTrouble)('%s', async (name, trouble, reason, words) => {
    trouble(stage.simulator.account(name))
    await stage.apply(documents(secretYaml(name), connectorYaml({ name })))
    const served = await stage.until(name, isError(reason))
    expect(ready(served).message).toContain(words)
    expect(served.status.conditions.map((one: { type: string }) => one.type)).toContain('Stalled')
  })

  test('an account that is not there is AccountNotFound', async () => {
    await stage.apply(documents(secretYaml('nobody'), connectorYaml({ name: 'nobody' })))
    await stage.until('nobody', isError('AccountNotFound'))
  })

  test('an admin demoted later is found at the next test, and an admin again is Connected at the next: no restart', async () => {
    const account = await anAccount('demoted')
    await stage.until('demoted', isConnected)
    account.changeRole('agent')
    await testNow('demoted')
    await stage.until('demoted', isError('NotAdmin'))
    account.changeRole('admin')
    await testNow('demoted')
    const { status } = await stage.until('demoted', isConnected)
    expect(status.lastHandledTestRequest).toBe(`${requests}`)
  })

  test('no answer leaves things as they were twice, is an Error the third time, and heals by itself', async () => {
    const account = await anAccount('down')
    // A run under way would fail as well.
    await stage.until('down', ({ status }) => status?.sync?.lastSuccessTime !== undefined)
    const fault = account.addFault({ effect: { kind: 'status', status: 503 } })
    await testNow('down')
    const failures = (count: number) => (one: Served) => one.status.connectionTest.consecutiveFailures === count
    for (const count of [1, 2]) {
      const still = await stage.until('down', failures(count), { seconds: 60 })
      expect([still.status.connection, ready(still).status]).toEqual(['Connected', 'True'])
    }
    const broken = await stage.until('down', failures(3), { seconds: 60 })
    expect(isError('ZendeskUnavailable')(broken)).toBe(true)
    expect(ready(broken).message).toMatch(/HTTP 503.*Next test at \d\d:\d\d:\d\d UTC/)
    account.removeFault(fault)
    await testNow('down')
    await stage.until('down', isConnected)
  })

  test('no connection is NetworkError', async () => {
    const account = stage.simulator.account('cut')
    account.addFault({ effect: { kind: 'down' } })
    await stage.apply(documents(secretYaml('cut'), connectorYaml({ name: 'cut' })))
    const served = await stage.until('cut', ({ status }) => status?.connectionTest?.consecutiveFailures >= 1)
    expect(served.status.connection).toBe('Pending')
    expect(served.status.connectionTest.checks[0]).toMatchObject({
      name: 'Endpoint',
      result: 'Unknown',
      reason: 'NetworkError',
    })
  })
})

test('what happened is told in Events, without repeats', async () => {
  await anAccount('eventful')
  await stage.until('eventful', isConnected)
  for (let count = 0; count < 3; count += 1) {
    await testNow('eventful')
    const value = `${requests}`
    await stage.until('eventful', ({ status }) => status.lastHandledTestRequest === value)
  }
  const described = await stage.cluster.kubectl('describe', 'zdc', 'eventful', '-n', 'security')
  expect(described.match(/Connected to eventful\.zendesk\.com as admin/g)).toHaveLength(1)
})

test('a suspended connector is neither tested nor run, and goes on when it is no longer', async () => {
  const account = await anAccount('resting', { suspend: true })
  const resting = await stage.until('resting', (one) => ready(one)?.reason === 'Suspended')
  expect([resting.status.connection, account.ledger.count()]).toEqual(['Pending', 0])
  await stage.cluster.kubectl(
    'patch',
    'zdc',
    'resting',
    '-n',
    'security',
    '--type=merge',
    '-p',
    '{"spec":{"suspend":false}}',
  )
  await stage.until('resting', isConnected)
})

describe('zendesk-connector status', () => {
  const program = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

  /** As a person runs it, whose kubeconfig KUBECONFIG names. */
  function status(args: readonly string[], kubeconfig = stage.cluster.kubeconfig) {
    const child = spawn(process.execPath, [program, 'status', ...args], {
      env: { PATH: process.env.PATH, KUBECONFIG: kubeconfig },
    })
    const out = text(child.stdout)
    const ended = Promise.all([once(child, 'exit'), out, text(child.stderr)])
    return { child, ended: ended.then(([[code], stdout, stderr]) => ({ code, out: stdout, error: stderr })) }
  }
  const lines = async (...args: Parameters<typeof status>) => status(...args).ended

  test('shows a connector as the operator wrote it down', async () => {
    await anAccount('shown')
    await stage.until('shown', ({ status }) => status?.sync?.lastSuccessTime !== undefined)
    const { code, out } = await lines(['shown', '-n', 'security'])
    expect(code).toBe(0)
    expect(out).toContain('Connected (Connected): Connected to shown.zendesk.com.')
    expect(out).toMatch(/^AuditLogs +Passed$/m)
    expect(out).toMatch(/^Last run +Succeeded /m)
    expect(out).toMatch(/^Next test +in (1 h|59 min) .* UTC\)$/m)
    const json = await lines(['shown', '-n', 'security', '-o', 'json'])
    expect(JSON.parse(json.out)).toMatchObject({ name: 'shown', status: { connection: 'Connected' } })
  })

  test('says in one sentence that there is none, or that one may not look', async () => {
    expect(await lines(['nothing', '-n', 'security'])).toEqual({
      code: 1,
      out: '',
      error:
        'ZendeskConnector nothing does not exist in the namespace security: see kubectl get zdc --all-namespaces.\n',
    })
    const stranger = await stage.cluster.kubeconfigFor({ name: 'stranger' })
    const refused = await lines(['shown', '-n', 'security'], stranger)
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.error).toMatch(/^You are not allowed to read security\/shown: you need .*\n$/)
  })

  test('--watch follows what happens, until it is told to stop or there is nothing left', async () => {
    const account = await anAccount('followed')
    await stage.until('followed', isConnected)
    const { child, ended } = status(['followed', '-n', 'security', '--watch'])
    const says = async (words: string) => {
      for await (const [chunk] of on(child.stdout, 'data')) if (String(chunk).includes(words)) return
    }
    await says('Connected (Connected)')
    account.changeRole('agent')
    await testNow('followed')
    await says('Error (NotAdmin)')
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0, error: '' })

    const other = status(['followed', '-n', 'security', '--watch'])
    await once(other.child.stdout, 'data')
    await stage.cluster.kubectl('delete', 'zdc', 'followed', '-n', 'security')
    expect(await other.ended).toMatchObject({ code: 1, error: 'security/followed was deleted.\n' })
  })
})
