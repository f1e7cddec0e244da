/**
 * Manifests that differ from a good one in a single field, by values at the edges of what is taken: what judges them on
 * the command line and what judges them in the API server must agree on each.
 */

const good = {
  endpoint: 'acme.zendesk.com',
  secretRef: { name: 'acme-zendesk' },
  sync: { sink: { stdout: {} } },
}

const durations = [
  '1m',
  '59s',
  '60s',
  '168h',
  '168h1s',
  '8760h',
  '8761h',
  '1h30m',
  '30m1h',
  '1h1h',
  '',
  'soon',
  '1m ',
  '90000ms',
  '1.5h',
  '007m',
  5,
  null,
]
const objectNames = ['x', 'a.b', 'a..b', '-a', 'a-', 'A', '', 'a'.repeat(253), 'a'.repeat(254), 'a_b', 'é', 7, null]
const texts = (longest: number) => [
  'x',
  'a'.repeat(longest),
  'a'.repeat(longest + 1),
  'é'.repeat(longest),
  '😀'.repeat(longest),
  ' ',
  '',
]
const bare = (values: readonly unknown[], field: string) => [
  ...values.map((value) => ({ [field]: value })),
  {},
  null,
  'x',
  [],
]

const sinks = [
  ...bare(objectNames, 'claimName').map((file) => ({ file })),
  ...[
    ...['data', 'Data', 'a', 'ab', 'abc', 'a_b', '-ab', 'a'.repeat(63), 'a'.repeat(64), null].map((bucket) => ({
      bucket,
    })),
    ...['a', 'a/b', '/a', 'a/', 'a b', 'a\tb', 'a\u00a0b', '\u00a0a', '', 'a'.repeat(512), 'a'.repeat(513), null].map(
      (prefix) => ({
        prefix,
      }),
    ),
    ...['x', '', 'a'.repeat(65), null].map((region) => ({ region })),
    ...[
      'https://x:9000',
      'http://x',
      'https://x/',
      'https://u@x',
      'ftp://x',
      'https://',
      'x',
      'https://x?y',
      'https://[::1]:9000',
      'HTTPS://x',
      'https://x\ny',
    ].map((endpoint) => ({ endpoint })),
    ...[true, 'yes', null].map((pathStyle) => ({ pathStyle })),
    ...[{ name: 'x' }, { name: '' }, {}, null].map((secretRef) => ({ secretRef })),
    { nothing: 1 },
  ].map((more) => ({ s3: { bucket: 'data', ...more } })),
  ...[
    ...[
      'https://x/y',
      'https://x/y?z=1',
      'https://x/y#z',
      'https://u:p@x/',
      'https://x/a b',
      'ftp://x',
      '',
      `https://x/${'a'.repeat(1014)}`,
      `https://x/${'a'.repeat(1015)}`,
      null,
    ].map((url) => ({ url })),
    ...['NDJSON', 'JSONArray', 'SplunkHEC', 'ndjson', null].map((format) => ({ format })),
    ...[true, false, 1, null].map((gzip) => ({ gzip })),
    { acknowledge: true },
    { acknowledge: true, format: 'SplunkHEC' },
    { acknowledge: null },
  ].map((more) => ({ http: { url: 'https://x/', ...more } })),
  { stdout: {} },
  { stdout: null },
  { stdout: { x: 1 } },
  { stdout: {}, file: { claimName: 'x' } },
  { stdout: {}, file: null },
  { http: {} },
  { kafka: {} },
  {},
  null,
]

const specs: readonly object[] = [
  ...[...texts(128), 7, null].map((displayName) => ({ displayName })),
  ...[
    'acme.zendesk.com',
    'a.zendesk.com',
    `${'a'.repeat(63)}.zendesk.com`,
    `${'a'.repeat(64)}.zendesk.com`,
    'acme.zendesk.com\n',
    'acme.zendesk.com.',
    'Acme.zendesk.com',
    'a-.zendesk.com',
    'evil.com',
    '',
    null,
    7,
  ].map((endpoint) => ({ endpoint })),
  ...[...objectNames.map((name) => ({ name })), {}, null, 'x', { name: 'x', key: 'y' }].map((secretRef) => ({
    secretRef,
  })),
  ...bare([10, 9, 2500, 2501, 10.5, 20.0, '20', null, 1e30], 'requestsPerMinute').map((rateLimit) => ({ rateLimit })),
  ...bare(durations, 'interval').map((connectionTest) => ({ connectionTest })),
  ...[true, false, 'yes', 0, null].map((suspend) => ({ suspend })),
  ...durations.map((interval) => ({ sync: { ...good.sync, interval } })),
  ...durations.map((lookback) => ({ sync: { ...good.sync, lookback } })),
  ...[
    ['Users'],
    ['Users', 'Users'],
    ['users'],
    [],
    ['AccessLogs', 'OAuthClients', 'OAuthTokens'],
    [null],
    [7],
    'Users',
    null,
  ].map((streams) => ({ sync: { ...good.sync, streams } })),
  ...[
    ['email'],
    ['email', 'email'],
    ['id'],
    [''],
    ['a'.repeat(64)],
    ['a'.repeat(65)],
    Array.from({ length: 32 }, (_, n) => `f${n}`),
    Array.from({ length: 33 }, (_, n) => `f${n}`),
    [7],
    {},
    null,
  ].map((redact) => ({ sync: { ...good.sync, redact } })),
  ...sinks.map((sink) => ({ sync: { sink } })),
  { sync: {} },
  { sync: null },
  { sink: {} },
  { constructor: {} },
]

const metadatas: readonly object[] = [
  ...['a.b', 'a..b', '-a', 'A', 'a_b', 'a'.repeat(63), 'a'.repeat(64), '', null, 7].map((name) => ({ name })),
  ...[{ x: 'y' }, { x: 7 }, { x: true }, { x: null }, null].map((annotations) => ({ annotations })),
  ...[{ x: 'y' }, { x: 7 }, null].map((labels) => ({ labels })),
  { creator: 'me' },
]

const API_VERSION = 'cloudapps.security/v1alpha1'
const manifest = (metadata: object, spec: unknown, more: object = {}) => ({
  apiVersion: API_VERSION,
  kind: 'ZendeskConnector',
  metadata: { name: 'acme', namespace: 'security', ...metadata },
  spec,
  ...more,
})

export const manifestVariants: readonly object[] = [
  manifest({}, good),
  ...specs.map((spec) => manifest({}, { ...good, ...spec })),
  ...metadatas.map((metadata) => manifest(metadata, good)),
  ...[null, {}, [], 'x'].map((spec) => manifest({}, spec)),
  manifest({}, good, { specs: {} }),
  manifest({}, good, { status: { connection: 'Connected' } }),
]
