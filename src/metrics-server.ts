/** Serves `/metrics` over plain HTTP: what is told there is no secret. */
import { createServer } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { UsageError } from './config.ts'
import type { Metrics } from './metrics.ts'

export type MetricsServer = { readonly address: string; close(): void }

/** Where to listen: `:8080`, `127.0.0.1:8080`, `[::1]:0`; undefined: nowhere. @throws UsageError. */
export function bindAddress(text: string): { readonly host?: string; readonly port: number } | undefined {
  if (text === '0') return undefined
  const [, host = '', digits = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (digits === '' || Number(digits) > 65_535 || (bare !== '' && !isIP(bare))) {
    throw new UsageError(`${text} is not an address to listen at: write :8080, 127.0.0.1:8080, or 0 for none.`)
  }
  return { ...(bare !== '' && { host: bare }), port: Number(digits) }
}

/** Listens; rejects with a UsageError when it cannot. */
export function serveMetrics(
  metrics: Metrics,
  at: { readonly host?: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer(async (request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') return void response.writeHead(404).end('Look at /metrics.\n')
    response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.text())
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UsageError(`Metrics cannot be served at port ${at.port} (${error.code}): see --metrics-bind-address.`),
      ),
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
