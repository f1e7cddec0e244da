/** `zendesk-connector sync -f … --out …`: whole runs with no cluster, as processes, against the simulator. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/config.ts'
import type { Report } from '../../src/connector/run.ts'
import { type LocalSyncOptions, runLocalSync } from '../../src/local-sync-command.ts'
import type { AccountOptions } from '../simulator/options.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { connectorYaml, documents, secretYaml } from '../support/manifests.ts'

const program = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const acme = documents(secretYaml('acme'), connectorYaml())

let simulator: Simulator
let folder: string
let out: string
const children: ChildProcess[] = []
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-sync-'))
  out = join(folder, 'made', 'when', 'missing')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

type Ended = { code: number | null; out: string; error: string }

function start(args: readonly string[], manifests = acme) {
  const child = spawn(process.execPath, [program, 'sync', '-f', '-', ...args], {
    env: { PATH: process.env.PATH, HTTPS_PROXY: simulator.proxyUrl, NODE_EXTRA_CA_CERTS: simulator.caFile },
  })
  children.push(child)
  child.stdin.end(manifests)
  const code = once(child, 'exit').then(([exitCode]) => exitCode as number | null)
  const ended: Promise<Ended> = Promise.all([code, text(child.stdout), text(child.stderr)]).then(
    ([exitCode, stdout, stderr]) => ({ code: exitCode, out: stdout, error: stderr }),
  )
  return { ended, stop: (name: NodeJS.Signals) => void child.kill(name) }
}

const run = (args: readonly string[], manifests = acme) => start(['--out', out, ...args], manifests).ended

type Summary = Report & { readonly name: string; readonly files: string; readonly exitCode: number }
const summaries = ({ out: json }: Ended) => (JSON.parse(json) as { connectors: Summary[] }).connectors

async function runJson(...args: string[]): Promise<Summary> {
  const [only] = summaries(await run([...args, '-o', 'json', '--quiet']))
  if (only === undefined) throw new Error('no summary')
  return only
}

/** The source texts of a stream's records, in their order. */
async function recordsOf(stream: string, connector = 'security/acme'): Promise<string[]> {
  const at = join(out, connector, stream)
  const names = await readdir(at).catch(() => [])
  const files = await Promise.all(names.sort().map((name) => readFile(join(at, name))))
  return files
    .flatMap((bytes) => gunzipSync(bytes).toString().trimEnd().split('\n'))
    .map((line) => (JSON.parse(line) as { raw_data: string }).raw_data)
}

/** Until it holds. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Many pages, each of which takes a while. */
const slow: AccountOptions = { users: { count: 120, exportPageSize: 10 }, limit: { incremental: 1000 } }
function slowAccount() {
  const account = simulator.account('acme', slow)
  account.addFault({ path: 'incremental/users', effect: { kind: 'latency', milliseconds: 250 } })
  return account
}

describe('a run with no cluster', () => {
  test('brings in every record of all usual streams, and nothing again the next time', async () => {
    const account = simulator.account('acme', { users: { count: 250, exportPageSize: 100 } })
    const first = await runJson()
    expect(first).toMatchObject({ exitCode: 0, result: 'Succeeded', files: join(out, 'security', 'acme') })
    expect(first.streams.map(({ name }) => name)).toEqual([
      'Users',
      'DeletedUsers',
      'Groups',
      'GroupMemberships',
      'CustomRoles',
      'AuditLogs',
    ])
    expect(first.streams.every(({ complete }) => complete)).toBe(true)
    expect((await recordsOf('Users')).sort()).toEqual([...account.users()].sort())
    expect(await recordsOf('AuditLogs')).toHaveLength(200)

    const again = await runJson()
    expect(again).toMatchObject({ exitCode: 0, result: 'Succeeded', records: 0, slot: 2 })
    expect((await recordsOf('Users')).length).toBe(250)
  })

  test('ends with a table, and says that records do not go to the sink of the manifest', async () => {
    simulator.account('acme')
    const { code, out: table, error } = await run([])
    expect(code).toBe(0)
    expect(table).toMatch(/^acme {2}acme\.zendesk\.com: Succeeded$/m)
    expect(table).toMatch(/^STREAM +NEW +TOTAL +LATE +REQUESTS +BYTES +COMPLETE +NEWEST$/m)
    expect(table).toMatch(/^AuditLogs +200 +200 +0 +\d+ +\d+ kB +yes +20\d\d-/m)
    expect(table).toMatch(/^Total +/m)
    expect(table).toContain(`Records are in ${join(out, 'security', 'acme')}`)
    expect(error).toBe(`acme: records go to ${join(out, 'security', 'acme')} instead of the manifest's stdout sink.\n`)
  })

  test('takes snapshots anew when told so', async () => {
    simulator.account('acme')
    await runJson()
    const { streams } = await runJson('--resync')
    const published = Object.fromEntries(streams.map(({ name, published: count }) => [name, count]))
    expect(published).toMatchObject({ Users: 0, Groups: 3, CustomRoles: 4, AuditLogs: 0 })
  })

  test('runs several connectors one after another, or the one that is named', async () => {
    simulator.account('acme')
    simulator.account('globex')
    const globex = documents(secretYaml('globex'), connectorYaml({ name: 'globex' }))
    const both = documents(acme, globex)
    const all = summaries(await run(['-o', 'json'], both))
    expect(all.map(({ name, result }) => [name, result])).toEqual([
      ['acme', 'Succeeded'],
      ['globex', 'Succeeded'],
    ])
    const one = summaries(await run(['-o', 'json', '--connector', 'security/globex'], both))
    expect(one.map(({ name, slot }) => [name, slot])).toEqual([['globex', 2]])
  })

  test('publishes what was read when it is stopped, says so, and goes on from there', async () => {
    const account = slowAccount()
    const stopped = start(['--out', out])
    await until(() => account.ledger.requests('incremental/users').length >= 4)
    const since = performance.now()
    stopped.stop('SIGINT')
    const { code, out: table, error } = await stopped.ended
    expect(performance.now() - since).toBeLessThan(10_000)
    expect(code).toBe(0)
    expect(error).toContain('Stopping: publishing what was read')
    expect(table).toContain('acme.zendesk.com: Stopped')
    expect(table).toContain('run the same command again to continue')
    const before = await recordsOf('Users')
    expect(before.length).toBeGreaterThan(0)
    expect(before.length).toBeLessThan(120)

    account.clearFaults()
    expect(await runJson()).toMatchObject({ result: 'Succeeded' })
    expect((await recordsOf('Users')).sort()).toEqual([...account.users()].sort())
  })

  test('is fenced by another on the same folder, as pods are', async () => {
    const account = slowAccount()
    const first = start(['--out', out])
    await until(() => account.ledger.requests('incremental/users').length >= 2)
    const second = start(['--out', out])
    const checkpoint = join(out, 'security', 'acme', 'checkpoint')
    const holder = async () => {
      const latest =
        (await readdir(checkpoint))
          .filter((name) => !name.startsWith('.'))
          .sort()
          .at(-1) ?? ''
      const content = await readFile(join(checkpoint, latest), 'utf8').catch(() => '{}')
      return (JSON.parse(content) as { holder?: { slot: number } }).holder?.slot
    }
    await until(async () => (await holder()) === 2)
    first.stop('SIGTERM')
    expect(await first.ended).toMatchObject({
      code: 80,
      out: expect.stringContaining('Another process is working in this folder'),
    })
    second.stop('SIGTERM')
    expect(await second.ended).toMatchObject({ code: 0 })
  })
})

