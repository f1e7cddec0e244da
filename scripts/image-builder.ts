/** docker, podman and buildah: what `npm run image` needs of them. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'

export type Builder = {
  readonly name: string
  /** Builds the folder's Dockerfile; what the builder says goes to standard error. */
  build(tag: string, folder: string, args: Readonly<Record<string, string>>): Promise<void>
  /** Writes the image as a docker archive. */
  save(tag: string, archive: string): Promise<void>
  /** What the image's Node prints for a script, as the image's user, on a root that is read-only where that can be had. */
  evaluate(tag: string, script: string): Promise<string>
}

const run = promisify(execFile)

/** Resolves with what a program prints. */
export async function output(file: string, args: readonly string[]): Promise<string> {
  return (await run(file, [...args])).stdout.trim()
}

const answers = (file: string, args: readonly string[]): Promise<boolean> =>
  output(file, args).then(
    () => true,
    () => false,
  )

/** The first that is there and answers: a docker without its daemon does not. */
export async function findBuilder(): Promise<Builder> {
  for (const [name, probe, builder] of candidates) {
    if (await answers(name, probe)) return builder
  }
  throw new Error('None of docker, podman and buildah answers here: start or install one of them.')
}

function engine(name: 'docker' | 'podman', buildOptions: readonly string[]): Builder {
  return {
    name,
    build: (tag, folder, args) => told(name, ['build', ...buildOptions, ...buildArgs(args), '-t', tag, folder]),
    save: (tag, archive) => told(name, ['save', '-o', archive, tag]),
    evaluate: (tag, script) =>
      output(name, ['run', '--rm', '--read-only', '--network=none', '--entrypoint=node', tag, '-e', script]),
  }
}

const buildah: Builder = {
  name: 'buildah',
  build: (tag, folder, args) => told('buildah', ['bud', '--layers', ...buildArgs(args), '-t', tag, folder]),
  save: (tag, archive) => told('buildah', ['push', tag, `docker-archive:${archive}:${tag}`]),
  async evaluate(tag, script) {
    const container = await output('buildah', ['from', '--pull-never', tag])
    try {
      return await output('buildah', ['run', container, '--', 'node', '-e', script])
    } finally {
      await output('buildah', ['rm', container])
    }
  },
}

// Unless told so, podman and buildah put all of our own into one layer.
const candidates: readonly (readonly [string, string[], Builder])[] = [
  ['docker', ['info', '--format', '{{.ServerVersion}}'], engine('docker', [])],
  ['podman', ['info'], engine('podman', ['--layers'])],
  ['buildah', ['--version'], buildah],
]

const buildArgs = (args: Readonly<Record<string, string>>): string[] =>
  Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])

async function told(file: string, args: readonly string[]): Promise<void> {
  const child = spawn(file, [...args], { stdio: ['ignore', process.stderr, process.stderr] })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${file} ${args[0]} ended with ${code}; what it said is above.`)
}
