/** One run of a container: a local process with its log, its termination message and its end. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exitOf, killGroup, recorded } from '../cluster/processes.ts'
import { inOwnRoot, type Launch, type Mount, withRealPaths } from './isolation.ts'
import type { Container } from './kinds.ts'
import type { ContainerState } from './status.ts'

/** Where and how a container's process runs. */
export type ContainerPlan = {
  readonly container: Container
  readonly launch: Launch
  readonly mounts: readonly Mount[]
  /** The container's own folder, and the cluster's, where its process id is recorded under `pidName`. */
  readonly folder: string
  readonly clusterFolder: string
  readonly pidName: string
  readonly logFile: string
  /** The command line of `unshare`; without it, mount paths are replaced. */
  readonly unshare: readonly string[] | undefined
}

/** A container that runs. */
export type RunningContainer = {
  readonly startedAt: string
  readonly ended: Promise<ContainerState & { kind: 'terminated' }>
  /** Asks its first process to end. */
  terminate(): void
  /** Ends all its processes. */
  kill(): void
}

const longestMessage = 4096
const longestMessageFromLog = 2048
const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
}

/** Starts a container. */
export async function startContainer(plan: ContainerPlan): Promise<RunningContainer> {
  const { container, folder, logFile } = plan
  const messageFile = join(folder, 'termination-message')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await writeFile(messageFile, '')
  const messagePath = container.terminationMessagePath ?? '/dev/termination-log'
  const mounts = [...plan.mounts, { source: messageFile, target: messagePath, readOnly: false }]
  const launch = plan.unshare ? plan.launch : withRealPaths(mounts, plan.launch)
  const command = plan.unshare ? inOwnRoot(plan.unshare, folder, mounts, launch) : [...launch.command]
  const log = openSync(logFile, 'a')
  const [file, ...args] = recorded(plan.clusterFolder, plan.pidName, command)
  const child = spawn(file, args, {
    cwd: plan.unshare ? '/' : (launch.workingDir ?? folder),
    env: launch.env,
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const startedAt = new Date().toISOString()

  async function end(): Promise<ContainerState & { kind: 'terminated' }> {
    await exitOf(child)
    if (child.pid) killGroup(child.pid)
    await rm(join(plan.clusterFolder, 'pids', plan.pidName), { force: true })
    const exitCode = child.exitCode ?? 128 + (signalNumbers[child.signalCode ?? ''] ?? 0)
    const message = await terminationMessage(messageFile, exitCode, plan)
    return {
      kind: 'terminated',
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      startedAt,
      finishedAt: new Date().toISOString(),
      ...(message && { message }),
    }
  }

  return {
    startedAt,
    ended: end(),
    terminate: () => void child.kill('SIGTERM'),
    kill() {
      if (child.pid && child.exitCode === null && child.signalCode === null) killGroup(child.pid)
    },
  }
}

async function terminationMessage(file: string, exitCode: number, { container, logFile }: ContainerPlan) {
  const written = await readFile(file, 'utf8').catch(() => '')
  if (written || exitCode === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError') {
    return written.slice(0, longestMessage)
  }
  const log = await readFile(logFile, 'utf8').catch(() => '')
  return log.split('\n').slice(-80).join('\n').slice(-longestMessageFromLog)
}
