/** The part of a kubelet's HTTPS server that `kubectl logs` needs. Only the API server's certificate is let in. */
import { open } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

/** Where to find a container's log, and whether it may still grow. */
export type Log = { readonly file: string; isGrowing(): boolean }

/** Certificates of the node, and how it finds a log. */
export type LogsOptions = {
  readonly caPem: string
  readonly certPem: string
  readonly keyPem: string
  find(namespace: string, pod: string, container: string): Log | undefined
}

const user = 'kube-apiserver-kubelet-client'

/** Serves logs on a free port of the loopback address. */
export async function serveLogs({
  caPem,
  certPem,
  keyPem,
  find,
}: LogsOptions): Promise<{ server: Server; port: number }> {
  const tls = { ca: caPem, cert: certPem, key: keyPem, requestCert: true, rejectUnauthorized: true }
  const server = createServer(tls, async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://node')
    const [, endpoint, namespace = '', pod = '', container = ''] = pathname.split('/')
    const isAllowed = (request.socket as TLSSocket).getPeerCertificate().subject.CN === user
    const log = endpoint === 'containerLogs' && isAllowed ? find(namespace, pod, container) : undefined
    if (!log) return response.writeHead(isAllowed ? 404 : 403).end()
    response.writeHead(200, { 'content-type': 'text/plain' }).flushHeaders()
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    try {
      for await (const chunk of read(log, searchParams, gone.signal)) response.write(chunk)
      response.end()
    } catch {
      response.destroy()
    }
  })
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

async function* read(log: Log, query: URLSearchParams, gone: AbortSignal): AsyncGenerator<Buffer> {
  await using file = await open(log.file)
  const tail = Number(query.get('tailLines') ?? Number.NaN)
  let position = 0
  if (!Number.isNaN(tail)) {
    const all = await file.readFile()
    yield lastLines(all, tail)
    position = all.length
  }
  while (!gone.aborted) {
    // Asked before reading: what was written before the end is then read after it.
    const isGrowing = log.isGrowing()
    const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, position)
    position += bytesRead
    if (bytesRead > 0) yield buffer.subarray(0, bytesRead)
    else if (query.get('follow') !== 'true' || !isGrowing) return
    else await delay(100)
  }
}

function lastLines(all: Buffer, count: number): Buffer {
  let start = all.length
  for (let lines = 0; lines < count && start > 0; lines++) start = all.lastIndexOf(0x0a, start - 2) + 1
  return all.subarray(start)
}
