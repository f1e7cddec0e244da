/**
 * The commands of the documentation, as a shell is given them, from top to bottom: whoever copies them gets what is said.
 * Those of helm, docker and of foreign controllers have tests of their own.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf, linesOf, root } from '../support/docs.ts'
import { type Stage, startStage } from '../support/stage.ts'

const pages = ['get-started', 'reasons', 'operations', 'security'].map((page) => `docs/${page}.md`)
/** The stage has made the namespaces; the rest needs what is not there. */
const notHere = /^helm |\bdocker |^kubectl create namespace |gitops\//
/** What the commands name. */
const OURS = ['package.json', 'node_modules', 'src', 'deploy', 'examples']
const system = ['-n', 'zendesk-connector-system']

const commands = pages.flatMap((page) =>
  blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap((block) => linesOf(block).map((command) => ({ at: block.at, command })))
    .filter(({ command }) => !notHere.test(command)),
)

let stage: Stage
/** Where the reader stands. */
let folder: string
beforeAll(async () => {
  stage = await startStage({ name: 'docs' })
  // The second is the one that the docs rotate to.
  stage.simulator.account('acme').setClient({ clientId: 'zendesk-connector-2', clientSecret: 'acme-secret' })
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-docs-'))
  for (const name of OURS) await symlink(join(root, name), join(folder, name))
  await writeFile(join(folder, 'client-secret.txt'), 'acme-secret\n')
  const [connector] = blocksOf('docs/get-started.md').filter(({ language }) => language === 'yaml')
  await writeFile(join(folder, 'connector.yaml'), connector?.text ?? '')
})
afterAll(async () => {
  await stage?.stop()
  if (folder) await rm(folder, { recursive: true })
})

test('all commands of the docs do what they say', async () => {
  expect(commands.length).toBeGreaterThan(15)
  for (const { at, command } of commands) {
    // It would be followed until Ctrl-C.
    await shell(command.replace(' --watch', '')).catch((error: unknown) => {
      throw new Error(`${at}: ${command}`, { cause: error })
    })
    if (command === 'kubectl apply -k deploy') await fitIntoOneMachine()
    // A reader would have to wait for this, too.
    if (command.startsWith('kubectl wait '))
      await stage.until('acme', ({ status }) => status.sync?.lastRun !== undefined)
  }
  const { status, spec } = await stage.until('acme', (one) => one.status.lastHandledResyncRequest !== undefined, {
    seconds: 60,
  })
  expect(spec.suspend).toBe(false)
  expect(status.sync.streams).toContainEqual(expect.objectContaining({ name: 'AuditLogs', complete: true }))
})

const run = promisify(execFile)

async function shell(command: string): Promise<void> {
  const { cluster, simulator } = stage
  const PATH = [dirname(cluster.kubectlPath), dirname(process.execPath), process.env.PATH].join(delimiter)
  const egress = { HTTPS_PROXY: simulator.proxyUrl, NODE_EXTRA_CA_CERTS: simulator.caFile }
  const env = { PATH, HOME: folder, KUBECONFIG: cluster.kubeconfig, ...egress }
  await run('bash', ['--norc', '-euo', 'pipefail', '-c', command], { cwd: folder, env, timeout: 90_000 })
}

/** Pods of the process node share the ports of one machine, and Zendesk is behind a proxy. */
async function fitIntoOneMachine(): Promise<void> {
  const { cluster, simulator } = stage
  const args = ['operator', '--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0']
  const patch = JSON.stringify([{ op: 'replace', path: '/spec/template/spec/containers/0/args', value: args }])
  await cluster.kubectl('patch', 'deployment/zendesk-connector', ...system, '--type=json', '-p', patch)
  const egress = [`HTTPS_PROXY=${simulator.proxyUrl}`, `NODE_EXTRA_CA_CERTS=${simulator.caFile}`]
  await cluster.kubectl('set', 'env', 'deployment/zendesk-connector', ...system, ...egress)
  await cluster.kubectl('rollout', 'status', 'deployment/zendesk-connector', ...system, '--timeout=60s')
}
