/** What the node tier takes of a machine, and the Debian packages that it installs where they are missing. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

const isThere = (program: string) => {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => existsSync(join(folder, program)))
}

/** Debian package → whether what it is needed for is there, from wherever. */
const needed: Readonly<Record<string, () => boolean | Promise<boolean>>> = {
  containerd: () => isThere('containerd') && isThere('ctr'),
  runc: () => isThere('runc'),
  'containernetworking-plugins': () => existsSync('/usr/lib/cni/bridge') && existsSync('/usr/lib/cni/host-local'),
  buildah: () => isThere('buildah'),
  'busybox-static': () => existsSync('/bin/busybox') && isStatic('/bin/busybox'),
  iproute2: () => isThere('ip'),
}

/** It runs in images where no library is. */
const isStatic = (program: string) =>
  exec('ldd', [program]).then(
    () => false,
    () => true,
  )

/** What is tried in namespaces of its own: root of a container often may not. */
const mounts = 'mount -t tmpfs none /mnt && test -w /sys/fs/cgroup'
const links = 'ip link add zdc-a type veth peer name zdc-b && ip link add zdc-c type bridge'

/** Makes this machine fit for node clusters; says why it is not, where it cannot be. @throws when apt-get fails. */
export async function prepareMachine(say: (line: string) => void): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'containers need Linux'
  if (process.getuid?.() !== 0) return 'containerd and the kubelet need root'
  const without = await refused(mounts)
  if (without !== undefined) return `mounts, namespaces and cgroups cannot be had here (${without})`
  const missing = []
  for (const [name, isMet] of Object.entries(needed)) if (!(await isMet())) missing.push(name)
  if (missing.length > 0) {
    if (!isThere('apt-get')) return `these are missing, and there is no apt-get to install them: ${missing.join(', ')}`
    say(`Installing from Debian, with no service left running: ${missing.join(', ')}`)
    await install(missing)
  }
  const unlinked = await refused(links)
  return unlinked && `network links cannot be had here (${unlinked})`
}

/** What is told where `why` keeps the node tier from being run. */
export function toldSkipped(why: string): string {
  return `Skipped the tests of test/node, real containers on a real kubelet: ${why}.`
}

/** Why it is not allowed. */
function refused(script: string): Promise<string | undefined> {
  const options = ['--mount', '--net', '--pid', '--ipc', '--uts', '--mount-proc', '--propagation=private', '--fork']
  return exec('unshare', [...options, 'sh', '-c', script]).then(
    () => undefined,
    (error: { stderr?: string }) => error.stderr?.trim().split('\n').at(-1) || 'read-only',
  )
}

async function install(packages: readonly string[]): Promise<void> {
  await aptGet('update')
  await aptGet('install', '--yes', '--no-install-recommends', ...packages)
  if (packages.includes('containerd') && isThere('systemctl')) {
    const now = existsSync('/run/systemd/system') ? ['--now'] : []
    await exec('systemctl', ['disable', ...now, 'containerd'])
  }
}

async function aptGet(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const child = spawn('apt-get', ['--quiet', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let told = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => {
      told = `${told}${piece}`.slice(-4000)
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} ended with ${code}:\n${told}`)
}
