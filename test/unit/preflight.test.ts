/** What a pull request is told of its manifests before they are applied: pure, from texts to remarks and reports. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { readManifests } from '../../src/manifest.ts'
import { readSources } from '../../src/manifest-files.ts'
import { type PreflightOptions, preflight } from '../../src/preflight.ts'
import { type Format, inFormat, isGood } from '../../src/preflight-report.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'

const strict: PreflightOptions = { missingSecrets: 'error' }

/** Files by their names → what a preflight without Zendesk finds. */
function examine(files: Readonly<Record<string, string>>, options = strict, found = false) {
  const sources = Object.entries(files).map(([name, text]) => ({ name, text, found }))
  const manifests = readManifests(sources)
  const report = { connectors: preflight(manifests, options), problems: manifests.problems, offline: true }
  const remarks = [
    ...report.problems,
    ...report.connectors.flatMap(({ checks }) => checks.flatMap((one) => one.remarks)),
  ]
  return {
    isGood: isGood(report),
    /** `level file:line: message`. */
    told: remarks.map(({ level, message, place }) => `${level} ${place.file}:${place.line}: ${message}`),
    results: (name: string) =>
      Object.fromEntries(
        report.connectors.find((one) => one.name === name)?.checks.map((one) => [one.name, one.result]) ?? [],
      ),
    as: (format: Format) => inFormat(format, report),
  }
}

const acme = documents(secretYaml('acme'), connectorYaml())
const only = (text: string, options = strict) => examine({ 'acme.yaml': text }, options)

describe('a manifest', () => {
  it('that is right passes without a word', () => {
    const { isGood, told, results } = only(acme)
    expect(told).toEqual([])
    expect(isGood).toBe(true)
    expect(results('acme')).toEqual({
      Manifest: 'Passed',
      Name: 'Passed',
      Account: 'Passed',
      Sink: 'Passed',
      Secret: 'Passed',
    })
  })

  const wrong: [string, string, number, string][] = [
    [
      'an endpoint of somebody else',
      connectorYaml({ endpoint: 'evil.com' }),
      7,
      'spec.endpoint: must be the host of one',
    ],
    [
      'a field that does not exist',
      connectorYaml({ spec: { rateLimit: { rpm: 5 } } }),
      14,
      'Unknown field spec.rateLimit.rpm',
    ],
    ['a field beside the spec', `${connectorYaml()}specs: {}\n`, 13, 'Unknown field specs'],
    [
      'a sink too many',
      connectorYaml({ spec: { sync: { sink: { stdout: {}, file: { claimName: 'x' } } } } }),
      11,
      'exactly one sink',
    ],
    [
      'an unknown stream',
      connectorYaml({ spec: { sync: { streams: ['Users', 'Tickets'], sink: { stdout: {} } } } }),
      13,
      'spec.sync.streams.1',
    ],
    [
      'a stream twice',
      connectorYaml({ spec: { sync: { streams: ['Users', 'Users'], sink: { stdout: {} } } } }),
      11,
      'must not contain duplicates',
    ],
    [
      'a name that the API server refuses',
      connectorYaml({ name: 'Acme', endpoint: 'acme.zendesk.com', secret: 'acme-zendesk' }),
      4,
      'metadata.name: must be lower-case',
    ],
    [
      'an annotation that is no text',
      connectorYaml().replace('name: acme\n', 'name: acme\n  annotations: { x: 1 }\n'),
      5,
      'metadata.annotations.x',
    ],
    ['another version of the API', connectorYaml().replace('v1alpha1', 'v9'), 1, 'v9 is unknown'],
    ['a key that stands twice', `${connectorYaml()}kind: ZendeskConnector\n`, 13, 'Duplicate key'],
  ]
  it.each(wrong)('with %s is refused, with the line', (_, text, line, sentence) => {
    const { isGood, told } = examine({ 'acme.yaml': text }, { missingSecrets: 'warning' })
    expect(told.filter((one) => one.startsWith('error'))).toEqual([
      expect.stringMatching(new RegExp(`^error acme.yaml:${line}: .*${sentence.replaceAll('.', '\\.')}`)),
    ])
    expect(isGood).toBe(false)
  })

  it('of which much is wrong is told all of it, each thing at its own line', () => {
    const spec = { endpoint: 'evil.com', sinks: {}, sync: { interval: '1s', sink: {} } }
    const { told } = only(documents(secretYaml('acme'), connectorYaml({ spec })))
    expect(told.map((one) => /^error acme.yaml:(\d+)/.exec(one)?.[1])).toEqual(['16', '20', '21', '22'])
  })

  it('does not keep the others from being read, in its file or in another', () => {
    const { told, results } = examine({
      'a.yaml': documents('a: b: c\n', connectorYaml({ spec: { sinks: {} } }), acme.replaceAll('acme', 'globex')),
      'b.yaml': documents(secretYaml('initech'), connectorYaml({ name: 'initech' })),
    })
    expect(told.map((one) => one.split(': ')[0])).toEqual(['error a.yaml:1', 'error a.yaml:15'])
    expect(results('acme')).toMatchObject({ Manifest: 'Failed', Secret: 'Skipped' })
    expect(results('globex')).toMatchObject({ Manifest: 'Passed', Secret: 'Passed' })
    expect(results('initech')).toMatchObject({ Manifest: 'Passed', Secret: 'Passed' })
  })

  it('is read as Kubernetes reads it: anchors, merges, YAML 1.1', () => {
    const text = `${connectorYaml()}  suspend: off\n  rateLimit: { <<: *rate }\n`.replace(
      'metadata:\n',
      'metadata:\n  annotations: { at: &at 2026-11-23T08:00:00Z, also: *at }\n',
    )
    const shared = text
      .replace('spec:\n', 'spec:\n  connectionTest: {}\n')
      .replace('{ <<: *rate }', '{ requestsPerMinute: 0310 }')
    expect(only(documents(secretYaml('acme'), shared)).told).toEqual([])
  })

  it('of a List, as kubectl and kustomize print one, has its own line', () => {
    const items = [connectorYaml(), connectorYaml({ name: 'globex', endpoint: 'x' })].map((text) =>
      text.replaceAll(/^/gm, '    ').replace('    ', '  - '),
    )
    const { told } = only(`apiVersion: v1\nkind: List\nitems:\n${items.join('\n')}`, { missingSecrets: 'warning' })
    expect(told.find((one) => one.includes('spec.endpoint'))).toMatch(/^error acme.yaml:23: /)
  })

  it('that stands there twice is told where the other one is', () => {
    const { told } = examine({ 'a.yaml': acme, 'b.yaml': connectorYaml() })
    expect(told).toContain('error b.yaml:4: security/acme is also defined at a.yaml:10: remove or rename one.')
    expect(examine({ 'a.yaml': acme, 'b.yaml': connectorYaml({ namespace: 'other' }) }).told.join()).not.toContain(
      'also defined',
    )
  })
})

