/** The resource as kubectl shows it, documents it, and refuses what is wrong. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readManifests } from '../../src/manifest.ts'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { manifestVariants } from '../support/manifest-variants.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'

const root = join(import.meta.dirname, '..', '..')
let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ name: 'resource', images: {}, node: 'none' })
  await cluster.kubectl('create', 'namespace', 'security')
  await cluster.kubectl('apply', '-f', join(root, 'crds', 'zendeskconnectors.yaml'))
  await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
})
afterAll(() => cluster?.stop())

const apply = (yaml: string, ...flags: string[]) => cluster.kubectlWithInput(yaml, 'apply', '-f', '-', ...flags)

const endpoints = [
  'evil.example.com',
  'acme.zendesk.com.evil.com',
  'acme.zendesk.com/x',
  'user@acme.zendesk.com',
  'a.b.zendesk.com',
  'ACME.zendesk.com',
  'https://acme.zendesk.com',
  'acme.zendesk.com:443',
  '-acme.zendesk.com',
  'acme_x.zendesk.com',
  '.zendesk.com',
  '',
]
test.each(endpoints)('the endpoint "%s" is refused at apply, with a sentence that helps', async (endpoint) => {
  await expect(apply(connectorYaml({ name: 'acme', endpoint }), '--dry-run=server')).rejects.toThrow(
    'must be the host of one Zendesk account in lower case, such as acme.zendesk.com',
  )
})

test.each(['acme.zendesk.com', 'acme-2.zendesk.com', 'a.zendesk.com'])(
  'the endpoint %s is accepted',
  async (endpoint) => {
    await expect(apply(connectorYaml({ name: 'accepted', endpoint }), '--dry-run=server')).resolves.toContain('created')
  },
)

const usual = ['Users', 'DeletedUsers', 'Groups', 'GroupMemberships', 'CustomRoles', 'AuditLogs']
const s3 = (more: object) => ({ sync: { sink: { s3: { bucket: 'data', ...more } } } })
const http = (more: object) => ({ sync: { sink: { http: { url: 'https://siem.example.com/in', ...more } } } })

test.each([
  ['s3', s3({ prefix: 'a/b', endpoint: 'http://minio.storage.svc:9000', pathStyle: true, secretRef: { name: 'x' } })],
  ['http', http({ format: 'SplunkHEC', acknowledge: true, secretRef: { name: 'x' } })],
  ['redacted', { sync: { redact: ['email', 'phone'], sink: { stdout: {} } } }],
])('%s is accepted', async (name, spec) => {
  await expect(apply(connectorYaml({ name, spec }), '--dry-run=server')).resolves.toContain('created')
})

const refused: [string, object, string][] = [
  ['no sink', { sync: { sink: {} } }, 'must name exactly one sink: file, s3, http or stdout'],
  [
    'two sinks',
    { sync: { sink: { stdout: {}, file: { claimName: 'x' } } } },
    'must name exactly one sink: file, s3, http or stdout',
  ],
  [
    'an interval below a minute',
    { sync: { interval: '30s', sink: { stdout: {} } } },
    'must be a duration from 1m to 168h',
  ],
  [
    'an interval that is none',
    { sync: { interval: 'soon', sink: { stdout: {} } } },
    'must be a duration from 1m to 168h',
  ],
  ['a bucket that is none', s3({ bucket: 'Data!' }), 'must be a valid bucket name'],
  ['a prefix with a slash at its end', s3({ prefix: 'a/' }), 'must not start or end with a slash'],
  [
    'an endpoint with a path',
    s3({ endpoint: 'https://x.example.com/path' }),
    'must be a scheme, a host and optionally a port',
  ],
  ['a password in a URL', http({ url: 'https://me:secret@siem.example.com/' }), 'put credentials into the Secret'],
  ['acknowledgements of no Splunk', http({ acknowledge: true }), 'acknowledge requires the format SplunkHEC'],
  ['redacted ids', { sync: { redact: ['id'], sink: { stdout: {} } } }, 'which every record needs'],
  ['an unknown stream', { sync: { streams: ['Tickets'], sink: { stdout: {} } } }, 'Unsupported value: "Tickets"'],
  ['a stream twice', { sync: { streams: ['Users', 'Users'], sink: { stdout: {} } } }, 'Duplicate value'],
  ['too low a rate', { rateLimit: { requestsPerMinute: 5 } }, 'should be greater than or equal to 10'],
  ['a field that does not exist', { sink: {} }, 'unknown field "spec.sink"'],
]
test.each(refused)('%s is refused', async (_, spec, sentence) => {
  await expect(apply(connectorYaml({ spec }), '--dry-run=server')).rejects.toThrow(sentence)
})

test('a name that is too long for a label is refused', async () => {
  await expect(
    apply(connectorYaml({ name: 'a'.repeat(64), endpoint: 'acme.zendesk.com' }), '--dry-run=server'),
  ).rejects.toThrow('63 characters')
})

/** What `zendesk-connector test --offline` has against a manifest. */
function preflight(manifest: object): string[] {
  const { connectors } = readManifests([{ name: 'x', text: JSON.stringify(manifest), found: false }])
  return connectors.flatMap(({ wrong }) => wrong.map(({ message }) => message))
}

