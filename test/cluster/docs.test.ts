/**
 * The commands of the documentation, as a shell is given them, from top to bottom: whoever copies them gets what is said.
 * Then those of helm, in the same cluster when nothing is left there. What needs docker has tests of its own.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf, linesOf, read, root } from '../support/docs.ts'
import { foreignCrds } from '../support/foreign-crds.ts'
import { helmFolder } from '../support/helm.ts'
import { type Stage, startStage } from '../support/stage.ts'

const pages = ['README.md', ...['get-started', 'reasons', 'operations', 'security'].map((page) => `docs/${page}.md`)]
/** The stage has made the namespaces; there is no docker. */
const notHere = /\bdocker |^kubectl create namespace /
/** What the commands name. */
const OURS = ['package.json', 'node_modules', 'src', 'deploy', 'examples', 'charts', 'gitops']
const system = ['-n', 'zendesk-connector-system']

const typed = pages.flatMap((page) =>
  blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap((block) => linesOf(block).map((command) => ({ at: block.at, command })))
    .filter(({ command }) => !notHere.test(command)),
)
const isHelm = ({ command }: { command: string }) => command.startsWith('helm ')
const commands = typed.filter((one) => !isHelm(one))
/** In a comment of the chart's values, and then where people look for it. */
const values = read('charts/zendesk-connector/values.yaml').replaceAll(/\\\n#\s*/g, '')
const inValues = [...values.matchAll(/`(helm [^`]+)`/g)].map(([, command = '']) => ({ at: 'values.yaml', command }))
const ofHelm = [...inValues, ...typed.filter(isHelm)]

let stage: Stage
let helmPath: string
/** Where the reader stands. */
let folder: string
beforeAll(async () => {
  const [crds, helmIn] = await Promise.all([foreignCrds(), helmFolder()])
  helmPath = helmIn
  stage = await startStage({ name: 'docs' })
  const { cluster } = stage
  // The second is the one that the docs rotate to.
  stage.simulator.account('acme').setClient({ clientId: 'zendesk-connector-2', clientSecret: 'acme-secret' })
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-docs-'))
  for (const name of OURS) await symlink(join(root, name), join(folder, name))
  await writeFile(join(folder, 'client-secret.txt'), 'acme-secret\n')
  await cluster.kubectl('apply', '--server-side', ...crds.flatMap((file) => ['-f', file]))
  for (const namespace of ['flux-system', 'argocd']) await cluster.kubectl('create', 'namespace', namespace)
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

test('so do those of helm, each as it stands', async () => {
  const { cluster, simulator } = stage
  await cluster.kubectl('delete', '-k', join(root, 'deploy'), '--timeout=60s')
  // What the machine wants, as above: values beside those of the command.
  const machine = {
    httpsProxy: simulator.proxyUrl,
    caBundle: await readFile(simulator.caFile, 'utf8'),
    extraArgs: ['--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0'],
  }
  await writeFile(join(folder, 'machine.json'), JSON.stringify(machine))
  expect(ofHelm.map(({ command }) => command.split(' ')[1])).toEqual(expect.arrayContaining(['install', 'upgrade']))
  expect(inValues).toHaveLength(1)
  let isInstalled = false
  for (const { at, command } of ofHelm) {
    if (command.startsWith('helm install ') && isInstalled) {
      await shell('helm uninstall zendesk-connector --namespace zendesk-connector-system --wait')
    }
    isInstalled = true
    // The image is there without a registry.
    await shell(`${command.replaceAll('REGISTRY/', '')} --values machine.json`).catch((error: unknown) => {
      throw new Error(`${at}: ${command}`, { cause: error })
    })
    await shell('kubectl rollout status deployment/zendesk-connector -n zendesk-connector-system --timeout=60s')
    await shell('kubectl apply -f connector.yaml')
    // It may be Ready from before.
    await shell(`kubectl annotate zdc acme -n security --overwrite cloudapps.security/test-requested-at='${at}'`)
    await shell(
      `kubectl wait zdc acme -n security --for=jsonpath='{.status.lastHandledTestRequest}'='${at}' --timeout=60s`,
    )
    await shell('kubectl wait zdc acme -n security --for=condition=Ready --timeout=60s')
  }
})

const run = promisify(execFile)

async function shell(command: string): Promise<void> {
  const { cluster, simulator } = stage
  const PATH = [dirname(cluster.kubectlPath), helmPath, dirname(process.execPath), process.env.PATH].join(delimiter)
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
