/** What a node cluster leaves of itself: nothing, also when whoever started it is killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startMachine } from '../support/node/machine.ts'
import { PAUSE } from '../support/node/pause.ts'

const source = join(import.meta.dirname, '..', 'support', 'node', 'cluster.ts')
/** Starts a cluster with a pod in it, tells of it, and stays. */
const program = `
import { startNodeCluster } from '${source}'
const cluster = await startNodeCluster({ name: 'killed', archives: [] })
await cluster.kubectl('run', 'idle', '--image=${PAUSE}', '--image-pull-policy=Never')
await cluster.kubectl('wait', '--for=condition=Ready', 'pod/idle', '--timeout=60s')
console.log(cluster.machine.folder)
setInterval(() => {}, 1000)
`

const tunable = () => readFileSync('/proc/sys/kernel/panic', 'utf8').trim()
const before = tunable()

let owner: ChildProcess
let folder: string
/** The cluster's process namespace. */
let namespace: string
beforeAll(async () => {
  owner = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: owner.stdout ?? expect.fail() })
  const ended = once(owner, 'exit').then(() => Promise.reject(new Error('It ended before it had begun.')))
  ;[folder] = (await Promise.race([once(lines, 'line'), ended])) as [string]
  // From now on it may.
  ended.catch(() => {})
  const isKubelet = (pid: string) =>
    namespaceOf(pid) !== namespaceOf('self') && commandOf(pid).includes(`${folder}/kubelet`)
  namespace = namespaceOf(processes(isKubelet)[0] ?? expect.fail('there is no kubelet'))
})
afterAll(() => void owner?.kill('SIGKILL'))

const namespaceOf = (pid: string) => readlinkSync(`/proc/${pid}/ns/pid`)
/** Empty for one that has ended. */
const commandOf = (pid: string) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Containers have process namespaces of their own, and a cgroup. */
const isOfTheMachine = (pid: string) =>
  namespaceOf(pid) === namespace ||
  commandOf(pid).includes(folder) ||
  readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(basename(folder))

/** Processes of which that is true; those that end meanwhile are none. */
const processes = (are: (pid: string) => boolean): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && are(pid)
    } catch {
      return false
    }
  })

const cgroups = (): string[] => readdirSync('/sys/fs/cgroup', { recursive: true }).map(String)
const leftovers = () => ({
  processes: processes(isOfTheMachine).map(commandOf),
  folders: readdirSync(tmpdir()).filter((name) => /^zendesk-connector-(machine|killed)-/.test(name)),
  mounts: readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes('zendesk-connector-machine')),
  cgroups: cgroups().filter((name) => name.includes('zendesk-connector-machine')),
  links: Object.keys(networkInterfaces()).filter((name) => name.startsWith('zdc-')),
})

test('there is one at a time: a second one says so', { timeout: 60_000 }, async () => {
  await expect(startMachine()).rejects.toThrow(/^A node cluster runs on this machine already/)
})

test('nothing of it is mounted here, and what the kubelet sets of the kernel is set for nobody else', () => {
  expect(leftovers().mounts).toEqual([])
  expect(leftovers().processes.join()).toContain('/busybox sleep')
  expect(readFileSync(join(folder, 'tunables', 'panic'), 'utf8').trim()).toBe('10')
  expect(tunable()).toBe(before)
})

test('killed without a word, whoever started it leaves no process, mount, cgroup, link or folder', async () => {
  owner.kill('SIGKILL')
  await vi.waitFor(
    () => expect(leftovers()).toEqual({ processes: [], folders: [], mounts: [], cgroups: [], links: [] }),
    { timeout: 20_000, interval: 200 },
  )
})
