/** The project's own image, made by its own Dockerfile on bases of this machine: nothing but npm packages is fetched. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { writeBases } from './base.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const run = promisify(execFile)

export type Image = {
  /** Path of a docker archive, as `ctr images import` takes it. */
  readonly archive: string
  readonly reference: string
  readonly sizeBytes: number
}

const reference = 'localhost/zendesk-connector:dev'

/**
 * Builds the image into `folder`, which is made where it is missing; nothing else on this machine changes. Needs root, and
 * Debian's buildah and busybox-static.
 */
export async function buildImage(folder: string, onProgress: (line: string) => void = () => {}): Promise<Image> {
  const storage = join(folder, 'storage')
  const archive = join(folder, 'image.tar')
  const buildah = (...args: readonly string[]) =>
    runBuildah(['--root', storage, '--runroot', join(storage, 'run'), ...args], onProgress)
  await mkdir(folder, { recursive: true })
  await rm(archive, { force: true })
  onProgress('Making base images from the Node of this machine …')
  const bases = await writeBases(folder)
  try {
    const images = [`BUILD_IMAGE=docker-archive:${bases.build}`, `BASE_IMAGE=docker-archive:${bases.run}`]
    const settings = ['--isolation', 'chroot', '--layers', ...(await npmCache())]
    await buildah('bud', ...settings, ...images.flatMap((image) => ['--build-arg', image]), '-t', reference, root)
    await buildah('push', reference, `docker-archive:${archive}:${reference}`)
  } finally {
    await rm(storage, { recursive: true, force: true })
    await Promise.all(Object.values(bases).map((base) => rm(base)))
  }
  return { archive, reference, sizeBytes: (await stat(archive)).size }
}

/** npm takes from its cache what this machine has fetched before. A volume is no part of the image. */
async function npmCache(): Promise<string[]> {
  const { stdout } = await run('npm', ['config', 'get', 'cache'])
  const cache = stdout.trim()
  return existsSync(cache) ? ['--volume', `${cache}:/root/.npm`] : []
}

/** Tells each line that buildah writes, and rejects with the last of them if it fails. */
async function runBuildah(args: readonly string[], onProgress: (line: string) => void): Promise<void> {
  // Among mounts of its own: whatever it leaves mounted when it is killed goes with it.
  const child = spawn('unshare', ['--mount', 'buildah', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line)
      if (last.length > 20) last.shift()
      onProgress(line)
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`buildah ended with ${code}:\n${last.join('\n')}`)
}