describe('a Secret', () => {
  const named = connectorYaml()
  const external = (more: object) =>
    stringify({
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'from-vault', namespace: 'security' },
      spec: { target: { name: 'acme-zendesk' }, ...more },
    })
  const sealed = (keys: readonly string[]) =>
    stringify({
      apiVersion: 'bitnami.com/v1alpha1',
      kind: 'SealedSecret',
      metadata: { name: 'acme-zendesk', namespace: 'security' },
      spec: { encryptedData: Object.fromEntries(keys.map((key) => [key, 'AgBy'])) },
    })

  it('that is not there is an error at the field that names it, a warning where it may come from elsewhere', () => {
    expect(only(named).told).toEqual([
      expect.stringMatching(/^error acme.yaml:9: The Secret acme-zendesk is not in the manifests/),
    ])
    const { told, isGood } = only(named, { missingSecrets: 'warning' })
    expect(told).toEqual([expect.stringMatching(/^warning acme.yaml:9: /)])
    expect(isGood).toBe(true)
  })

  it('of another namespace is not the one, but is pointed out', () => {
    const other = secretYaml('acme', undefined, 'other')
    expect(only(documents(other, named)).told[0]).toContain('(one exists in other, acme.yaml:1)')
  })

  it('that lacks a key is told which', () => {
    expect(only(documents(secretYaml('acme', { clientId: 'x', clientSecret: ' ' }), named)).told).toEqual([
      'error acme.yaml:1: The key clientSecret of the Secret acme-zendesk (acme.yaml:1) is missing or empty: add it.',
    ])
  })

  it('that something else will make is a warning, not an error', () => {
    const data = [{ secretKey: 'clientId' }, { secretKey: 'clientSecret' }]
    for (const maker of [external({ data }), sealed(['clientId', 'clientSecret'])]) {
      const { told, isGood } = only(documents(maker, named))
      expect(told).toEqual([expect.stringMatching(/^warning .* will be created by (ExternalSecret|SealedSecret)/)])
      expect(isGood).toBe(true)
    }
  })

  it('that something else will make without a key it needs is an error, as far as that can be read', () => {
    expect(only(documents(external({ data: [{ secretKey: 'clientId' }] }), named)).told[0]).toContain(
      'The key clientSecret of',
    )
    expect(only(documents(sealed(['clientSecret']), named)).told[0]).toContain('The key clientId of')
    expect(only(documents(external({ dataFrom: [{}] }), named)).told[0]).toContain(
      'with the keys clientId and clientSecret',
    )
  })

  it('that SOPS has encrypted is known by its keys', () => {
    const sops = `${secretYaml('acme')}sops: { mac: x }\n`
    expect(only(documents(sops, named)).told).toEqual([expect.stringMatching(/^warning .*created by SOPS/)])
  })

  it('with data that is no base64 is refused, and nothing of it is repeated', () => {
    const bad = stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'acme-zendesk', namespace: 'security' },
      data: { clientId: 'c4n4ry-plain', clientSecret: 'c4n4ry: [' },
    })
    const { told, isGood, as } = only(documents(bad, named))
    expect(told).toEqual([
      'error acme.yaml:7: Secret: data.clientId: must be base64: put plain text into stringData.',
      'error acme.yaml:8: Secret: data.clientSecret: must be base64: put plain text into stringData.',
    ])
    expect(isGood).toBe(false)
    for (const format of ['table', 'json', 'junit', 'github'] as const) expect(as(format)).not.toContain('c4n4ry')
    expect(only(bad.replace('clientId: c', 'clientId: "\\q c')).told.join()).not.toContain('c4n4ry')
  })
})

