/**
 * A certificate authority for tests: the simulator's TLS, and the certificates a Kubernetes control plane and its
 * users need. Node reads certificates but cannot sign them, and @peculiar/x509 demands a polyfill of the global
 * Reflect beside it, so the few DER structures needed are written out here. Keys last for ten days.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv6 } from 'node:net'

/** A certificate and its private key, both as PEM text. */
export type KeyPair = { readonly certPem: string; readonly keyPem: string }

/** What a certificate shall say. Kubernetes reads the user from `commonName` and its groups from `organizations`. */
export type CertificateRequest = {
  readonly commonName: string
  readonly organizations?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
}

/** A certificate authority: its own certificate, for those who shall trust it, and the right to issue others. */
export type Authority = KeyPair & { issue(request: CertificateRequest): Promise<KeyPair> }

/** Makes a new self-signed authority. */
export async function createAuthority(commonName: string): Promise<Authority> {
  const keys = newKeys()
  const name = distinguishedName({ commonName })
  const keyId = keyIdentifier(keys.publicKey)
  const certificate = (subject: Buffer, publicKey: KeyObject, extensions: Buffer[]) =>
    signedCertificate({ issuer: name, subject, publicKey, signingKey: keys.privateKey, extensions })
  return {
    certPem: certificate(name, keys.publicKey, [
      extension('2.5.29.19', true, sequence(boolean(true))),
      extension('2.5.29.15', true, keyUsage(0b0000_0110)),
      extension('2.5.29.14', false, tagged(0x04, keyId)),
    ]),
    keyPem: pem(keys.privateKey),
    async issue(request) {
      const leaf = newKeys()
      const names = [
        ...(request.dnsNames ?? []).map((dnsName) => tagged(0x82, Buffer.from(dnsName, 'ascii'))),
        ...(request.ipAddresses ?? []).map((address) => tagged(0x87, addressBytes(address))),
      ]
      const certPem = certificate(distinguishedName(request), leaf.publicKey, [
        extension('2.5.29.19', true, sequence()),
        extension('2.5.29.15', true, keyUsage(0b1000_0000)),
        extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
        extension('2.5.29.35', false, sequence(tagged(0x80, keyId))),
        ...(names.length > 0 ? [extension('2.5.29.17', false, sequence(...names))] : []),
      ])
      return { certPem, keyPem: pem(leaf.privateKey) }
    },
  }
}

type Content = {
  issuer: Buffer
  subject: Buffer
  publicKey: KeyObject
  signingKey: KeyObject
  extensions: readonly Buffer[]
}

const hour = 3_600_000

function signedCertificate({ issuer, subject, publicKey, signingKey, extensions }: Content): string {
  const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'))
  const toBeSigned = sequence(
    tagged(0xa0, tagged(0x02, Buffer.of(2))),
    // A serial number is positive and without leading zeros: the first byte sees to both.
    tagged(0x02, Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    ecdsaWithSha256,
    issuer,
    sequence(time(new Date(Date.now() - hour)), time(new Date(Date.now() + 240 * hour))),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', toBeSigned, signingKey)
  const der = sequence(toBeSigned, ecdsaWithSha256, bitString(signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

const keyIdentifier = (key: KeyObject) =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()

function distinguishedName({ commonName, organizations = [] }: CertificateRequest): Buffer {
  const part = (type: string, value: string) =>
    tagged(0x31, sequence(oid(type), tagged(0x0c, Buffer.from(value, 'utf8'))))
  return sequence(...organizations.map((name) => part('2.5.4.10', name)), part('2.5.4.3', commonName))
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => text.split(':').filter(Boolean)
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}

// DER: a tag, the length, the bytes.
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content])
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content])
}

const sequence = (...items: readonly Buffer[]) => tagged(0x30, Buffer.concat(items))
const boolean = (value: boolean) => tagged(0x01, Buffer.of(value ? 0xff : 0))
const bitString = (bytes: Buffer, unusedBits = 0) => tagged(0x03, Buffer.concat([Buffer.of(unusedBits), bytes]))
const keyUsage = (bits: number) => bitString(Buffer.of(bits), Math.log2(bits & -bits))

const extension = (id: string, critical: boolean, value: Buffer) =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), tagged(0x04, value))

// UTCTime: YYMMDDhhmmssZ.
const time = (date: Date) =>
  tagged(0x17, Buffer.from(`${date.toISOString().replace(/\D/g, '').slice(2, 14)}Z`, 'ascii'))

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const septets = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    bytes.push(...septets)
  }
  return tagged(0x06, Buffer.from(bytes))
}
