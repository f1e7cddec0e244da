/** A client secret must be found nowhere but in its Secret. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { type Operator, type Stage, startStage } from '../support/stage.ts'

const CANARY = 'canary-4f6b1c9e'
/** In a Secret that no connector names: the operator only ever sees its metadata go by. */
const BYSTANDER = 'bystander-7a20d3f5'
const encoded = (secret: string) => Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1)

let stage: Stage
let operator: Operator
beforeAll(async () => {
  stage = await startStage({ name: 'canary' })
  operator = await stage.startOperator({
    LOG_LEVEL: 'trace',
    NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${join(stage.cluster.folder, 'logs')}`,
  })
})
afterAll(() => stage?.stop())

/** Every place in which the text was found. */
async function placesOf(secret: string, places: ReadonlyMap<string, string>): Promise<string[]> {
  return [...places]
    .filter(([, text]) => text.includes(secret) || text.includes(encoded(secret)))
    .map(([place]) => place)
}

async function filesBelow(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    found.set(path, (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'))
  }
  return found
}

/** All live strings of the operator: Node writes them to a file when it is told to, after collecting what is dead. */
async function heap(): Promise<string> {
  const folder = join(stage.cluster.folder, 'logs')
  const snapshots = async () => (await readdir(folder)).filter((name) => name.endsWith('.heapsnapshot')).sort()
  const before = await snapshots()
  operator.process.kill('SIGUSR2')
  const fresh = async () => (await snapshots()).find((name) => !before.includes(name))
  await expect.poll(fresh, { timeout: 60_000 }).toBeDefined()
  const text = async () => readFile(join(folder, (await fresh()) ?? ''), 'utf8')
  // Written in pieces: what ends as JSON does is whole.
  const whole = async () => (await text()).trimEnd().endsWith('}')
  await expect.poll(whole, { timeout: 60_000, interval: 500 }).toBe(true)
  const found = await text()
  expect(found).toContain('bystander-zendesk')
  return found
}

test('not in logs, statuses, Events, Jobs, pods, ConfigMaps, arguments, environments or the sink; nor in the operator’s memory', async () => {
  const account = stage.simulator.account('bird', {
    clients: [{ clientId: 'zendesk-connector', clientSecret: CANARY }],
    activities: { lastSevenDays: 400 },
  })
  account.addFault({ path: 'audit_logs.+size.+100', effect: { kind: 'latency', milliseconds: 500 } })
  const spec = { sync: { sink: { file: { claimName: 'bird-data' } } } }
  const good = { clientId: 'zendesk-connector', clientSecret: CANARY }
  await stage.apply(secretYaml('bystander', { clientId: 'x', clientSecret: BYSTANDER }))
  await stage.apply(
    documents(
      claimYaml('bird-data'),
      secretYaml('bird', { ...good, clientSecret: `${CANARY}-wrong` }),
      connectorYaml({ name: 'bird', spec }),
    ),
  )
  await stage.until('bird', ({ status }) => status?.connection === 'Error')
  await stage.apply(secretYaml('bird', good))
  await expect.poll(() => account.ledger.requests('audit_logs').length, { timeout: 60_000 }).toBeGreaterThan(3)
  const processes = new Map<string, string>()
  for (const pid of await readdir('/proc').catch(() => [])) {
    for (const file of /^\d+$/.test(pid) ? ['cmdline', 'environ'] : []) {
      processes.set(`/proc/${pid}/${file}`, await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''))
    }
  }
  await stage.until('bird', ({ status }) => status?.sync?.lastRun?.result === 'Succeeded', { seconds: 60 })

  const objects = await stage.cluster.kubectl(
    'get',
    'zdc,events,jobs,pods,configmaps,serviceaccounts,roles,rolebindings',
    '-A',
    '-o',
    'yaml',
    '--show-managed-fields',
  )
  const described = await stage.cluster.kubectl('describe', 'zdc', '-A')
  const podLog = await stage.cluster.kubectl(
    'logs',
    '-n',
    'security',
    '-l',
    'cloudapps.security/connector=bird',
    '--tail=-1',
  )
  expect(podLog).toContain('run ended')
  const files = await filesBelow(join(stage.cluster.folder, 'claims'))
  expect(files.size).toBeGreaterThan(0)
  const places = new Map([
    ['objects', objects],
    ['describe', described],
    ['pod log', podLog],
    ['operator log', await readFile(stage.operatorLog, 'utf8')],
    ...processes,
    ...files,
  ])
  expect(await placesOf(CANARY, places)).toEqual([])

  const memory = new Map([['heap', await heap()]])
  expect(await placesOf(BYSTANDER, memory)).toEqual([])
  expect(await placesOf(CANARY, memory)).toEqual([])
})
