/**
 * Processes that must not outlive whoever started them. Each writes its id into the cluster's folder before it becomes
 * the program proper; a guard, which holds the reading end of a pipe from here, ends all of them and removes the folder
 * as soon as that pipe closes, for whatever reason. Plain `sh`, because it is on every Linux and macOS.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** A process of the cluster, the leader of its own process group. */
export type Running = {
  readonly name: string
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly exited: Promise<void>
  isRunning(): boolean
  /** The last lines it wrote. */
  lastLines(): string
  /** Starts it as it was started, once it has ended; its log goes on in the same file. */
  again(): Promise<Running>
}

/** What the processes of one cluster share: a folder for their state, and a guard that cleans up. */
export type Household = { readonly folder: string; disband(): Promise<void> }

const guardScript = `
cat > /dev/null
mv "$1/pids" "$1/ending"
for file in "$1/ending"/*; do [ -s "$file" ] && kill -s KILL -- "-$(cat "$file")" 2> /dev/null; done
for attempt in 1 2 3 4 5; do rm -rf "$1" 2> /dev/null && break; sleep 1; done
[ -n "$2" ] || exit 0
cgroups() { find /sys/fs/cgroup -depth -type d \\( -name "$1" -o -path "*/$1/*" \\) 2> /dev/null; }
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  cgroups "$2" | xargs -r rmdir 2> /dev/null
  [ -z "$(cgroups "$2")" ] && break
  sleep 0.2
done
`

/** What a household has beside processes and a folder. */
export type Possessions = {
  /** Name of cgroups, whose processes are the household's. */
  readonly cgroup?: string
}

/** Begins a household in a folder that exists; `disband` ends all its processes and removes the folder. */
export async function foundHousehold(folder: string, { cgroup = '' }: Possessions = {}): Promise<Household> {
  await Promise.all(['pids', 'logs'].map((name) => mkdir(join(folder, name), { recursive: true })))
  const guard = spawn('/bin/sh', ['-c', guardScript, 'guard', folder, cgroup], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    env: { PATH: process.env.PATH },
  })
  guard.unref()
  const ended = new Promise<void>((resolve) => guard.on('exit', () => resolve()).on('error', () => resolve()))
  return {
    folder,
    async disband() {
      for (const pid of await recordedPids(folder)) killGroup(pid)
      guard.ref()
      guard.stdin.end()
      await ended
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

/** The command line that records its own process id in the household under `name`, and then becomes `command`. */
export function recorded(folder: string, name: string, command: readonly string[]): [string, ...string[]] {
  return ['/bin/sh', '-c', 'echo $$ > "$0" && exec "$@"', join(folder, 'pids', name), ...command]
}

/** Starts a part of the cluster; what it writes goes to `logs/<name>.log`. */
export function startProcess(
  folder: string,
  name: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Running {
  const logFile = join(folder, 'logs', `${name}.log`)
  const log = openSync(logFile, 'a')
  const [file, ...args] = recorded(folder, name, command)
  const child = spawn(file, args, { cwd: folder, env, stdio: ['ignore', log, log], detached: true })
  closeSync(log)
  const exited = exitOf(child).then(() => rm(join(folder, 'pids', name), { force: true }))
  return {
    name,
    pid: child.pid ?? 0,
    exited,
    again: () => exited.then(() => startProcess(folder, name, command, env)),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    lastLines: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n'),
  }
}

/** The ids of all recorded processes, which lead a process group each. */
export async function recordedPids(folder: string): Promise<number[]> {
  const folderOfPids = join(folder, 'pids')
  const names = await readdir(folderOfPids).catch(() => [])
  const pids = await Promise.all(names.map((name) => readFile(join(folderOfPids, name), 'utf8').catch(() => '')))
  return pids.map(Number).filter((pid) => pid > 0)
}

/** Ends a process and all it started, unless it is gone already. */
export function killGroup(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(-pid, signal)
  } catch {}
}

/** Waits until a child has ended. */
export const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => child.on('exit', () => resolve()).on('error', () => resolve()))
