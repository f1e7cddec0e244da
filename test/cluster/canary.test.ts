/** Secrets, of clients and of sinks, must be found nowhere but in their Secrets, whether they are right or wrong. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startCollector } from '../support/collector.ts'
import { claimYaml, connectorYaml, documents, secretYaml } from '../support/manifests.ts'
import { runEnded } from '../support/records.ts'
import { type S3Server, startS3 } from '../support/s3/server.ts'
import { type Operator, readRecords, type Stage, startStage } from '../support/stage.ts'

const CANARY = 'canary-4f6b1c9e'
/** In a Secret that no connector names: the operator only ever sees its metadata go by. */
const BYSTANDER = 'bystander-7a20d3f5'
/** A token in a header; its collector quotes what it refuses. */
const TOKEN = 'canary-2d9e07b1'
/** What a text looks like within base64, wherever it begins: characters that hold bits of its neighbours are left out. */
const encodings = (secret: string) =>
  [0, 1, 2].map((before) =>
    Buffer.from(`${' '.repeat(before)}${secret}`)
      .toString('base64')
      .replace(/=+$/, '')
      .slice(before === 0 ? 0 : before + 1, -1),
  )

let stage: Stage
let operator: Operator
let s3: S3Server
beforeAll(async () => {
  ;[stage, s3] = await Promise.all([startStage({ name: 'canary' }), startS3()])
  operator = await stage.startOperator({
    LOG_LEVEL: 'trace',
    NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${join(stage.cluster.folder, 'logs')}`,
  })
})
afterAll(async () => {
  await s3?.stop()
  await stage?.stop()
})

/** Every place in which one of the texts was found. */
function placesOf(secrets: readonly string[], places: ReadonlyMap<string, string>): string[] {
  const needles = secrets.flatMap((secret) => [secret, ...encodings(secret)])
  return [...places].filter(([, text]) => needles.some((needle) => text.includes(needle))).map(([place]) => place)
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

test('not in logs, statuses, Events, Jobs, pods, ConfigMaps, arguments, environments or the sinks; nor in the operator’s memory', async () => {
  const collector = await startCollector({ authorization: `Bearer ${TOKEN}` })
  onTestFinished(() => collector.stop())
  // Not the server's own key, which stands in the server's own environment.
  const key = await s3.addKey('everything')
  const bucket = await s3.bucket('birds')
  const store = { bucket: 'birds', endpoint: s3.endpoint, pathStyle: true, secretRef: { name: 'kea-sink-zendesk' } }
  const sinks = {
    bird: { file: { claimName: 'bird-data' } },
    kea: { s3: store },
    rook: { http: { url: collector.url, secretRef: { name: 'rook-sink-zendesk' } } },
  }
  const names = Object.keys(sinks)
  const clients = [{ clientId: 'zendesk-connector', clientSecret: CANARY }]
  const accounts = names.map((name) => stage.simulator.account(name, { clients, activities: { lastSevenDays: 400 } }))

  const good = { clientId: 'zendesk-connector', clientSecret: CANARY }
  await stage.apply(secretYaml('bystander', { clientId: 'x', clientSecret: BYSTANDER }))
  await stage.apply(
    documents(
      claimYaml('bird-data'),
      secretYaml('bird', { ...good, clientSecret: `${CANARY}-wrong` }),
      secretYaml('kea', good),
      secretYaml('kea-sink', { ...key, secretAccessKey: `${key.secretAccessKey}-wrong` }),
      secretYaml('rook', good),
      secretYaml('rook-sink', { Authorization: `Bearer ${TOKEN}-wrong` }),
      ...Object.entries(sinks).map(([name, sink]) =>
        connectorYaml({ name, spec: { sync: { streams: ['Users', 'AuditLogs'], sink } } }),
      ),
    ),
  )
  await stage.until('bird', ({ status }) => status?.connection === 'Error', { seconds: 60 })
  for (const name of ['kea', 'rook']) {
    const { status } = await stage.until(name, runEnded(1), { seconds: 60 })
    expect(status.sync.lastRun).toMatchObject({ result: 'Failed', reason: 'SinkUnavailable' })
  }
  expect(collector.requests.at(-1)).toMatchObject({ status: 401, headers: { authorization: `Bearer ${TOKEN}-wrong` } })

  // Users are published at once, and the runs go on until they were looked at.
  const busy = { kind: 'status', status: 503, retryAfter: 1 } as const
  for (const account of accounts) account.addFault({ path: 'audit_logs.+size.+100', effect: busy })
  await stage.apply(
    documents(
      secretYaml('bird', good),
      secretYaml('kea-sink', key),
      secretYaml('rook-sink', { Authorization: `Bearer ${TOKEN}` }),
    ),
  )
  const published = async () => [
    (await stage.records('bird-data', 'bird', 'Users')).length,
    (await readRecords(join(bucket, 'security', 'kea', 'Users'))).length,
    collector.events.length,
  ]
  await expect.poll(published, { timeout: 60_000 }).toEqual([25, 25, 25])
  const processes = new Map<string, string>()
  for (const pid of await readdir('/proc').catch(() => [])) {
    for (const file of /^\d+$/.test(pid) ? ['cmdline', 'environ'] : []) {
      processes.set(`/proc/${pid}/${file}`, await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''))
    }
  }
  const environments = [...processes.values()]
  expect(names.filter((name) => environments.some((text) => text.includes(`"connector":"${name}"`)))).toEqual(names)
  for (const account of accounts) account.clearFaults()
  for (const name of names) {
    await stage.until(name, ({ status }) => status?.sync?.lastRun?.result === 'Succeeded', { seconds: 60 })
  }
  expect(collector.requests.at(-1)).toMatchObject({ status: 200, headers: { authorization: `Bearer ${TOKEN}` } })

  const objects = await stage.cluster.kubectl(
    'get',
    'zdc,events,jobs,pods,configmaps,serviceaccounts,roles,rolebindings',
    '-A',
    '-o',
    'yaml',
    '--show-managed-fields',
  )
  const described = await stage.cluster.kubectl('describe', 'zdc', '-A')
  const logs = new Map<string, string>()
  for (const name of names) {
    const selector = `cloudapps.security/connector=${name}`
    const log = await stage.cluster.kubectl('logs', '-n', 'security', '-l', selector, '--tail=-1')
    expect(log).toContain('run ended')
    logs.set(`log of ${name}`, log)
  }
  const files = new Map<string, string>()
  for (const folder of [join(stage.cluster.folder, 'claims'), bucket]) {
    const found = await filesBelow(folder)
    expect(found.size).toBeGreaterThan(0)
    for (const [path, text] of found) files.set(path, text)
  }
  const places = new Map([
    ['objects', objects],
    ['describe', described],
    ['operator log', await readFile(stage.operatorLog, 'utf8')],
    ...logs,
    ...processes,
    ...files,
  ])
  const canaries = [CANARY, TOKEN, key.accessKeyId, key.secretAccessKey]
  expect(placesOf(canaries, places)).toEqual([])

  const memory = new Map([['heap', await heap()]])
  expect(placesOf([BYSTANDER, ...canaries], memory)).toEqual([])
})
