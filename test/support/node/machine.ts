/**
 * A machine of its own for real containers, made of Linux namespaces: its own processes, mounts, network, host name, and
 * its own /var and /run, so that containerd and kubelet find everything where they always do and meet nothing of this
 * machine's. Its first process holds it up. When that one ends, for whatever reason, the kernel ends all that runs in it
 * and undoes its mounts and its network; the household's guard removes the folder and the cgroups.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { type NetworkInterfaceInfo, networkInterfaces, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { bareEnvironment } from '../cluster/control-plane.ts'
import { foundHousehold, type Running, startProcess } from '../cluster/processes.ts'
import { makeCgroup } from './cgroups.ts'

const exec = promisify(execFile)

/** The network that pods, the machine and this one share; everything on it is one hop away. */
export const NETWORK = {
  pods: '10.88.0.0/16',
  /** This machine, as pods reach it: what listens here is their outer world. */
  host: '10.88.0.1',
  node: '10.88.0.2',
  firstPod: '10.88.0.16',
  bridge: 'kbr0',
  /** The Service `kubernetes`; the API server itself listens on it, so that there is no need of a kube-proxy. */
  apiServer: { host: '10.96.0.1', port: 443 },
} as const

/** Its end of the cable. There can be one of that name, so it is the lock as well: one node cluster at a time. */
const CABLE = 'zdc-node'
const NAME = 'node-1'

export type Machine = {
  readonly name: string
  readonly folder: string
  /** Below which all its containers are. */
  readonly cgroup: string
  /** Starts a process in it; what it writes goes to `logs/<name>.log`. */
  start(name: string, command: readonly string[]): Running
  /** Runs a command in it and returns what it printed. */
  run(...command: readonly string[]): Promise<string>
  /** The command line that runs a command in it, for people. */
  enter(...command: readonly string[]): readonly string[]
  /** Ends all that runs in it, and nothing remains. */
  stop(): Promise<void>
}

// The kubelet sets these of the kernel, which is everybody's: it is shown copies.
const tunables = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops']
const keyTunables = ['kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes']

// Its first process, which has to reap what others leave behind.
const setUp = `
set -e
hostname "$1"
mount --bind "$0/var" /var
mount --bind "$0/run" /run
for file in $2; do mount --bind "$0/tunables/$(basename "$file")" "/proc/sys/$file"; done
ip link set lo up
: > "$0/is-up"
while :; do sleep 3600 & wait $!; done
`

/** Starts an empty machine on the network. */
export async function startMachine(): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-machine-'))
  const cgroup = basename(folder)
  const household = await foundHousehold(folder, { cgroup })
  try {
    await layOut(folder)
    await makeCgroup(cgroup)
    const namespaces = ['--mount', '--net', '--pid', '--ipc', '--uts', '--mount-proc', '--propagation=private']
    const shell = ['sh', '-ec', setUp, folder, NAME, [...tunables, ...keyTunables].join(' ')]
    const env = bareEnvironment(folder)
    const holder = startProcess(folder, 'machine', ['unshare', ...namespaces, '--fork', '--kill-child', ...shell], env)
    const pid = await firstProcess(holder, folder)
    const enter = (...command: readonly string[]) => ['nsenter', '--target', pid, '--all', '--', ...command]
    const run = async (...command: readonly string[]) => {
      const [file = '', ...args] = enter(...command)
      return (await exec(file, args, { env, maxBuffer: 64 * 2 ** 20 })).stdout
    }
    await plugIn(pid)
    await run('sh', '-ec', bridge)
    return {
      name: NAME,
      folder,
      cgroup: `/${cgroup}`,
      enter,
      run,
      start: (name, command) => startProcess(folder, name, enter(...command), env),
      async stop() {
        await household.disband()
        await untilUnplugged()
      },
    }
  } catch (error) {
    await household.disband()
    throw error
  }
}

async function layOut(folder: string): Promise<void> {
  await Promise.all(['home', 'run', 'tunables', 'var/tmp'].map((one) => mkdir(join(folder, one), { recursive: true })))
  await symlink('/run', join(folder, 'var/run'))
  for (const file of [...tunables, ...keyTunables]) {
    await writeFile(join(folder, 'tunables', basename(file)), await readFile(join('/proc/sys', file)))
  }
}

/** Its id as it is known outside. */
async function firstProcess(holder: Running, folder: string): Promise<string> {
  const deadline = Date.now() + 10_000
  for (;;) {
    // Only then is the first process what it is going to be.
    if (existsSync(join(folder, 'is-up'))) {
      return (await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')).trim()
    }
    if (!holder.isRunning() || Date.now() > deadline)
      throw new Error(`No machine could be made:\n${holder.lastLines()}`)
    await delay(20)
  }
}

/** Lays the cable, one end of which is here. */
async function plugIn(pid: string): Promise<void> {
  const isTaken = ([name, addresses = []]: [string, NetworkInterfaceInfo[] | undefined]) =>
    name !== CABLE && addresses.some(({ address }) => address.startsWith('10.88.'))
  const [taken] = Object.entries(networkInterfaces()).find(isTaken) ?? []
  if (taken) throw new Error(`The interface ${taken} has an address in ${NETWORK.pods}, which node clusters need.`)
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      await exec('ip', ['link', 'add', CABLE, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid])
      break
    } catch (error) {
      // One that has just ended is taken down by the kernel in its own time.
      if (!String(error).includes('File exists')) throw error
      if (Date.now() > deadline) {
        throw new Error(`A node cluster runs on this machine already (its interface is ${CABLE}): wait for its end.`)
      }
      await delay(200)
    }
  }
  await exec('ip', ['address', 'add', `${NETWORK.host}/16`, 'dev', CABLE])
  await exec('ip', ['address', 'add', `${NETWORK.apiServer.host}/32`, 'dev', CABLE])
  await exec('ip', ['link', 'set', CABLE, 'up'])
}

const bridge = `
ip link add ${NETWORK.bridge} type bridge
ip link set eth0 master ${NETWORK.bridge} up
ip address add ${NETWORK.node}/16 dev ${NETWORK.bridge}
ip link set ${NETWORK.bridge} up
ip route add default via ${NETWORK.host}
`

async function untilUnplugged(): Promise<void> {
  const deadline = Date.now() + 10_000
  const isThere = () =>
    exec('ip', ['link', 'show', CABLE]).then(
      () => true,
      () => false,
    )
  while ((await isThere()) && Date.now() < deadline) await delay(50)
}
