/** A request that is handed over in time and would leave too late, because its connection must be made first. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectTo } from '../../src/zendesk/http.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { trust } from '../support/trust.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
  await trust(simulator.caFile)
})
afterAll(() => simulator?.stop())

/** A way to the simulator's proxy that lets nothing pass until it is opened. */
async function startGate() {
  const opened = Promise.withResolvers<void>()
  const sockets = new Set<Socket>()
  const server = createServer(async (socket) => {
    sockets.add(socket)
    await opened.promise
    const { hostname, port } = new URL(simulator.proxyUrl)
    const onward = connect(Number(port), hostname)
    sockets.add(onward)
    for (const one of [socket, onward]) one.on('error', () => one.destroy())
    socket.pipe(onward).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    connections: () => sockets.size,
    open: opened.resolve,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

test.each([true, false])('leaves only if it still may when there is a connection: %s', async (mayStart) => {
  const account = simulator.account('acme')
  const gate = await startGate()
  const { send, close } = connectTo('acme.zendesk.com', { httpsProxy: gate.url, noProxy: undefined })
  let may = true
  const { signal } = new AbortController()
  const sent = send({ method: 'GET', path: '/api/v2/users/me', signal, mayStart: () => may })
  await expect.poll(gate.connections).toBe(1)
  may = mayStart
  gate.open()
  if (mayStart) expect((await sent).status).toBe(200)
  else await expect(sent).rejects.toMatchObject({ reason: 'NetworkError', trouble: 'connect' })
  expect(account.ledger.count()).toBe(mayStart ? 1 : 0)
  await close()
  gate.stop()
})
