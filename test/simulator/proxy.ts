import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What becomes of a CONNECT. */
export type Decision =
  | { readonly kind: 'tunnel'; accept(socket: Socket): void }
  | { readonly kind: 'refuse'; readonly status: number }
  | { readonly kind: 'hangUp' }

/** A CONNECT proxy as companies have it: the only way to the simulated Zendesk, and to nothing else. */
export type Proxy = {
  readonly port: number
  stop(): Promise<void>
}

/**
 * Accepted sockets are handed over in the process instead of being piped into a second connection: that halves the
 * work, and whoever serves TLS on them can reset the client's own connection.
 */
export async function startProxy(
  host: string,
  port: number,
  decide: (target: string, socket: Socket) => Decision,
): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    // A plain request is somebody who believes this to be a server, or an http:// URL.
    decide(request.url ?? '', request.socket)
    response.writeHead(403, { 'content-type': 'text/plain' }).end('only CONNECT to *.zendesk.com:443\n')
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // Clients that were told to fail hang up at any time.
    socket.on('error', () => socket.destroy())
  })
  server.on('connect', (request, stream, head: Buffer) => {
    const socket = stream as Socket
    const decision = decide(request.url ?? '', socket)
    if (decision.kind === 'hangUp') return void socket.destroy()
    if (decision.kind === 'refuse') {
      const length = 'Content-Length: 0\r\nConnection: close\r\n'
      return void socket.end(`HTTP/1.1 ${decision.status} Refused\r\n${length}\r\n`)
    }
    socket.setNoDelay(true)
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    if (head.length > 0) socket.unshift(head)
    decision.accept(socket)
  })
  await listen(server, host, port)
  return {
    port: portOf(server),
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Listens, and fails as a rejection. */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
}

/** The port a listening server got. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
