/**
 * A lock between processes, held while work is done that others may as well wait for. It is a file that its holder
 * touches: a holder that was killed stops touching it, and the lock is free again. After that two may hold it for a
 * moment, so what is done under it must be safe to do twice.
 */
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const touchEvery = 2_000
const staleAfter = 15_000

/** Runs `work` while holding the lock, or returns as soon as `done` says that another holder has done it. */
export async function underLock(file: string, done: () => boolean, work: () => Promise<void>): Promise<void> {
  while (!done()) {
    if (!(await take(file))) {
      if (await isStale(file)) await rm(file, { force: true })
      else await delay(250)
      continue
    }
    const touch = setInterval(() => utimes(file, new Date(), new Date()).catch(() => {}), touchEvery)
    try {
      await work()
    } finally {
      clearInterval(touch)
      await rm(file, { force: true })
    }
    return
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isStale(file: string): Promise<boolean> {
  try {
    const [pid, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)])
    return Date.now() - mtimeMs > staleAfter || (pid !== '' && !isAlive(Number(pid)))
  } catch {
    return false
  }
}

/** Whether a process with this id runs, under whatever user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