describe('what a connector stands beside', () => {
  it('is another of the same account: a warning with the sum of their rates', () => {
    const other = connectorYaml({ name: 'second', endpoint: 'acme.zendesk.com', secret: 'acme-zendesk' })
    const { told, isGood } = examine({ 'a.yaml': acme, 'b.yaml': other })
    expect(told[0]).toMatch(/^warning a.yaml:16: acme.zendesk.com is also the account of security\/second \(b.yaml:1\)/)
    expect(told[0]).toContain('their limits add up to 400 requests per minute')
    expect(isGood).toBe(true)
  })

  it('is the claim of its file sink: a note when it is not among the manifests', () => {
    const spec = { sync: { sink: { file: { claimName: 'data' } } } }
    const both = documents(secretYaml('acme'), connectorYaml({ spec }))
    expect(only(both).told).toEqual([
      expect.stringMatching(/^notice acme.yaml:22: The PersistentVolumeClaim data is not/),
    ])
    expect(only(documents(both, claimYaml('data'))).told).toEqual([])
  })

  it('is the Secret of its sink, with its keys', () => {
    const spec = { sync: { sink: { s3: { bucket: 'data', secretRef: { name: 'bucket-zendesk' } } } } }
    const both = documents(secretYaml('acme'), connectorYaml({ spec }))
    expect(only(both).told).toEqual([expect.stringContaining('The Secret bucket-zendesk is not in the manifests')])
    const keys = { accessKeyId: 'x' }
    expect(only(documents(both, secretYaml('bucket', keys))).told[0]).toContain('The key secretAccessKey of')
  })
})

it('the examples pass, all together', async () => {
  const sources = await readSources([join(import.meta.dirname, '..', '..', 'examples')])
  const { told, isGood } = examine(Object.fromEntries(sources.map(({ name, text }) => [name, text])))
  expect(told.filter((one) => !one.includes(' will be created by '))).toEqual([])
  expect(isGood).toBe(true)
})

describe('a folder', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'preflight-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('is read with all YAML and JSON below, each file once, hidden folders and links that lead round left out', async () => {
    for (const path of ['b/c', '.git']) await mkdir(join(folder, path), { recursive: true })
    for (const name of ['b/c/x.json', 'a.yaml', 'b/y.yml', '.git/z.yaml', 'b/notes.txt']) {
      await writeFile(join(folder, name), '{}')
    }
    await symlink(folder, join(folder, 'b', 'round'))
    const sources = await readSources([folder, join(folder, 'a.yaml')])
    expect(sources.map(({ name }) => name.slice(folder.length + 1))).toEqual(['a.yaml', 'b/c/x.json', 'b/y.yml'])
    expect(sources.map(({ found }) => found)).toEqual([false, true, true])
  })

  it('without any is misuse', async () => {
    await expect(readSources([folder])).rejects.toThrow(`${folder} contains no .yaml, .yml or .json file.`)
  })

  it('may hold templates of a chart: only those of ours must be YAML', () => {
    const template = 'kind: Deployment\nspec:\n{{- if .Values.x }}\n'
    expect(examine({ 'x.yaml': template, 'acme.yaml': acme }, strict, true)).toMatchObject({ isGood: true })
    expect(examine({ 'x.yaml': `# ZendeskConnector\n${template}` }, strict, true)).toMatchObject({ isGood: false })
    expect(examine({ 'x.yaml': template })).toMatchObject({ isGood: false })
  })
})

