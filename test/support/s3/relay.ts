/** A relay in front of an S3 server: it counts what comes by, and answers or breaks off in the server's place. */
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Seen = { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }

/** Passed on; passed on and its answer cut off; or answered here, as a store or a proxy would. */
export type Play =
  | 'pass'
  | 'cut'
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }

export type Relay = {
  readonly endpoint: string
  /** All requests so far. */
  readonly seen: readonly Seen[]
  /** What becomes of each request from now on. */
  play(decide: (seen: Seen) => Play | Promise<Play>): void
  stop(): Promise<void>
}

/** Without a server behind it, whatever is passed on breaks off. */
export async function startRelay(to?: string): Promise<Relay> {
  const seen: Seen[] = []
  let decide: (seen: Seen) => Play | Promise<Play> = () => 'pass'
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers, rawHeaders } = incoming
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', async () => {
      const one = { method, url, headers }
      seen.push(one)
      const play = await decide(one)
      if (typeof play === 'object') return void outgoing.writeHead(play.status, play.headers).end(play.body)
      if (to === undefined) return void incoming.socket.destroy()
      const onward = request(new URL(url, to), { method, headers: rawHeaders }, (answer) => {
        if (play === 'cut') return void answer.resume().on('end', () => incoming.socket.destroy())
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(outgoing)
      })
      onward.on('error', () => incoming.socket.destroy())
      onward.end(Buffer.concat(chunks))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    play: (next) => {
      decide = next
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
