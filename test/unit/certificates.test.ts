import { X509Certificate } from 'node:crypto'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createAuthority } from '../support/certificates.ts'

describe('an authority', () => {
  test('signs certificates that carry what Kubernetes reads a user and its groups from', async () => {
    const authority = await createAuthority('test')
    const pair = await authority.issue({ commonName: 'system:node:node-1', organizations: ['system:nodes', 'b'] })
    const certificate = new X509Certificate(pair.certPem)
    expect(certificate.subject.split('\n')).toEqual(['O=system:nodes', 'O=b', 'CN=system:node:node-1'])
    expect(certificate.checkIssued(new X509Certificate(authority.certPem))).toBe(true)
    expect(certificate.verify(new X509Certificate(authority.certPem).publicKey)).toBe(true)
  })

  test('is trusted by a TLS client for the names asked for, and for no other', async () => {
    const authority = await createAuthority('test')
    const { certPem: cert, keyPem: key } = await authority.issue({
      commonName: 'server',
      dnsNames: ['acme.zendesk.com'],
      ipAddresses: ['127.0.0.1'],
    })
    const server = createServer({ cert, key }, (_, response) => response.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const call = (servername: string, ca: string) =>
      new Promise<number | string | undefined>((resolve) => {
        const call = request({ port, host: '127.0.0.1', servername, ca, agent: false }, (r) => resolve(r.statusCode))
        call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)).end()
      })
    expect(await call('acme.zendesk.com', authority.certPem)).toBe(200)
    expect(await call('', authority.certPem)).toBe(200)
    expect(await call('other.zendesk.com', authority.certPem)).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await call('acme.zendesk.com', (await createAuthority('other')).certPem)).not.toBe(200)
    server.close()
  })

  test('its certificates were valid an hour ago, for clocks that differ, and end', async () => {
    const authority = await createAuthority('test')
    const { validFromDate, validToDate } = new X509Certificate((await authority.issue({ commonName: 'a' })).certPem)
    expect(validFromDate.getTime()).toBeLessThanOrEqual(Date.now() - 3_600_000)
    expect(validToDate.getTime()).toBeLessThanOrEqual(Date.now() + 11 * 86_400_000)
  })
})
