/** `zendesk-connector test`: manifests in, verdict out, as a pull request's check runs it. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'

const program = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

let simulator: Simulator
let folder: string
beforeAll(async () => {
  simulator = await startSimulator()
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-'))
})
afterAll(async () => {
  await simulator.stop()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  simulator.account('acme')
})

async function run(args: readonly string[], input = '', environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [program, ...args], {
    env: {
      PATH: process.env.PATH,
      HTTPS_PROXY: simulator.proxyUrl,
      NODE_EXTRA_CA_CERTS: simulator.caFile,
      HOME: folder,
      ...environment,
    },
  })
  child.stdin.end(input)
  const code = new Promise<number | null>((resolve) => {
    child.once('exit', resolve)
  })
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, out, error }
}

const fromInput = ['test', '-f', '-']

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

test('a good connector passes: a table, exit 0', async () => {
  const path = await file('good.yaml', documents(secretYaml('acme'), connectorYaml()))
  const { code, out } = await run(['test', '-f', path])
  expect(code).toBe(0)
  expect(out).toContain('acme  acme.zendesk.com: Connected')
  expect(out).toMatch(/^CHECK +RESULT +REASON +MESSAGE$/m)
  expect(out).toMatch(/^AuditLogs +Passed$/m)
})

test('one that does not pass: exit 1, with the reason and what to do', async () => {
  const wrong = secretYaml('acme', { clientId: 'zendesk-connector', clientSecret: 'wrong' })
  const { code, out } = await run(fromInput, documents(wrong, connectorYaml()))
  expect(code).toBe(1)
  expect(out).toContain('acme.zendesk.com: Error (InvalidClient)')
  expect(out).not.toContain('wrong')
})

test('as JSON, for machines', async () => {
  const { code, out } = await run([...fromInput, '--output', 'json'], documents(secretYaml('acme'), connectorYaml()))
  expect(code).toBe(0)
  const { connectors } = JSON.parse(out)
  expect(connectors).toMatchObject([{ name: 'acme', endpoint: 'acme.zendesk.com', passed: true }])
  expect(connectors[0].checks).toContainEqual({ name: 'Admin', result: 'Passed' })
})

test('with the client given beside the manifests, as CI keeps it', async () => {
  const secret = await file('secret', 'acme-secret\n')
  const args = [...fromInput, '--client-id', 'zendesk-connector', '--client-secret-file', secret]
  expect(await run(args, connectorYaml())).toMatchObject({ code: 0 })
})

test('the List that kubectl get -o yaml prints is read as its items', async () => {
  const items = [secretYaml('acme'), connectorYaml()].map((text) => parse(text))
  expect(await run(fromInput, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))).toMatchObject({ code: 0 })
})

test.each([
  [[], 'no cluster: pass a kubeconfig'],
  [['--kubeconfig', '/nowhere'], 'kubeconfig /nowhere cannot be read: it does not exist'],
])('an operator without a cluster says so: %j', async (args, sentence) => {
  const { code, error } = await run(['operator', '--image', 'x', ...args])
  expect(error).toContain(sentence)
  expect(code).toBe(64)
})

test('several connectors: each is tested, one bad one is enough for exit 1', async () => {
  const manifests = documents(
    secretYaml('acme'),
    connectorYaml(),
    secretYaml('nobody'),
    connectorYaml({ name: 'nobody' }),
  )
  const { code, out } = await run(fromInput, manifests)
  expect(code).toBe(1)
  expect(out).toContain('acme.zendesk.com: Connected')
  expect(out).toContain('nobody.zendesk.com: Error (AccountNotFound)')
})

test('a folder is read with all that is below it', async () => {
  await mkdir(join(folder, 'apps', 'eu'), { recursive: true })
  simulator.account('globex')
  await file('apps/acme.yaml', documents(secretYaml('acme'), connectorYaml()))
  await file('apps/eu/globex.yml', documents(secretYaml('globex'), connectorYaml({ name: 'globex' })))
  await file('apps/README.md', 'no: manifest: at all')
  const { code, out } = await run(['test', '-f', join(folder, 'apps'), '-o', 'json'])
  expect(
    JSON.parse(out).connectors.map(({ name, passed }: { name: string; passed: boolean }) => [name, passed]),
  ).toEqual([
    ['acme', true],
    ['globex', true],
  ])
  expect(code).toBe(0)
})

test('accounts are tested side by side, connectors of one account one after another', async () => {
  const [acme, globex] = [simulator.account('acme'), simulator.account('globex')]
  const second = connectorYaml({ name: 'second', endpoint: 'acme.zendesk.com', secret: 'acme-zendesk' })
  const others = documents(secretYaml('globex'), connectorYaml({ name: 'globex' }))
  expect(await run(fromInput, documents(secretYaml('acme'), connectorYaml(), second, others))).toMatchObject({
    code: 0,
  })
  const requests = acme.ledger.requests()
  const [first = -1, next = -1] = requests.flatMap(({ method }, index) => (method === 'POST' ? [index] : []))
  expect([first, next]).toEqual([0, requests.length / 2])
  expect(globex.ledger.requests()[0]?.at).toBeLessThan(requests[next]?.at ?? 0)
})

test('several -f are one: the Secret may stand in another file than the connector', async () => {
  const [secret, one] = [await file('a-secret.yaml', secretYaml('acme')), await file('one.yaml', connectorYaml())]
  expect(await run(['test', '-f', one, '-f', secret])).toMatchObject({ code: 0 })
})

test('offline, Zendesk is not asked, and everything else is', async () => {
  const account = simulator.account('acme')
  const good = await run([...fromInput, '--offline'], documents(secretYaml('acme'), connectorYaml()))
  expect(good).toMatchObject({ code: 0, error: '' })
  expect(good.out).toContain('acme  acme.zendesk.com: Passed (Zendesk not tested)')
  const bad = await run([...fromInput, '--offline'], connectorYaml())
  expect(bad).toMatchObject({ code: 1 })
  expect(bad.out).toContain('The Secret acme-zendesk is not in the manifests')
  expect(await run([...fromInput, '--offline', '--allow-missing-secrets'], connectorYaml())).toMatchObject({ code: 0 })
  expect(account.ledger.count()).toBe(0)
})

test('a pull request is shown the line: annotations as GitHub reads them, exit 1', async () => {
  const path = await file('wrong.yaml', documents(secretYaml('acme'), connectorYaml({ spec: { sinks: {} } })))
  const { code, out } = await run(['test', '--offline', '-f', path, '-o', 'github'])
  expect(out).toContain(
    'line=22,col=3,title=security/acme%3A Manifest::Unknown field spec.sinks: remove or correct it.',
  )
  expect(code).toBe(1)
})

const wrong: [string, string, string][] = [
  ['text that is no YAML', 'a: b: c', 'standard input:1: Invalid YAML (BLOCK_AS_IMPLICIT_KEY).'],
  ['a connector without its Secret', connectorYaml(), 'to test it now use --client-id and --client-secret-file'],
  [
    'an endpoint that the API server would refuse',
    connectorYaml({ endpoint: 'evil.com' }),
    'standard input:7: spec.endpoint: must be the host of one Zendesk account',
  ],
]
test.each(wrong)('%s does not pass: exit 1, the line and one sentence', async (_, input, sentence) => {
  const { code, out } = await run(fromInput, input)
  expect(out).toContain(sentence)
  expect(code).toBe(1)
})

const misuse: [string, string[], string, string][] = [
  ['no manifest', ['test'], '', "required option '-f, --filename <path...>'"],
  ['an unknown option', ['test', '-f', '-', '--fast'], '', "unknown option '--fast'"],
  ['a file that is not there', ['test', '-f', '/nowhere.yaml'], '', '/nowhere.yaml cannot be read (ENOENT)'],
  ['manifests without a connector', fromInput, secretYaml('acme'), 'standard input: no ZendeskConnector found'],
  [
    'what means something offline only',
    [...fromInput, '--allow-missing-secrets'],
    connectorYaml(),
    '--allow-missing-secrets requires --offline',
  ],
  ['a cluster that nobody has named', ['status', 'acme'], '', 'No kubeconfig found: set --kubeconfig'],
  ['standard input twice', [...fromInput, '-f', '-'], connectorYaml(), 'Standard input can only be read once'],
  [
    'an id without a secret',
    [...fromInput, '--client-id', 'x'],
    connectorYaml(),
    '--client-id and --client-secret-file must be used together',
  ],
]
test.each(misuse)('%s is misuse: exit 64, and one sentence', async (_, args, input, sentence) => {
  const { code, error } = await run(args, input)
  expect(error).toContain(sentence)
  expect(code).toBe(64)
})

test.each(['http://me:canary@proxy:3128', 'me:canary@proxy:3128'])(
  'a proxy URL with a password is refused, and not repeated',
  async (url) => {
    const { code, error } = await run(fromInput, '', { HTTPS_PROXY: url })
    expect(code).toBe(64)
    expect(error).toContain('without user or password')
    expect(error).not.toContain('canary')
  },
)

test('status of a cluster that does not answer is one sentence, exit 1', async () => {
  const kubeconfig = await file('kubeconfig', deadKubeconfig)
  expect(await run(['status', 'acme', '--kubeconfig', kubeconfig])).toEqual({
    code: 1,
    out: '',
    error: 'Cannot query the cluster: no connection to the API server (ECONNREFUSED).\n',
  })
})

const deadKubeconfig = stringify({
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'u', user: {} }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'x',
})

test.each([[[]], [['operator']], [['sync']], [['test']], [['status']]])(
  '%j --help says what it is for',
  async (args) => {
    const { code, out } = await run([...args, '--help'])
    expect(code).toBe(0)
    expect(out).toContain('Usage: zendesk-connector')
  },
)
