/** One sync process, started as the operator's Job would start it in a pod, and ended by its id only. */

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { exitOf, recorded } from '../support/cluster/processes.ts'

const program = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

/** The container of a Job's manifest, as far as it matters here. */
export type Container = {
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}

export type PodOptions = {
  readonly container: Container
  /** Folders that stand for the volumes, by their names. */
  readonly volumes: Readonly<Record<string, string>>
  readonly kubeconfig: string
  /** Folder that keeps the ids of processes: see support/cluster/processes.ts. */
  readonly household: string
  readonly logFile: string
}

export type Pod = {
  readonly uid: string
  readonly pid: number
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>
  isRunning(): boolean
  /** False when it has ended before. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): boolean
}

export function startPod({ container, volumes, kubeconfig, household, logFile }: PodOptions): Pod {
  const uid = randomUUID()
  const [file, ...args] = recorded(household, `pod.${uid}`, [process.execPath, program, ...container.args])
  const log = openSync(logFile, 'a')
  const child = spawn(file, args, {
    stdio: ['ignore', log, log],
    detached: true,
    env: { PATH: process.env.PATH, ...environmentOf(container, volumes), POD_UID: uid, KUBECONFIG: kubeconfig },
  })
  closeSync(log)
  return {
    uid,
    pid: child.pid ?? 0,
    exited: exitOf(child).then(() => child.exitCode ?? child.signalCode ?? 'SIGKILL'),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    signal: (name) => child.kill(name),
  }
}

/** Variables as the kubelet would set them, but for paths: each volume is a folder of ours. */
function environmentOf({ env, volumeMounts }: Container, volumes: Readonly<Record<string, string>>) {
  const here = (value: string): string => {
    const mount = volumeMounts.find(({ mountPath }) => value === mountPath || value.startsWith(`${mountPath}/`))
    const folder = mount && volumes[mount.name]
    return mount && folder !== undefined ? folder + value.slice(mount.mountPath.length) : value
  }
  const set = env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, here(value.replaceAll('$$', '$'))]]))
  return Object.fromEntries(set) as Record<string, string>
}
