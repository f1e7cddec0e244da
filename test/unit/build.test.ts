/** The program as it is shipped: complete by itself, the same each time, and quick to start. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Metafile } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from '../../scripts/bundle.ts'
import { startSimulator } from '../simulator/simulator.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'

let folder: string
let metafile: Metafile
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-'))
  // Twice at the same time, and not at the same depth: see the last test.
  const [first] = await Promise.all([bundle(join(folder, 'dist')), bundle(join(folder, 'elsewhere', 'again'))])
  metafile = first
}, 120_000)
afterAll(() => rm(folder, { recursive: true }))

/** Runs the bundle, which lies where no node_modules are. */
async function run(args: readonly string[], input = '', environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [join(folder, 'dist', 'main.js'), ...args], { env: environment })
  child.stdin.end(input)
  const code = new Promise<number | null>((resolve) => {
    child.once('exit', resolve)
  })
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, out, error }
}

/** The files that a source file makes the program read at once, without what is loaded when something needs it. */
function readAtOnce(source: string): string[] {
  const files = new Set<string>()
  const add = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    for (const { path, kind } of metafile.outputs[file]?.imports ?? []) if (kind !== 'dynamic-import') add(path)
  }
  add(Object.keys(metafile.outputs).find((file) => metafile.outputs[file]?.entryPoint === source) ?? source)
  return [...files].flatMap((file) => Object.keys(metafile.outputs[file]?.inputs ?? {}))
}

test('without node_modules it tells its commands, and tests a connection', async () => {
  const help = await run(['--help'])
  expect(help.out).toMatch(/operator.+sync.+test/s)

  const simulator = await startSimulator()
  simulator.account('acme')
  const environment = { HTTPS_PROXY: simulator.proxyUrl, NODE_EXTRA_CA_CERTS: simulator.caFile }
  const tested = await run(['test', '-f', '-'], documents(secretYaml('acme'), connectorYaml()), environment)
  await simulator.stop()
  expect(tested).toMatchObject({ code: 0, error: '' })
  expect(tested.out).toContain('acme  acme.zendesk.com: Connected')
})

test('each command is there: without what it needs it says so, in a sentence', async () => {
  const commands = [
    ['sync'],
    ['operator', '--image', 'x', '--metrics-bind-address', '127.0.0.1:0'],
    ['test', '-f', '/nowhere'],
  ]
  const said = await Promise.all(commands.map((args) => run(args)))
  expect(said.map(({ code }) => code)).toEqual([64, 64, 64])
  expect(said.map(({ error }) => error)).toEqual([
    expect.stringMatching(/^Invalid environment: RUN_ORDERS .+\n$/),
    expect.stringMatching(/^no cluster: .+\n$/),
    '/nowhere cannot be read (ENOENT).\n',
  ])
})

test('a sync run reads no library that it does not use', () => {
  const sources = [...readAtOnce('src/main.ts'), ...readAtOnce('src/sync-command.ts')]
  expect(sources).toContain('src/sync/engine.ts')
  const packages = new Set(sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []))
  for (const name of ['@kubernetes/client-node', '@aws-sdk/client-s3', 'prom-client', 'yaml']) {
    expect(packages).not.toContain(name)
  }
  expect(sources.filter((source) => /operator-command|controller|undici\/index|locales\/(?!en)/.test(source))).toEqual(
    [],
  )
})

test('the same sources make the same bytes, wherever they are written, and name whose they are', async () => {
  expect(await digests('elsewhere', 'again')).toEqual(await digests('dist'))
  const licenses = await readFile(join(folder, 'dist', 'LICENSES.txt'), 'utf8')
  expect(licenses).toMatch(/^undici \d.+\(MIT\)\n\nMIT License$/m)
})

/** What is in a folder, by name. */
async function digests(...path: string[]): Promise<Record<string, string>> {
  const names = (await readdir(join(folder, ...path))).sort()
  const digest = async (name: string) => {
    const content = await readFile(join(folder, ...path, name))
    return [name, createHash('sha256').update(content).digest('hex')] as const
  }
  return Object.fromEntries(await Promise.all(names.map(digest)))
}
