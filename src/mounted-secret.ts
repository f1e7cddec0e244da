/** Secrets as Kubernetes mounts them: a folder with a file for each key. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Keys and values as they stand now: asked at each use, so that a rotated one is taken up. Rejects when it is not there. */
export async function mountedSecret(folder: string): Promise<Readonly<Record<string, string>>> {
  // Names that begin with two dots are the kubelet's own.
  const keys = (await readdir(folder)).filter((name) => !name.startsWith('..'))
  const entries = keys.map(async (key) => [key, await readFile(join(folder, key), 'utf8')] as const)
  return Object.fromEntries(await Promise.all(entries))
}