test(`the command line refuses what the API server refuses, and nothing else: ${manifestVariants.length} manifests`, async () => {
  const path = '/apis/cloudapps.security/v1alpha1/namespaces/security/zendeskconnectors'
  const differing: string[] = []
  for (const manifest of manifestVariants) {
    const server = await cluster.api
      .request('POST', `${path}?dryRun=All&fieldValidation=Strict`, { body: manifest })
      .then(
        () => [],
        (error: unknown) => [String(error).slice(0, 300)],
      )
    const ours = preflight(manifest)
    if (ours.length > 0 !== server.length > 0) differing.push(JSON.stringify({ manifest, ours, server }))
  }
  expect(differing).toEqual([])
})

test('another endpoint is another connector', async () => {
  await apply(connectorYaml({ name: 'settled' }))
  await expect(apply(connectorYaml({ name: 'settled', endpoint: 'other.zendesk.com' }))).rejects.toThrow(
    'create another connector for another account',
  )
})

test('defaults are filled in by the API server, so that GitOps sees no drift', async () => {
  await apply(connectorYaml({ name: 'plain' }))
  const served = JSON.parse(await cluster.kubectl('get', 'zdc', 'plain', '-n', 'security', '-o', 'json'))
  expect(served.spec).toEqual({
    endpoint: 'plain.zendesk.com',
    secretRef: { name: 'plain-zendesk' },
    rateLimit: { requestsPerMinute: 200 },
    connectionTest: { interval: '1h' },
    sync: { interval: '15m', lookback: '168h', streams: usual, sink: { stdout: {} }, redact: [] },
    suspend: false,
  })
  await expect(apply(connectorYaml({ name: 'plain' }))).resolves.toContain('unchanged')
})

test('what kubectl get -o yaml prints is as good as what was applied', async () => {
  await apply(connectorYaml({ name: 'printed', annotations: { 'cloudapps.security/test-requested-at': 'now' } }))
  const text = await cluster.kubectl('get', 'zdc', '-n', 'security', '-o', 'yaml', '--show-managed-fields')
  const { connectors, problems } = readManifests([{ name: 'x', text, found: false }])
  expect(connectors.map(({ name }) => name)).toContain('printed')
  expect([...problems, ...connectors.flatMap(({ wrong }) => wrong)]).toEqual([])
})

test('kubectl get shows the columns, and more of them when asked', async () => {
  await apply(connectorYaml({ name: 'columns' }))
  const header = async (...flags: string[]) =>
    (await cluster.kubectl('get', 'zdc', '-n', 'security', ...flags)).split('\n')[0]?.split(/\s+/)
  const columns = ['NAME', 'STATUS', 'READY', 'REASON', 'LAST-TEST', 'LAST-SYNC', 'AGE']
  expect(await header()).toEqual(columns)
  expect(await header('-o', 'wide')).toEqual([...columns, 'ENDPOINT', 'SUSPENDED', 'MESSAGE'])
  // With another kind in the category it would name both.
  expect(await cluster.kubectl('get', 'cloudapps', '-n', 'security', '-o', 'name')).toContain(
    'zendeskconnector.cloudapps.security/columns',
  )
})

test('kubectl explain reads as documentation: every field says what it is for', async () => {
  const explained = await cluster.kubectl('explain', 'zendeskconnector.spec', '--recursive')
  expect(explained).toContain('requestsPerMinute')
  const crd = JSON.parse(await cluster.kubectl('get', 'crd', 'zendeskconnectors.cloudapps.security', '-o', 'json'))
  const undocumented: string[] = []
  const look = (
    path: string,
    schema: { description?: string; properties?: Record<string, object>; items?: object },
  ) => {
    if (path !== 'spec' && schema.description === undefined) undocumented.push(path)
    for (const [name, one] of Object.entries(schema.properties ?? {})) look(`${path}.${name}`, one)
  }
  look('spec', crd.spec.versions[0].schema.openAPIV3Schema.properties.spec)
  expect(undocumented).toEqual([])
})

test('documents of several kinds can be applied at once', async () => {
  await expect(apply(documents(secretYaml('many'), connectorYaml({ name: 'many' })))).resolves.toContain('many created')
})
