import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import type { FaultOptions } from '../simulator/faults.ts'
import { createProbe, type Probe } from '../simulator/probe.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'

let simulator: Simulator
let account: Account
let probe: Probe

beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.stop())
beforeEach(async () => {
  account = simulator.account('acme')
  probe = createProbe(simulator)
  await probe.signIn()
})
// A tunnel that stalls for ever would keep `close` waiting.
afterEach(async () => {
  account.closeConnections()
  await probe.close()
})

const me = '/api/v2/users/me'
const audit = '/api/v2/audit_logs?page[size]=50'
const codeOf = (error: { code?: string; cause?: { code?: string } }) => error.code ?? error.cause?.code
const failure = (path = audit) => probe.get(path).then(() => 'no error', codeOf)
const once = (effect: FaultOptions['effect']) => account.addFault({ path: 'audit_logs', times: 1, effect })
const statuses = async (count: number, path = audit) => {
  const seen: number[] = []
  for (let each = 0; each < count; each++) seen.push((await probe.get(path)).status)
  return seen
}

describe('a rule', () => {
  test('strikes as often as told, after as many as told, and only where it matches', async () => {
    const effect = { kind: 'status', status: 500 } as const
    account.addFault({ method: 'GET', path: '^/api/v2/audit_logs', after: 1, times: 2, effect })
    expect(await statuses(1, me)).toEqual([200])
    expect(await statuses(5)).toEqual([200, 500, 500, 200, 200])
    expect(account.faults()).toMatchObject([{ kind: 'status', matched: 3, struck: 2 }])
  })

  test('strikes by chance, the same requests each time', async () => {
    const run = async () => {
      account = simulator.account('acme')
      await probe.signIn()
      account.addFault({ probability: 0.5, effect: { kind: 'status', status: 503 } })
      return statuses(40, me)
    }
    const first = await run()
    expect(first.filter((status) => status === 503).length).toBeGreaterThan(8)
    expect(first.filter((status) => status === 200).length).toBeGreaterThan(8)
    expect(await run()).toEqual(first)
  })

  test('can be taken back, and a misspelt one is refused', async () => {
    const id = account.addFault({ effect: { kind: 'status', status: 500 } })
    account.removeFault(id)
    expect(await statuses(1)).toEqual([200])
    expect(() => account.addFault({ effect: { kind: 'status', code: 500 } } as never)).toThrow()
  })
})

describe('answers', () => {
  test('have a status and a Retry-After of any kind', async () => {
    once({ kind: 'status', status: 429, retryAfter: 7 })
    expect(await probe.get(audit)).toMatchObject({ status: 429, headers: { 'retry-after': '7' } })
    once({ kind: 'status', status: 503, retryAfterDate: 30 })
    const date = Date.parse(String((await probe.get(audit)).headers['retry-after']))
    expect(Math.abs(date - simulator.clock.now() - 30_000)).toBeLessThan(2000)
    once({ kind: 'status', status: 429 })
    expect((await probe.get(audit)).headers).not.toHaveProperty('retry-after')
  })

  test('are a page for people, a redirect, or JSON without its end', async () => {
    once({ kind: 'html' })
    expect(await probe.get(audit)).toMatchObject({ status: 200, text: expect.stringContaining('<!DOCTYPE html>') })
    once({ kind: 'redirect', location: 'https://elsewhere.example/' })
    expect(await probe.get(audit)).toMatchObject({ status: 302, headers: { location: 'https://elsewhere.example/' } })
    once({ kind: 'invalidJson' })
    const broken = await probe.get(audit)
    expect(broken.text).toMatch(/^\{"audit_logs"/)
    expect(() => JSON.parse(broken.text)).toThrow()
  })

  test('are cut off, reset before the first byte, or reset half way', async () => {
    once({ kind: 'cutOff' })
    expect(await failure()).toBe('UND_ERR_SOCKET')
    once({ kind: 'reset' })
    expect(await failure()).toBe('ECONNRESET')
    once({ kind: 'reset', when: 'during' })
    expect(['ECONNRESET', 'UND_ERR_SOCKET']).toContain(await failure())
    expect(await statuses(1)).toEqual([200])
    expect(account.ledger.requests('audit_logs').map(({ status, fault }) => [status, fault])).toEqual([
      [0, 'cutOff'],
      [0, 'reset'],
      [0, 'reset'],
      [200, undefined],
    ])
    expect(account.ledger.servedCount('audit_logs')).toBe(50)
  })

  test('stall for a while, for ever, or half way', async () => {
    for (const when of ['before', 'during'] as const) {
      const start = performance.now()
      once({ kind: 'stall', seconds: 0.2, when })
      const reply = await probe.get(audit)
      expect(JSON.parse(reply.text).audit_logs).toHaveLength(50)
      expect(performance.now() - start).toBeGreaterThan(195)
    }
    once({ kind: 'stall' })
    await expect(probe.get(audit, { signal: AbortSignal.timeout(200) })).rejects.toThrow('timeout')
  })

  test('come later, and other faults on top', async () => {
    account.addFault({ effect: { kind: 'latency', milliseconds: 100 } })
    once({ kind: 'status', status: 502 })
    const start = performance.now()
    expect(await statuses(2)).toEqual([502, 200])
    expect(performance.now() - start).toBeGreaterThan(195)
  })
})

describe('the account', () => {
  test('demotes its acting user after so many requests', async () => {
    account.addFault({ after: 2, times: 1, effect: { kind: 'demote' } })
    expect(await statuses(4)).toEqual([200, 200, 403, 403])
    expect(JSON.parse((await probe.get(me)).text).user.role).toBe('agent')
  })

  test('revokes its tokens after so many requests', async () => {
    account.addFault({ after: 1, times: 1, effect: { kind: 'revokeTokens' } })
    expect(await statuses(2)).toEqual([200, 401])
  })
})

describe('connections', () => {
  test('are refused by the proxy, shown a wrong certificate, or closed', async () => {
    account.addFault({ times: 1, effect: { kind: 'refuseConnect' } })
    await expect(probe.get(me)).rejects.toThrow('403')
    account.addFault({ times: 1, effect: { kind: 'wrongCertificate' } })
    // Another authority of our own shape: the signature is what does not match.
    expect(await failure(me)).toMatch(/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT/)
    account.addFault({ times: 1, effect: { kind: 'wrongCertificate', of: 'name' } })
    expect(await failure(me)).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    account.addFault({ times: 1, effect: { kind: 'down' } })
    await expect(probe.get(me)).rejects.toThrow()
    expect(await statuses(1, me)).toEqual([200])
  })

  test('that stand are closed when the account goes down, and others are left alone', async () => {
    simulator.account('other')
    const other = createProbe(simulator, 'other')
    await other.signIn()
    account.addFault({ times: 1, effect: { kind: 'stall' } })
    const hanging = probe.get(me).then(() => 'answer', codeOf)
    await expect.poll(() => account.ledger.requests(me).length).toBe(1)
    account.addFault({ effect: { kind: 'down' } })
    expect(await hanging).not.toBe('answer')
    await expect(probe.get(me)).rejects.toThrow()
    expect((await other.get(me)).status).toBe(200)
    account.clearFaults()
    expect((await probe.get(me)).status).toBe(200)
    await other.close()
  })
})
