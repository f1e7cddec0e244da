import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { queryObjects } from 'node:v8'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadCluster } from '../../src/kube/cluster.ts'
import { createAuthority } from '../support/certificates.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kube-cluster-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function kubeconfig(cluster: object): Promise<string> {
  const file = join(folder, 'config')
  const config = {
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token: 'c4n4ry' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }
  await writeFile(file, JSON.stringify(config))
  return file
}

test('closing leaves no connection behind, not even one that is still being made', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const cluster = await loadCluster({ kubeconfig: await kubeconfig({ server: `https://127.0.0.1:${port}` }) })
  const call = cluster.request('GET', '/version')
  const [socket] = await accepted
  const began = performance.now()
  const closed = once(socket, 'close')
  await cluster.close()
  await expect(call).rejects.toMatchObject({ reason: 'Aborted' })
  await closed
  // undici alone holds on to it for ten seconds.
  expect(performance.now() - began).toBeLessThan(5_000)
  server.close()
})

test('a connection that is over is let go of: it would keep its buffers for as long as the process lives', async () => {
  const authority = await createAuthority('test')
  const { certPem, keyPem } = await authority.issue({ commonName: 'api', ipAddresses: ['127.0.0.1'] })
  const server = createHttpsServer({ cert: certPem, key: keyPem }, (_request, response) => {
    response.writeHead(200, { connection: 'close' }).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const trusted = Buffer.from(authority.certPem).toString('base64')
  const cluster = await loadCluster({
    kubeconfig: await kubeconfig({ server: `https://127.0.0.1:${port}`, 'certificate-authority-data': trusted }),
  })
  for (let call = 0; call < 30; call++) await cluster.request('GET', '/version')
  const kept = () => queryObjects(TLSSocket, { format: 'count' })
  await vi.waitUntil(() => kept() < 10, { timeout: 10_000 })
  await cluster.close()
  server.close()
}, 20_000)

test('a watch that meets what it cannot read takes nothing of what was read ahead: it would miss what is in between', async () => {
  const authority = await createAuthority('test')
  const { certPem, keyPem } = await authority.issue({ commonName: 'api', ipAddresses: ['127.0.0.1'] })
  const server = createHttpsServer({ cert: certPem, key: keyPem }, (_request, response) => {
    const line = (name: string) => `${JSON.stringify({ type: 'ADDED', object: name })}\n`
    response.writeHead(200, { 'content-type': 'application/json' })
    // Chunks that come with the headers wait for somebody to read them.
    for (const text of [line('a'), 'no JSON\n', line('b'), line('c')]) response.write(text)
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const trusted = Buffer.from(authority.certPem).toString('base64')
  const cluster = await loadCluster({
    kubeconfig: await kubeconfig({ server: `https://127.0.0.1:${port}`, 'certificate-authority-data': trusted }),
  })
  const seen: unknown[] = []
  const watch = cluster.watch('/watch', {
    signal: AbortSignal.timeout(10_000),
    stallMilliseconds: 10_000,
    onEvent: (event) => seen.push(event),
  })
  await expect(watch).rejects.toMatchObject({ reason: 'Malformed' })
  await cluster.close()
  expect(seen).toEqual([{ type: 'ADDED', object: 'a' }])
  server.close()
})

test('where nothing listens the error says so, and holds no token', async () => {
  const cluster = await loadCluster({ kubeconfig: await kubeconfig({ server: 'https://127.0.0.1:1' }) })
  await expect(cluster.request('GET', '/version')).rejects.toThrow(/^no connection to the API server \(ECONNREFUSED\)$/)
  await cluster.close()
})

test('each call is counted by its answer, and timed unless it is a watch', async () => {
  const server = createHttpServer((request, response) => {
    if (request.url?.startsWith('/gone')) response.writeHead(410).end('{}')
    else if (request.url?.includes('watch=true')) response.end('{"type":"BOOKMARK"}\n')
    else response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answered: string[] = []
  const took: { method: string; seconds: number }[] = []
  const cluster = await loadCluster(
    { kubeconfig: await kubeconfig({ server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true }) },
    {
      answered: ({ method, host, code }) => answered.push(`${method} ${host.replace(String(port), 'port')} ${code}`),
      took: ({ method, seconds }) => took.push({ method, seconds }),
    },
  )
  await cluster.request('POST', '/there', { body: {} })
  await expect(cluster.request('GET', '/gone')).rejects.toMatchObject({ reason: 'Gone' })
  await cluster.watch('/there', { signal: AbortSignal.timeout(10_000), stallMilliseconds: 5_000, onEvent: () => {} })
  server.closeAllConnections()
  server.close()
  await expect(cluster.request('GET', '/there')).rejects.toMatchObject({ reason: 'Network' })
  expect(answered).toEqual([
    'POST 127.0.0.1:port 200',
    'GET 127.0.0.1:port 410',
    'GET 127.0.0.1:port 200',
    'GET 127.0.0.1:port <error>',
  ])
  expect(took.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET'])
  for (const { seconds } of took) expect(seconds).toBeGreaterThan(0)
  await cluster.close()
})

test('a kubeconfig that cannot be used is refused, and not quoted', async () => {
  const file = await kubeconfig({ server: 'https://127.0.0.1:1', 'proxy-url': 'http://proxy:3128' })
  await expect(loadCluster({ kubeconfig: file })).rejects.toThrow('proxy-url is not supported')
  await writeFile(file, 'users: [{ token: c4n4ry')
  await expect(loadCluster({ kubeconfig: file })).rejects.toThrow(
    `kubeconfig ${file} cannot be read: it is not a kubeconfig`,
  )
  await writeFile(file, '{}')
  await expect(loadCluster({ kubeconfig: file })).rejects.toThrow(/cannot be read|has no cluster/)
})
