/** Python peers, each in a virtual environment of its own below the user's cache folder: made once, safe to remove. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { measured } from './measured.ts'

/**
 * The environment that holds exactly what the requirements file names, all versions pinned; resolves with its folder.
 * @throws Error when there is no Python with venv, or the package index does not answer.
 */
export async function venvWith(requirements: string): Promise<string> {
  const version = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 16)
  const caches = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'zendesk-connector', 'bench-venv')
  const folder = join(caches, version)
  const ready = join(folder, 'ready')
  if (await readFile(ready).catch(() => undefined)) return folder
  await rm(folder, { recursive: true, force: true })
  await mkdir(caches, { recursive: true })
  const { env } = process
  await measured('python3', ['-m', 'venv', folder], { env })
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements]
  await measured(join(folder, 'bin', 'python'), pip, { env })
  await writeFile(ready, 'yes\n')
  return folder
}
