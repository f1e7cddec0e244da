/**
 * A relay in front of an HTTP server. It shows where each request stands, and can keep it there for a while: so the
 * harness knows from outside what a process is doing, and can kill it right then.
 */
import { once } from 'node:events'
import {
  createServer as createPlain,
  type IncomingMessage,
  request as requestPlain,
  type ServerResponse,
} from 'node:http'
import { Agent, createServer as createSecure, request as requestSecure } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { KeyPair } from '../support/certificates.ts'

/** `head` has come and nothing of the body is taken; `body` begins to come; all is there, and the server does not have
 * it yet; the server has `answered`, and the client does not know. */
export type Step = 'head' | 'body' | 'whole' | 'answered'

export type Exchange = {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** What has come of the body. */
  readonly body: () => Buffer
  readonly step: Step
}

/** `break`: the connection ends here; a number: the client is answered with that status, the server not asked. */
export type Ruling = 'go on' | 'break' | number

export type RelayOptions = {
  /** Origin of the server behind it. */
  readonly to: string
  /** What the relay shows as, when it speaks TLS … */
  readonly tls?: KeyPair
  /** … and whom it trusts. */
  readonly ca?: string
  /** Asked at each step; the request stands still until it is answered. */
  readonly at: (exchange: Exchange) => Promise<Ruling>
}

export type Relay = {
  readonly origin: string
  /** Requests that are not answered yet. */
  underWay(): Exchange[]
  stop(): Promise<void>
}

export async function startRelay({ to, tls, ca, at }: RelayOptions): Promise<Relay> {
  const upstream = new URL(to)
  const send = upstream.protocol === 'https:' ? requestSecure : requestPlain
  const agent = upstream.protocol === 'https:' ? new Agent({ keepAlive: true, ca }) : false
  const sockets = new Set<Socket>()
  const open = new Set<Exchange>()

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    const exchange = {
      method: request.method ?? '',
      path: request.url ?? '/',
      body: () => Buffer.concat(chunks),
      step: 'head' as Step,
    }
    const mayGoOn = async (step: Step): Promise<boolean> => {
      exchange.step = step
      const ruling = await at(exchange)
      if (ruling === 'go on') return true
      if (ruling === 'break') request.socket.destroy()
      else response.writeHead(ruling, { connection: 'close' }).end()
      return false
    }

    open.add(exchange)
    try {
      if (!(await mayGoOn('head'))) return
      for await (const chunk of request) {
        chunks.push(chunk)
        if (chunks.length === 1 && !(await mayGoOn('body'))) return
      }
      // Not asked for a client that has died meanwhile: like a packet on its way, the request still arrives.
      if (!(await mayGoOn('whole'))) return
      const { method, path } = exchange
      // `expect` was answered by this server already.
      const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== 'expect'))
      const options = { host: upstream.hostname, port: upstream.port, method, path, headers, agent }
      const asked = send(options).end(exchange.body())
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      const body: Buffer[] = []
      for await (const chunk of answer) body.push(chunk)
      if (!(await mayGoOn('answered'))) return
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      response.end(Buffer.concat(body))
    } catch {
      // One of the two has hung up: the other one shall know.
      request.socket.destroy()
    } finally {
      open.delete(exchange)
    }
  }

  const serve = (request: IncomingMessage, response: ServerResponse) => void pass(request, response)
  const server = tls ? createSecure({ cert: tls.certPem, key: tls.keyPem }, serve) : createPlain(serve)
  server.keepAliveTimeout = 300_000
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    underWay: () => [...open],
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      if (agent) agent.destroy()
      await closed
    },
  }
}
