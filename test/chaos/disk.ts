/** A small disk of its own for a file sink: a tmpfs, which only root may mount, and which is gone with this process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Disk = {
  /** Leaves room for so many bytes. */
  fill(bytes: number): Promise<void>
  /** Room again. */
  free(): Promise<void>
  unmount(): Promise<void>
}

export const canMount = process.platform === 'linux' && process.getuid?.() === 0

/** Whoever mounts it waits for us to end, and unmounts it then, even if we were killed. */
const script = 'mount -t tmpfs -o size=256m chaos "$1" && echo mounted && cat > /dev/null; umount -l "$1"'

/** Rejects where mounting is not allowed, root or not. */
export async function mountDisk(folder: string): Promise<Disk> {
  const keeper = spawn('/bin/sh', ['-c', script, 'keeper', folder], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
    cwd: '/',
    env: { PATH: process.env.PATH },
  })
  const ended = once(keeper, 'exit')
  const [said] = await Promise.race([once(keeper.stdout, 'data'), ended])
  if (!String(said).startsWith('mounted')) throw new Error(`No disk can be mounted at ${folder}.`)
  const filler = join(folder, '.filler')
  return {
    fill: async (bytes) => {
      const { bavail, bsize } = await statfs(folder)
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)))
    },
    free: () => rm(filler, { force: true }),
    unmount: async () => {
      keeper.stdin.end()
      await ended
    },
  }
}