describe('the report', () => {
  const hostile = {
    'a,b:c%.yaml': connectorYaml({ namespace: 'x"<&>\u001b[2J\n::stop-commands::y', endpoint: '<&"\'>' }),
  }

  it('for GitHub is one command a line, with what would end a command or a property escaped', () => {
    const lines = examine(hostile).as('github').trimEnd().split('\n')
    expect(lines.at(-1)).toMatch(/^connector x"<&> \[2J ::stop-commands::y\/acme: Error$/)
    for (const line of lines.slice(0, -1)) {
      expect(line).toMatch(/^::error file=a%2Cb%3Ac%25\.yaml,line=\d+,col=\d+,title=[^:,]+::.+$/)
      expect(line).not.toContain('\u001b')
    }
  })

  it('for GitHub has no file where the manifests came by standard input', () => {
    expect(examine({ 'standard input': connectorYaml() }).as('github')).toMatch(/^::error title=[^:]+::The Secret/)
  })

  it('for test reports is well-formed XML: a suite for each connector, a case for each check', () => {
    const xml = examine({ ...hostile, 'b.yaml': 'a: b: c', 'c.yaml': acme.replaceAll('acme', 'globex') }).as('junit')
    expect(xml).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="zendesk-connector test">/)
    expect(elements(xml)).toEqual([
      'testsuites',
      'testsuite b.yaml',
      'testcase File',
      'failure',
      expect.stringContaining('testsuite x'),
      'testcase Manifest',
      'failure',
      'testcase Name',
      'testcase Account',
      'skipped',
      'testcase Sink',
      'skipped',
      'testcase Secret',
      'skipped',
      'testsuite security/globex',
      'testcase Manifest',
      'testcase Name',
      'testcase Account',
      'testcase Sink',
      'testcase Secret',
    ])
    expect(xml).toContain('tests="5" failures="1" errors="0" skipped="3"')
  })

  it('for people shows each thing that is wrong with its line, and nothing that a terminal obeys', () => {
    const table = examine(hostile).as('table')
    expect(table).toMatch(/^acme: Error$/m)
    expect(table).toMatch(/^Manifest +Failed +a,b:c%\.yaml:5: metadata\.namespace/m)
    expect(table + examine({ 'a.yaml': connectorYaml({ name: 'a\u001b[2J' }) }).as('table')).not.toContain('\u001b')
  })

  it('for machines says what, where and how bad', () => {
    const { passed, connectors, problems } = JSON.parse(
      examine({ 'a.yaml': connectorYaml(), 'b.yaml': 'a: b: c' }).as('json'),
    )
    expect(passed).toBe(false)
    expect(problems).toEqual([
      { level: 'error', message: 'Invalid YAML (BLOCK_AS_IMPLICIT_KEY).', file: 'b.yaml', line: 1, column: 4 },
    ])
    expect(connectors[0]).toMatchObject({
      name: 'acme',
      namespace: 'security',
      endpoint: 'acme.zendesk.com',
      passed: false,
    })
    expect(connectors[0].checks.at(-1)).toMatchObject({
      name: 'Secret',
      reason: 'SecretNotFound',
      remarks: [{ file: 'a.yaml', line: 9 }],
    })
  })
})

/** Names of the elements in their order; throws where a tag does not close what is open, or text is not escaped. */
function elements(xml: string): string[] {
  const seen: string[] = []
  const open: string[] = []
  const rest = xml
    .replace(/^<\?xml[^?]*\?>/, '')
    .replaceAll(/<(\/?)(\w+)((?: [\w]+="[^"<&]*(?:&\w+;[^"<&]*)*")*)(\/?)>/g, (_, close, name, attributes, single) => {
      if (close) {
        if (open.pop() !== name) throw new Error(`</${name}> closes nothing`)
      } else {
        const own = /^ name="([^"]*)"/.exec(attributes)?.[1]
        seen.push(own && name !== 'testsuites' ? `${name} ${own}` : name)
        if (!single) open.push(name)
      }
      return ''
    })
  if (open.length > 0 || /[<>]|&(?!(amp|lt|gt|quot|apos);)/.test(rest)) throw new Error(`this is not XML: ${rest}`)
  return seen
}
