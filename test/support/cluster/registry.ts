/** The clusters that people have started by name, so that another shell can find and end them. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive } from './lock.ts'

/** A cluster with a name; it lives as long as the process that started it. */
export type Entry = {
  readonly name: string
  readonly pid: number
  readonly folder?: string
  readonly kubeconfig?: string
  readonly kubectlPath?: string
}

const registry = join(tmpdir(), `zendesk-connector-clusters-${userInfo().username}`)
const fileOf = (name: string) => join(registry, `${encodeURIComponent(name)}.json`)

/** All clusters that run or are being started. What a killed process left behind is forgotten on the way. */
export async function clusters(): Promise<Entry[]> {
  const names = await readdir(registry).catch(() => [])
  const entries = await Promise.all(names.map((name) => read(join(registry, name))))
  return entries.filter((entry) => entry !== undefined)
}

/** The cluster of that name. */
export async function clusterNamed(name: string): Promise<Entry> {
  const entry = await read(fileOf(name))
  if (entry) return entry
  throw new Error(`No cluster is named "${name}"; "npm run cluster -- list" shows those that run.`)
}

/** Takes a name for this process. */
export async function takeName(name: string): Promise<void> {
  await mkdir(registry, { recursive: true, mode: 0o700 })
  await read(fileOf(name))
  const entry: Entry = { name, pid: process.pid }
  try {
    await writeFile(fileOf(name), JSON.stringify(entry), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new Error(`A cluster named "${name}" runs already; end it with "npm run cluster -- down --name ${name}".`)
  }
}

/** Says where the cluster of this process is. */
export async function describe(entry: Entry): Promise<void> {
  await writeFile(fileOf(entry.name), JSON.stringify(entry), { mode: 0o600 })
}

/** Gives a name back. */
export async function releaseName(name: string): Promise<void> {
  await rm(fileOf(name), { force: true })
  await rmdir(registry).catch(() => {})
}

/** Asks the process that holds a cluster to end it, and waits until it has. */
export async function end({ name, pid }: Entry): Promise<void> {
  process.kill(pid, 'SIGTERM')
  while (isAlive(pid) || existsSync(fileOf(name))) {
    if (!isAlive(pid)) await releaseName(name)
    await delay(50)
  }
}

async function read(file: string): Promise<Entry | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const entry = JSON.parse(text) as Entry
  const isGone = !isAlive(entry.pid) || (entry.folder !== undefined && !existsSync(entry.folder))
  if (!isGone) return entry
  await rm(file, { force: true })
  return undefined
}
