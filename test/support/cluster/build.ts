/**
 * Builds etcd, the Kubernetes control plane and kubectl from Go modules, once per version, into the user's cache
 * folder. Nothing is downloaded but Go modules, which go.sum pins.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { isAlive, underLock } from './lock.ts'

const version = { major: 1, minor: 34, text: 'v1.34.4' }
const oldestGo = { major: 1, minor: 24 }
const tools = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl']
const source = join(import.meta.dirname, 'kubernetes')

/** Returns the folder that holds etcd, kube-apiserver, kubectl and so on, and builds them first where they are missing. */
export async function kubernetesTools(onProgress: (line: string) => void): Promise<string> {
  const files = await Promise.all(['go.mod', 'go.sum', 'main.go'].map((name) => readFile(join(source, name))))
  const key = createHash('sha256').update(Buffer.concat(files)).digest('hex').slice(0, 16)
  const cache = join(cacheFolder(), 'zendesk-connector')
  const folder = join(cache, `kubernetes-${key}`)
  const isBuilt = () => existsSync(folder)
  if (isBuilt()) return folder
  await mkdir(cache, { recursive: true })
  await underLock(`${folder}.lock`, isBuilt, async () => {
    if (isBuilt()) return
    const unfinished = `${folder}.${process.pid}.unfinished`
    await removeAbandoned(cache)
    try {
      await mkdir(unfinished, { recursive: true })
      await build(join(unfinished, 'kubernetes'), onProgress)
      for (const tool of tools) await symlink('kubernetes', join(unfinished, tool))
      await rename(unfinished, folder)
    } finally {
      await rm(unfinished, { recursive: true, force: true })
    }
  })
  return folder
}

async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = /\.(\d+)\.unfinished$/.exec(name)?.[1]
    if (pid && !isAlive(Number(pid))) await rm(join(cache, name), { recursive: true, force: true })
  }
}

function cacheFolder(): string {
  if (process.env.XDG_CACHE_HOME) return process.env.XDG_CACHE_HOME
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}

async function build(output: string, onProgress: (line: string) => void): Promise<void> {
  // A developer's own Go settings (workspace, vendoring, cross-compiling) are about other code than this.
  const { GOFLAGS: _, GOOS: __, GOARCH: ___, ...inherited } = process.env
  const env = { ...inherited, CGO_ENABLED: '0', GOWORK: 'off', GOTOOLCHAIN: 'local' }
  await requireGo(env)
  const settings = Object.entries({ gitVersion: version.text, gitMajor: version.major, gitMinor: version.minor })
  const ldflags = ['-s', '-w', ...settings.map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)]
  const args = ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', ldflags.join(' '), '-o', output, '.']
  const started = Date.now()
  const go = spawn('go', args, { cwd: source, env, stdio: ['ignore', 'ignore', 'pipe'] })
  const end = () => void go.kill()
  process.on('exit', end)
  const lastLines: string[] = []
  let compiled = 0
  const report = () => {
    const seconds = Math.round((Date.now() - started) / 1000)
    const elapsed = `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
    onProgress(`Building Kubernetes ${version.text} (once, some minutes): ${compiled} packages compiled, ${elapsed}`)
  }
  report()
  const timer = setInterval(report, 1000)
  createInterface({ input: go.stderr }).on('line', (line) => {
    if (/^[\w.~/-]+$/.test(line)) compiled += 1
    else lastLines.push(line)
    if (lastLines.length > 20) lastLines.shift()
  })
  const code = await new Promise<number | null>((resolve, reject) => go.on('error', reject).on('close', resolve))
  clearInterval(timer)
  process.off('exit', end)
  if (code !== 0) throw new Error(`Go could not build Kubernetes ${version.text}:\n${lastLines.join('\n')}`)
  report()
}

async function requireGo(env: NodeJS.ProcessEnv): Promise<void> {
  const needed = `a test cluster is built from Go modules and needs Go ${oldestGo.major}.${oldestGo.minor} or newer`
  const { stdout } = await promisify(execFile)('go', ['env', 'GOVERSION'], { env }).catch(() => {
    throw new Error(`Go was not found, but ${needed}.`)
  })
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(stdout)?.map(Number) ?? []
  if (major < oldestGo.major || (major === oldestGo.major && minor < oldestGo.minor)) {
    throw new Error(`This is ${stdout.trim()}, but ${needed}.`)
  }
}

/** Progress for people: one line that changes on a terminal, a line now and then anywhere else. */
export function progressOnStderr(): (line: string) => void {
  let shown = 0
  return (line) => {
    if (process.stderr.isTTY) process.stderr.write(`${shown ? '\x1b[1A\x1b[K' : ''}${line}\n`)
    else if (Date.now() - shown >= 15_000) process.stderr.write(`${line}\n`)
    else return
    shown = Date.now()
  }
}
