/** The service account of a pod, against a real TLS server: which token is borne, and which authority is trusted. */
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, get, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serviceAccountAccess } from '../../src/kube/access.ts'
import { kubeconfigAccess } from '../../src/kube/kubeconfig.ts'
import { createAuthority } from '../support/certificates.ts'
import { writeKubeconfig } from '../support/cluster/kubeconfig.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kube-access-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** As the kubelet does it: a reader sees the old file or the new one. */
async function replace(name: string, content: string): Promise<void> {
  await writeFile(join(folder, `.${name}`), content)
  await rename(join(folder, `.${name}`), join(folder, name))
}

/** An API server that answers with the authorization it was shown; `authority` is who signed for it. */
async function startServer(): Promise<{ server: Server; port: string; authority: string }> {
  const authority = await createAuthority('test')
  const { certPem: cert, keyPem: key } = await authority.issue({ commonName: 'api', ipAddresses: ['127.0.0.1'] })
  const server = createServer({ cert, key }, ({ headers }, response) => response.end(headers.authorization))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { server, port: String((server.address() as AddressInfo).port), authority: authority.certPem }
}

async function ask(access: Awaited<ReturnType<typeof serviceAccountAccess>>): Promise<string> {
  const { headers, tls } = await access.credentials()
  return new Promise((resolve, reject) => {
    get(`${access.server}/version`, { headers, ...tls, agent: false }, (answer) => resolve(text(answer))).on(
      'error',
      reject,
    )
  })
}

const pod = (port?: string, host = '127.0.0.1') => ({
  KUBERNETES_SERVICE_HOST: host,
  ...(port !== undefined && { KUBERNETES_SERVICE_PORT: port }),
})

test('a pod bears the token and trusts the authority of its folder, and takes both up as they are replaced', async () => {
  const first = await startServer()
  await replace('token', 'one\n')
  await replace('ca.crt', first.authority)
  const access = await serviceAccountAccess(pod(first.port), folder)
  expect(await ask(access)).toBe('Bearer one')

  await replace('token', 'two')
  expect(await ask(access)).toBe('Bearer two')

  const second = await startServer()
  await replace('ca.crt', second.authority)
  await expect(ask(access)).rejects.toThrow(/certificate/)
  expect(await ask(await serviceAccountAccess(pod(second.port), folder))).toBe('Bearer two')
  first.server.close()
  second.server.close()
})

test('a kubeconfig with a token file bears what stands in the file now, also when it is replaced from one call to the next', async () => {
  const { server, port, authority } = await startServer()
  const kubeconfig = join(folder, 'kubeconfig')
  await writeKubeconfig(kubeconfig, { server: `https://127.0.0.1:${port}`, caPem: authority, tokenFile: 'token' })
  await replace('token', 'one\n')
  const access = kubeconfigAccess(kubeconfig)
  expect(await ask(access)).toBe('Bearer one')
  await replace('token', 'two')
  expect(await ask(access)).toBe('Bearer two')
  server.close()
})

test('an API server may have an IPv6 address, and its port is 443 where none is given', async () => {
  await replace('token', 'one')
  await replace('ca.crt', 'PEM')
  const { server } = await serviceAccountAccess(pod('6443', 'fd00::1'), folder)
  expect(server).toBe('https://[fd00::1]:6443')
  expect((await serviceAccountAccess(pod(), folder)).server).toBe('https://127.0.0.1:443')
})

test('a pod without a service account is told what it needs', async () => {
  await replace('token', 'c4n4ry')
  await expect(serviceAccountAccess(pod('443'), folder)).rejects.toThrow(
    `no cluster: token and ca.crt in ${folder} cannot be read (ENOENT); the pod needs automountServiceAccountToken: true`,
  )
  await expect(serviceAccountAccess({}, folder)).rejects.toThrow('KUBERNETES_SERVICE_HOST is not set')
})
