/**
 * Programs that tests need, built from Go modules once per version into the user's cache folder. Nothing is downloaded
 * but Go modules, which go.sum pins.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { isAlive, underLock } from './cluster/lock.ts'

export type GoProgram = {
  /** Of the binary, and of its folder in the cache. */
  readonly name: string
  /** As messages name it, with its version. */
  readonly title: string
  /** What is built from it, as "… needs Go 1.24 or newer" goes on. */
  readonly purpose: string
  /** About how long a build takes. */
  readonly duration: string
  /** Folder of the module. Its Go files, go.mod and go.sum decide what is built. */
  readonly source: string
  /** Another file than go.mod that says the versions; its sums are beside it, with the ending .sum. */
  readonly modfile?: string
  /** The package to build, as the module in `source` knows it. */
  readonly main: string
  readonly variables: Readonly<Record<string, string | number>>
  readonly oldestGo: { readonly major: number; readonly minor: number }
  /** More names under which the binary is to be found beside itself. */
  readonly aliases: readonly string[]
}

/** Returns the folder that holds the program, and builds it first where it is missing. */
export async function goProgram(program: GoProgram, onProgress: (line: string) => void): Promise<string> {
  const { name } = program
  const key = await keyOf(program)
  const cache = join(cacheFolder(), 'zendesk-connector')
  const folder = join(cache, `${name}-${key}`)
  const isBuilt = () => existsSync(folder)
  if (isBuilt()) return folder
  await mkdir(cache, { recursive: true })
  await underLock(`${folder}.lock`, isBuilt, async () => {
    if (isBuilt()) return
    const unfinished = `${folder}.${process.pid}.unfinished`
    await removeAbandoned(cache)
    try {
      await mkdir(unfinished, { recursive: true })
      await build(program, join(unfinished, name), onProgress)
      for (const alias of program.aliases) await symlink(name, join(unfinished, alias))
      await rename(unfinished, folder)
    } finally {
      await rm(unfinished, { recursive: true, force: true })
    }
  })
  return folder
}

/** Whatever a build reads, so that nothing old is taken for it. */
async function keyOf({ source, modfile = 'go.mod' }: GoProgram): Promise<string> {
  const code = (await readdir(source)).filter((file) => file.endsWith('.go')).sort()
  const files = [modfile, modfile.replace(/\.mod$/, '.sum'), ...code]
  const contents = await Promise.all(files.map((file) => readFile(join(source, file))))
  return createHash('sha256').update(Buffer.concat(contents)).digest('hex').slice(0, 16)
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

async function build(program: GoProgram, output: string, onProgress: (line: string) => void): Promise<void> {
  const { title, duration, source, modfile = 'go.mod', main, variables } = program
  // A developer's own Go settings (workspace, vendoring, cross-compiling) are about other code than this.
  const { GOFLAGS: _, GOOS: __, GOARCH: ___, ...inherited } = process.env
  const env = { ...inherited, CGO_ENABLED: '0', GOWORK: 'off', GOTOOLCHAIN: 'local' }
  await requireGo(program, env)
  const ldflags = ['-s', '-w', ...Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`)]
  const flags = ['-v', '-trimpath', '-buildvcs=false', `-modfile=${modfile}`, '-ldflags', ldflags.join(' ')]
  const args = ['build', ...flags, '-o', output, main]
  const started = Date.now()
  const go = spawn('go', args, { cwd: source, env, stdio: ['ignore', 'ignore', 'pipe'] })
  const end = () => void go.kill()
  process.on('exit', end)
  const lastLines: string[] = []
  let compiled = 0
  const report = () => {
    const seconds = Math.round((Date.now() - started) / 1000)
    const elapsed = `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
    onProgress(`Building ${title} (once, ${duration}): ${compiled} packages compiled, ${elapsed}`)
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
  if (code !== 0) throw new Error(`Go could not build ${title}:\n${lastLines.join('\n')}`)
  report()
}

async function requireGo({ purpose, oldestGo }: GoProgram, env: NodeJS.ProcessEnv): Promise<void> {
  const needed = `${purpose} is built from Go modules and needs Go ${oldestGo.major}.${oldestGo.minor} or newer`
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
