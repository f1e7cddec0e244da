/**
 * Two base images for the Dockerfile, from what is on this machine: where tests run, nothing can be pulled. One is laid
 * out as `gcr.io/distroless/nodejs24-debian13` is (Node where no PATH leads, no shell, user 65532), the other is the same
 * with npm and a shell, for the stage that builds. They are for tests alone: their libraries are those of this machine.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { chmod, copyFile, cp, mkdir, realpath, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where the certificates of this machine are, and those of the images: registries may be behind a proxy of its own. */
const certificates = '/etc/ssl/certs/ca-certificates.crt'
const NPM = '/usr/lib/node_modules/npm'
const SHELL = '/bin/busybox'
/** Of the environment: what npm needs in order to reach its registry from here. */
const forNpm = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'no_proxy', 'npm_config_registry']

export type Bases = {
  /** Path of the docker archive with Node and npm, to build in. */
  readonly build: string
  /** Path of the docker archive with Node alone, to run on. */
  readonly run: string
}

/** Writes both archives into a folder. What is the same here makes the same bytes. */
export async function writeBases(folder: string): Promise<Bases> {
  const root = join(folder, 'base')
  await layOut(root)
  const bases = { build: join(folder, 'base-build.tar'), run: join(folder, 'base-run.tar') }
  await writeArchive(root, bases.run, {
    User: '65532',
    Env: [`PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`, `SSL_CERT_FILE=${certificates}`],
    Entrypoint: ['/nodejs/bin/node'],
    WorkingDir: '/home/nonroot',
  })
  await addTools(root)
  const handedOn = forNpm.flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : []))
  await writeArchive(root, bases.build, {
    Env: [
      'PATH=/nodejs/bin:/bin',
      'HOME=/root',
      `npm_config_cafile=${certificates}`,
      'npm_config_prefer_offline=true',
      ...handedOn,
    ],
  })
  await rm(root, { recursive: true })
  return bases
}

/** Node, the libraries it is linked to, certificates, and the user of the pods. */
async function layOut(root: string): Promise<void> {
  const { stdout } = await run('ldd', [process.execPath])
  const libraries = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path)
  await place(root, process.execPath, '/nodejs/bin/node', 0o755)
  for (const path of libraries) await place(root, path, path, 0o755)
  await place(root, certificates, certificates, 0o644)
  await mkdir(join(root, 'home/nonroot'), { recursive: true })
  await mkdir(join(root, 'tmp'))
  await chmod(join(root, 'tmp'), 0o1777)
  await writeFile(join(root, 'etc/passwd'), passwd)
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
}

const passwd = `root:x:0:0:root:/root:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`

async function addTools(root: string): Promise<void> {
  if (!existsSync(SHELL)) throw new Error(`${SHELL} is missing: install Debian's busybox-static.`)
  await place(root, SHELL, '/bin/sh', 0o755)
  await mkdir(join(root, 'root'))
  await cp(await npmFolder(), join(root, 'npm'), { recursive: true, dereference: true })
  await writeFile(join(root, 'bin/npm'), '#!/bin/sh\nexec node /npm/bin/npm-cli.js "$@"\n', { mode: 0o755 })
}

/** The npm that this machine installs with. */
async function npmFolder(): Promise<string> {
  if (existsSync(NPM)) return NPM
  const { stdout } = await run('npm', ['root', '--global'])
  return join(stdout.trim(), 'npm')
}

async function place(root: string, from: string, to: string, mode: number): Promise<void> {
  await mkdir(dirname(join(root, to)), { recursive: true })
  await copyFile(await realpath(from), join(root, to))
  await chmod(join(root, to), mode)
}

/** An image of one layer with what is in `root`, as a docker archive; `names` it is known by where it is imported. */
export async function writeArchive(
  root: string,
  archive: string,
  config: object,
  names?: readonly string[],
): Promise<void> {
  const parts = `${archive}.parts`
  await mkdir(parts)
  const layer = join(parts, 'layer.tar')
  await tar(layer, root, '.')
  const image = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config,
    created: '1970-01-01T00:00:00Z',
    // As many as layers: buildah counts.
    history: [{ created: '1970-01-01T00:00:00Z', comment: 'base image of the tests' }],
    rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256(layer)}`] },
  }
  await writeFile(join(parts, 'config.json'), JSON.stringify(image))
  const manifest = [{ Config: 'config.json', RepoTags: names ?? null, Layers: ['layer.tar'] }]
  await writeFile(join(parts, 'manifest.json'), JSON.stringify(manifest))
  await tar(archive, parts, 'config.json', 'layer.tar', 'manifest.json')
  await rm(parts, { recursive: true })
}

/** The same content makes the same bytes: sorted, of root, from 1970. */
async function tar(archive: string, folder: string, ...names: readonly string[]): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=ustar']
  await run('tar', [...same, '-cf', archive, '-C', folder, ...names])
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}
