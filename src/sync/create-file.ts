/**
 * One file, whole and durable, under a name that nothing stands under: or no file at all. Segments of the file sink and
 * checkpoints in a folder are made by it, and so are safe among processes without a lock whose owner might die.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'

const temporaryName = /^\..+\.[0-9a-f]{8}-[0-9a-f-]{27}$/

/**
 * True when the file is there now; false when something stood there before. It is written and flushed under a temporary
 * name, to which link(2) then adds its own: that creates a whole file or none, and never replaces one.
 * @throws errors of the file system; ENOENT also when somebody else cleared the folder of what was half-written.
 */
export async function createFile(
  folder: string,
  name: string,
  content: Uint8Array | string,
  mode: number,
): Promise<boolean> {
  const temporary = join(folder, `.${name}.${randomUUID()}`)
  try {
    await writeDurably(temporary, content, mode)
    await link(temporary, join(folder, name))
    await flushFolder(folder)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await remove(temporary).catch(() => undefined)
  }
}

/** Makes `below`, folder in folder, in `root`, so that they survive a crash; those that are there are welcome. */
export async function makeFolders(root: string, below: readonly string[]): Promise<string> {
  for (let depth = 1; depth <= below.length; depth++) {
    // One by one: on a read-only volume a recursive mkdir says ENOENT, as if nothing were mounted.
    await mkdir(join(root, ...below.slice(0, depth))).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
    await flushFolder(join(root, ...below.slice(0, depth - 1)))
  }
  return join(root, ...below)
}

/** Removes what processes that died left half-written; one that is alive sees its file refused. */
export async function clearHalfWritten(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (temporaryName.test(name)) await remove(join(folder, name))
}

async function writeDurably(path: string, content: Uint8Array | string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes what was created in a folder survive a crash. */
async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Removes a file that need not be there. */
export async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
}

/** The error's code, such as ENOENT. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'an unknown error'
}
