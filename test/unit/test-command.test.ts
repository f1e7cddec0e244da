/** `zendesk-connector test`: manifests in, verdict out, as a pull request's check runs it. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { parse } from 'yaml'
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
  [[], 'no cluster: name a kubeconfig'],
  [['--kubeconfig', '/nowhere'], 'kubeconfig /nowhere cannot be read: it is not there'],
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

const misuse: [string, string[], string, string][] = [
  ['no manifest', ['test'], '', "required option '-f, --filename <file>'"],
  ['an unknown option', ['test', '-f', '-', '--fast'], '', "unknown option '--fast'"],
  ['a file that is not there', ['test', '-f', '/nowhere.yaml'], '', '/nowhere.yaml cannot be read (ENOENT)'],
  ['text that is no YAML', fromInput, 'a: b: c', 'standard input is not YAML'],
  ['manifests without a connector', fromInput, secretYaml('acme'), 'standard input holds no ZendeskConnector'],
  [
    'a connector without its Secret',
    fromInput,
    connectorYaml(),
    'The Secret acme-zendesk of acme is not among the manifests',
  ],
  [
    'an endpoint that the API server would refuse',
    fromInput,
    connectorYaml({ endpoint: 'evil.com' }),
    'spec.endpoint: must be the address of one Zendesk account',
  ],
  ['a field that does not exist', fromInput, connectorYaml({ spec: { sinks: {} } }), 'unknown field spec.sinks'],
  [
    'an id without a secret',
    [...fromInput, '--client-id', 'x'],
    connectorYaml(),
    '--client-id and --client-secret-file go together',
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
    expect(error).toContain('must not carry a user or password')
    expect(error).not.toContain('canary')
  },
)

test.each([[[]], [['operator']], [['sync']], [['test']]])('%j --help says what it is for', async (args) => {
  const { code, out } = await run([...args, '--help'])
  expect(code).toBe(0)
  expect(out).toContain('Usage: zendesk-connector')
})
