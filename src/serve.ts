/** What the operator serves over plain HTTP, at addresses of their own: nothing that is told there is a secret. */
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import { UsageError } from './config.ts'
import type { Metrics } from './metrics/metrics.ts'

/** Where to listen. */
export type BindAddress = { readonly host?: string; readonly port: number }

/** `address` is `host:port` as it is listened at. */
export type Server = { readonly address: string; close(): void }

/** Where to listen: `:8080`, `127.0.0.1:8080`, `[::1]:0`; undefined: nowhere. @throws UsageError. */
export function bindAddress(text: string): BindAddress | undefined {
  if (text === '0') return undefined
  const [, host = '', digits = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (digits === '' || Number(digits) > 65_535 || (bare !== '' && !isIP(bare))) {
    throw new UsageError(`${text} is not a valid listen address: use :8080, 127.0.0.1:8080, or 0 to disable.`)
  }
  return { ...(bare !== '' && { host: bare }), port: Number(digits) }
}

/** Listens; rejects with a UsageError that names `flag` when it cannot. */
export function serve(at: BindAddress, flag: string, listener: RequestListener): Promise<Server> {
  const server = createServer(listener)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UsageError(`Cannot listen on port ${at.port} (${error.code}): see ${flag}.`)),
    )
    server.listen(at, () => {
      const { address, port } = server.address() as AddressInfo
      resolve({
        address: `${address.includes(':') ? `[${address}]` : address}:${port}`,
        close: () => {
          server.closeAllConnections()
          server.close()
        },
      })
    })
  })
}

/** Serves `/metrics`, compressed for who accepts it: of ten thousand connectors it is tens of megabytes. */
export function serveMetrics(metrics: Metrics, at: BindAddress): Promise<Server> {
  return serve(at, '--metrics-bind-address', ({ url, headers }, response) => {
    if (url?.split('?')[0] !== '/metrics') return void response.writeHead(404).end('Not found: use /metrics.\n')
    const text = Readable.from(metrics.text(), { objectMode: false })
    const isCompressed = /\bgzip\b/.test(headers['accept-encoding'] ?? '')
    response.writeHead(200, {
      'content-type': metrics.contentType,
      ...(isCompressed && { 'content-encoding': 'gzip' }),
    })
    // Who goes away in the middle has what it wanted.
    const ended = () => undefined
    if (isCompressed) pipeline(text, createGzip({ level: constants.Z_BEST_SPEED }), response, ended)
    else pipeline(text, response, ended)
  })
}