describe('what goes wrong', () => {
  test('a secret that Zendesk refuses: exit 77, one sentence, and the secret nowhere', async () => {
    simulator.account('acme')
    const wrong = secretYaml('acme', { clientId: 'zendesk-connector', clientSecret: 'canary-4711' })
    const { code, out: table, error } = await run([], documents(wrong, connectorYaml()))
    expect(code).toBe(77)
    expect(table).toContain('acme.zendesk.com: Failed (InvalidClient): ')
    const kept = await readdir(out, { recursive: true, withFileTypes: true })
    const files = kept.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const contents = await Promise.all(files.map((name) => readFile(name, 'latin1')))
    expect(files.length).toBeGreaterThan(0)
    expect([table, error, ...contents].join('\n')).not.toContain('canary')
  })

  test('one stream that Zendesk refuses: the others are there, exit 77', async () => {
    simulator.account('acme', { plan: 'team' })
    const sync = { streams: ['Users', 'AuditLogs'], sink: { stdout: {} } }
    const { code, out: table } = await run([], documents(secretYaml('acme'), connectorYaml({ spec: { sync } })))
    expect(code).toBe(77)
    expect(table).toMatch(/Failed \(PlanNotSupported\): .*AuditLogs/)
    expect(table).toMatch(/^Users +25 +25 .*yes/m)
    expect(table).toMatch(/^AuditLogs +0 +0 .*no$/m)
  })

  test.each([
    ['manifests without a folder', ['-f', '-'], '-f and --out must be used together.'],
    ['a folder without manifests', ['--out', '/tmp'], '-f and --out must be used together.'],
    [
      'a folder that cannot be made',
      ['-f', '-', '--out', '/dev/null/x'],
      '/dev/null/x is not writable (ENOTDIR): choose another folder with --out.',
    ],
  ])('%s: exit 64, and one sentence', async (_, args, sentence) => {
    const child = spawn(process.execPath, [program, 'sync', ...args], { env: { PATH: process.env.PATH } })
    child.stdin.end(acme)
    const [[code], error] = await Promise.all([once(child, 'exit'), text(child.stderr)])
    expect(error).toBe(`${sentence}\n`)
    expect(code).toBe(64)
  })

  const elsewhere = documents(acme, connectorYaml({ name: '../../acme' }))
  test.each<[string, string, Partial<LocalSyncOptions>, string]>([
    ['a connector that is not there', acme, { connector: 'x' }, 'no connector x, only security/acme.'],
    ['two connectors of one name', documents(acme, connectorYaml()), {}, 'The manifests contain security/acme twice'],
    ['a name that would lead out of the folder', elsewhere, {}, 'metadata.name: must be lower-case letters'],
    ['a connector without its Secret', connectorYaml(), {}, 'is not in the manifests'],
  ])('%s is misuse: one sentence', async (_, manifests, options, sentence) => {
    const filename = join(folder, 'manifests.yaml')
    await writeFile(filename, manifests)
    const refused = runLocalSync({ filename, out, output: 'table', quiet: true, ...options }, {})
    await expect(refused).rejects.toThrow(sentence)
    await expect(refused).rejects.toBeInstanceOf(UsageError)
  })

  test('a checkpoint that cannot be read: exit 64, and what to do', async () => {
    simulator.account('acme')
    const checkpoint = join(out, 'security', 'acme', 'checkpoint')
    await mkdir(checkpoint, { recursive: true })
    await writeFile(join(checkpoint, '999999999999.json'), '{}')
    const { code, error } = await run([])
    expect(error).toContain(`${checkpoint} contains no checkpoint that this version can read: remove it`)
    expect(code).toBe(64)
  })
})
