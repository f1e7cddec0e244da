import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Control, connectControl, type RemoteAccount } from '../simulator/control.ts'
import { createProbe } from '../simulator/probe.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'

let simulator: Simulator
let control: Control

beforeAll(async () => {
  simulator = await startSimulator()
  control = connectControl(simulator.controlUrl)
})
afterAll(() => simulator.stop())

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('from another process', () => {
  test('an account can be made, changed and looked at', async () => {
    const remote: RemoteAccount = await control.account('acme', { recordServed: true, hostileStrings: true })
    const local = simulator.find('acme')
    const probe = createProbe(simulator)
    await probe.signIn()
    const user = await remote.addUser({ name: 'Remote', email: null })
    const activity = await remote.appendActivity({ id: '18014398509481985', changeDescription: 'line\u2028separator' })
    expect(await remote.rawUser(user)).toBe(local?.rawUser(user))
    expect(await remote.rawActivity(activity)).toBe(local?.rawActivity('18014398509481985'))
    expect(await remote.rawActivity('1')).toBeUndefined()
    await remote.rotateSecret('zendesk-connector', 'other')
    await expect(probe.signIn()).rejects.toThrow('401')
    await remote.changeRole('agent')
    await remote.addFault({ path: 'users/me', times: 1, effect: { kind: 'status', status: 503 } })
    expect((await probe.get('/api/v2/users/me')).status).toBe(503)
    expect((await probe.get('/api/v2/users/me')).text).toContain('"role":"agent"')
    expect(await remote.ledger.countByStatus()).toEqual({ 200: 1, 201: 1, 401: 1, 503: 1 })
    expect(await remote.ledger.maxInAnyWindow(60_000)).toBe(4)
    await probe.close()
  })

  test('accounts whose names begin alike are made as they are asked for, each on its own', async () => {
    const latency = { effect: { kind: 'latency', milliseconds: 1 } } as const
    await control.accounts('many-', { users: { count: 3 } }, [latency])
    expect(await control.find('many-7').userCount()).toBe(3)
    await control.find('many-7').addUser()
    const probe = createProbe(simulator, 'many-8')
    await probe.signIn()
    expect(await control.find('many-8').ledger.countByStatus()).toEqual({ 201: 1 })
    expect(await control.find('many-8').faults()).toMatchObject([{ kind: 'latency', struck: 1 }])
    expect(await control.find('many-8').userCount()).toBe(3)
    await expect(control.find('man').userCount()).rejects.toThrow('no account man')
    await probe.close()
  })

  test('what is lazy streams, hostile strings and all', async () => {
    const remote = await control.account('acme', { hostileStrings: true, recordServed: true })
    const local = simulator.find('acme')
    expect(await all(remote.activities())).toEqual([...(local?.activities() ?? [])])
    expect(await all(remote.users())).toEqual([...(local?.users() ?? [])])
    expect(await all(remote.ledger.served('users'))).toEqual([])
  })

  test('time can be let pass, and mistakes come back as errors', async () => {
    const before = await control.clock.now()
    await control.clock.advance(3_600_000)
    expect(await control.clock.now()).toBeGreaterThanOrEqual(before + 3_600_000)
    await expect(control.find('nobody').userCount()).rejects.toThrow('no account nobody')
    await expect(control.account('acme', { usres: 3 } as never)).rejects.toThrow('usres')
    expect(await control.refusedTargets()).toEqual([])
  })
})

describe('the command', () => {
  test('prints where it listens, serves the account acme, and leaves nothing behind', async () => {
    const command = new URL('../simulator/command.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [command, '--users', '3', '--big-ids'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const found: Record<string, string> = {}
    for await (const line of createInterface({ input: child.stdout })) {
      const match = /^(proxy|CA file|control) +(\S+)$/.exec(line)
      if (match?.[1] && match[2]) found[match[1]] = match[2]
      if (line.includes('countByStatus')) break
    }
    const { proxy: proxyUrl = '', 'CA file': caFile = '', control: controlUrl = '' } = found
    const probe = createProbe({ proxyUrl, caFile })
    await probe.signIn()
    expect((await probe.get('/api/v2/users/me')).text).toContain('"role":"admin"')
    expect(await connectControl(controlUrl).find('acme').userCount()).toBe(3)
    await probe.close()
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(existsSync(caFile)).toBe(false)
  })
})
