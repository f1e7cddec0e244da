/**
 * What stands between one operator and its API server, and fails as networks, load balancers and servers under load do.
 * It speaks TLS with a certificate of its own, so that it can tell watches from calls; both stream through it.
 */
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { Agent, createServer, request as sendSecure } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { KeyPair } from '../../support/certificates.ts'

/** What the client is told in place of the API server's answer. */
export type Refusal = { readonly status: number; readonly retryAfter?: number }

export type Gate = {
  readonly origin: string
  /** Watches open just now. */
  watches(): number
  /** Connections that were accepted so far. */
  accepted(): number
  /** Asked about each new request from now on; undefined: it may pass. */
  refuse(rule: ((request: IncomingMessage) => Refusal | undefined) | undefined): void
  /** The watches there are say nothing any more, and stay open; nothing that they are sent is read. */
  silence(): number
  /** Breaks one of the watches there are: the one that `choose` names by its index. */
  cut(choose: (watches: number) => number): boolean
  stop(): Promise<void>
}

export type GateOptions = {
  /** The API server. */
  readonly to: string
  /** Whom the gate trusts to be the API server … */
  readonly ca: string
  /** … and what it shows itself as. */
  readonly tls: KeyPair
}

type Watch = { readonly socket: Socket; readonly answer: IncomingMessage; readonly response: ServerResponse }

export async function openGate({ to, ca, tls }: GateOptions): Promise<Gate> {
  const upstream = new URL(to)
  const secure = upstream.protocol === 'https:'
  const agent = secure ? new Agent({ keepAlive: true, ca }) : undefined
  const sockets = new Set<Socket>()
  const watches = new Set<Watch>()
  let accepted = 0
  let rule: ((request: IncomingMessage) => Refusal | undefined) | undefined

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const refusal = rule?.(request)
    if (refusal !== undefined) {
      refused(response, refusal)
      return
    }
    const { method, url: path, headers, socket } = request
    const options = { host: upstream.hostname, port: upstream.port, method, path, headers, agent }
    const asked = (secure ? sendSecure : send)(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(response)
      // One that broke off must not look like one that ended.
      answer.on('error', () => socket.destroy())
      answer.on('aborted', () => socket.destroy())
      if (!/[?&]watch=true/.test(path ?? '')) return
      // The head of a watch goes out at once, though nothing may happen for long.
      response.flushHeaders()
      const watch = { socket, answer, response }
      watches.add(watch)
      response.once('close', () => watches.delete(watch))
    })
    asked.on('error', () => socket.destroy())
    response.once('close', () => asked.destroy())
    request.pipe(asked)
  }

  const server = createServer({ cert: tls.certPem, key: tls.keyPem }, serve)
  server.keepAliveTimeout = 300_000
  server.requestTimeout = 0
  server.on('connection', (socket: Socket) => {
    accepted += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `https://127.0.0.1:${port}`,
    watches: () => watches.size,
    accepted: () => accepted,
    refuse: (next) => {
      rule = next
    },
    silence: () => {
      for (const { socket, answer, response } of watches) {
        answer.unpipe(response)
        answer.pause()
        socket.pause()
      }
      const silenced = watches.size
      watches.clear()
      return silenced
    },
    cut: (choose) => {
      const watch = [...watches][choose(watches.size)]
      watch?.socket.destroy()
      return watch !== undefined
    },
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      agent?.destroy()
      await closed
    },
  }
}

/** As the API server says it. */
function refused(response: ServerResponse, { status, retryAfter }: Refusal): void {
  const reason = status === 429 ? 'TooManyRequests' : 'InternalError'
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message: 'chaos' }
  const headers = {
    'content-type': 'application/json',
    ...(retryAfter !== undefined && { 'retry-after': `${retryAfter}` }),
  }
  response.writeHead(status, headers).end(JSON.stringify(body))
}
