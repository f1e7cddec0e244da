import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { createProbe, type Probe } from '../simulator/probe.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'

let simulator: Simulator
let account: Account
let probe: Probe

beforeAll(async () => {
  simulator = await startSimulator()
  probe = createProbe(simulator)
})
afterAll(async () => {
  await probe.close()
  await simulator.stop()
})
beforeEach(() => {
  account = simulator.account('acme')
})

const me = '/api/v2/users/me'
const audit = '/api/v2/audit_logs?page[size]=1'
const grant = { grant_type: 'client_credentials', client_id: 'zendesk-connector', client_secret: 'acme-secret' }
const post = (body: object) => probe.send('POST', '/oauth/tokens', JSON.stringify(body))

describe('a token', () => {
  test('is minted with 201, and its expiry is told only when it was asked for', async () => {
    const asked = await post({ ...grant, scope: 'read', expires_in: 1800 })
    expect(asked.status).toBe(201)
    expect(JSON.parse(asked.text)).toMatchObject({ token_type: 'bearer', scope: 'read', expires_in: 1800 })
    expect(JSON.parse((await post(grant)).text)).not.toHaveProperty('expires_in')
  })

  test('can be asked for with a form', async () => {
    const form = new URLSearchParams(grant).toString()
    expect((await probe.send('POST', '/oauth/tokens', form, 'application/x-www-form-urlencoded')).status).toBe(201)
  })

  test.each([300, 172_800, 'soon'])('is refused for a life of %s seconds', async (expires) => {
    expect((await post({ ...grant, expires_in: expires })).status).toBe(400)
  })

  test('is refused for a wrong secret, an unknown client and another grant', async () => {
    const wrong = await post({ ...grant, client_secret: 'x' })
    expect([wrong.status, JSON.parse(wrong.text).error]).toEqual([401, 'invalid_client'])
    expect((await post({ ...grant, client_id: 'x' })).status).toBe(401)
    expect((await post({ ...grant, grant_type: 'password' })).status).toBe(400)
    expect((await probe.send('POST', '/oauth/tokens', '{')).status).toBe(400)
  })

  test('dies when its time is up, by the simulated clock', async () => {
    await probe.signIn({ expires_in: 301 })
    simulator.clock.advance(300_000)
    expect((await probe.get(me)).status).toBe(200)
    simulator.clock.advance(2000)
    const late = await probe.get(me)
    expect([late.status, JSON.parse(late.text).error]).toEqual([401, 'invalid_token'])
  })

  test('outlives its secret but not its revocation', async () => {
    await probe.signIn()
    account.rotateSecret('zendesk-connector', 'new')
    expect((await post(grant)).status).toBe(401)
    expect((await post({ ...grant, client_secret: 'new' })).status).toBe(201)
    expect((await probe.get(me)).status).toBe(200)
    account.revokeTokens()
    expect((await probe.get(me)).status).toBe(401)
  })
})

describe('who may do what', () => {
  test('anonymous callers get 200 and nobody from users/me, and 401 elsewhere', async () => {
    const reply = await probe.get(me, { token: '' })
    expect(reply.status).toBe(200)
    expect(JSON.parse(reply.text).user).toMatchObject({ id: null, authenticity_token: expect.any(String) })
    expect((await probe.get(audit, { token: '' })).status).toBe(401)
  })

  test('role, suspension, plan, scope and a malformed scope are refused with the very same 403', async () => {
    const refusals = new Set<string>()
    const refused = async (change: (account: Account) => void, scope = 'read') => {
      const fresh = simulator.account('acme')
      await probe.signIn({ scope })
      change(fresh)
      const reply = await probe.get(audit)
      expect(reply.status).toBe(403)
      refusals.add(reply.text)
    }
    await refused((it) => it.changeRole('agent'))
    await refused((it) => it.suspendActingUser())
    await refused((it) => it.setPlan('professional'))
    await refused(() => {}, 'users:read')
    await refused(() => {}, 'read,write')
    await refused(() => {}, 'read everything!')
    expect(refusals.size).toBe(1)
  })

  test('users/me and oauth/tokens/current tell these apart', async () => {
    await probe.signIn({ scope: 'users:read' })
    account.changeRole('agent')
    account.suspendActingUser()
    expect(JSON.parse((await probe.get(me)).text).user).toMatchObject({ role: 'agent', suspended: true, active: true })
    const current = await probe.get('/api/v2/oauth/tokens/current')
    expect(JSON.parse(current.text).token).toMatchObject({ scopes: ['users:read'], user_id: 360_000_000_001 })
  })

  test('scopes by resource open their own resource', async () => {
    await probe.signIn({ scope: 'users:read auditlogs:read' })
    expect((await probe.get(audit)).status).toBe(200)
    expect((await probe.get('/api/v2/users?page[size]=1')).status).toBe(200)
    expect((await probe.get('/api/v2/groups')).status).toBe(403)
  })

  test('clients and tokens are listed for admins, tokens cut short', async () => {
    const token = await probe.signIn()
    const tokens = JSON.parse((await probe.get('/api/v2/oauth/tokens?all=true&page[size]=10')).text).tokens
    expect(tokens).toMatchObject([{ token: token.slice(0, 10), scopes: ['read'], client_id: 4_100_001 }])
    const clients = JSON.parse((await probe.get('/api/v2/oauth/clients?page[size]=10')).text).clients
    expect(clients).toMatchObject([{ id: 4_100_001, identifier: 'zendesk-connector' }])
  })

  test('agents may list users but not export them', async () => {
    await probe.signIn()
    account.changeRole('agent')
    expect((await probe.get('/api/v2/users?page[size]=1')).status).toBe(200)
    expect((await probe.get('/api/v2/incremental/users/cursor?start_time=0')).status).toBe(403)
  })

  test('writing, unknown paths, unknown accounts and other hosts lead nowhere', async () => {
    await probe.signIn()
    expect((await probe.send('PATCH', me, '{}')).status).toBe(405)
    expect((await probe.get('/api/v2/tickets')).status).toBe(404)
    const nobody = createProbe(simulator, 'nobody')
    const reply = await nobody.get(me)
    expect([reply.status, reply.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
    expect(simulator.strangers.requests()).toMatchObject([{ account: 'nobody', status: 404 }])
    const outside = createProbe(simulator, 'example.com/x')
    await expect(outside.get(me)).rejects.toThrow()
    expect(simulator.refusedTargets).toEqual(['example.com:443'])
    await Promise.all([nobody.close(), outside.close()])
  })
})
