/** The image as its own Dockerfile makes it: nothing in it that is not needed, the same each time, and it runs. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { bundle } from '../../scripts/bundle.ts'
import { type ImageContent, isOurs, type Layer, readImage } from '../../scripts/image-archive.ts'
import { buildImage } from '../support/image/build.ts'

let folder: string
/** Where the files of the image are, as a container has them. */
let container: string
let image: ImageContent
let again: ImageContent
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-image-'))
  container = join(folder, 'container')
  image = await readImage(inject('image').archive)
  // Elsewhere, and later.
  again = await readImage((await buildImage(join(folder, 'again'))).archive)
  await unpack(image)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const run = promisify(execFile)

function program({ layers }: ImageContent): Layer {
  const [layer] = layers.filter(isOurs)
  if (layer === undefined) throw new Error('The image has no layer of ours.')
  return layer
}

async function unpack({ layers }: ImageContent): Promise<void> {
  await mkdir(container)
  for (const { tar } of layers) {
    await writeFile(join(folder, 'layer.tar'), tar)
    await run('tar', ['-xf', join(folder, 'layer.tar'), '-C', container])
  }
}

/** Runs what the image says, or another entry point, as its user and with its environment, on a root that is read-only. */
async function start(args: readonly string[], { entrypoint = image.config.Entrypoint ?? [], env = {} } = {}) {
  const [user = ''] = image.config.User?.split(/(?=:)/) ?? []
  const variables = [...(image.config.Env ?? []), ...Object.entries(env).map(([name, value]) => `${name}=${value}`)]
  const script = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec env -i "$@"`
  const inside = [await pathOf('chroot'), `--userspec=${user}:${user}`, container, ...entrypoint, ...args]
  const outside = ['--mount', 'sh', '-c', script, container, ...variables, ...inside]
  return await run('unshare', outside).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

/** Of a program of this machine: in the environment of the image it would not be found. */
const pathOf = async (name: string): Promise<string> => (await run('sh', ['-c', `command -v ${name}`])).stdout.trim()

test('the same sources make the same layer', () => {
  expect(program(again).digest).toBe(program(image).digest)
})

test('the layer with our files holds what npm run build writes, byte for byte', async () => {
  const dist = join(folder, 'dist')
  await bundle(dist)
  const { entries } = program(image)
  const names = (await readdir(dist)).sort()
  expect(entries.map(({ path }) => path).sort()).toEqual(['app', ...names.map((name) => `app/${name}`)])
  for (const { path, type, user, group, mode, changed, content } of entries) {
    const expected = type === 'folder' ? 0o755 : 0o644
    expect({ path, user, group, mode, changed }).toEqual({ path, user: 0, group: 0, mode: expected, changed: 0 })
    if (type === 'file') expect(content.equals(await readFile(join(folder, path.replace('app', 'dist'))))).toBe(true)
  }
})

test('compiled code, which nobody but root may write, is all that is added to it and to the base image', () => {
  const [base, ours, compiled, ...others] = image.layers
  expect(others).toEqual([])
  expect(base && isOurs(base)).toBe(false)
  expect(ours?.digest).toBe(program(image).digest)
  const entries = compiled?.entries ?? []
  expect(entries.length).toBeGreaterThan(10)
  for (const { path, user, mode } of entries) {
    expect(path).toMatch(/^app(?:\/cache(?:\/v24[^/]+(?:\/[0-9a-f]+)?)?)?$/)
    expect({ path, user, writable: mode & 0o022 }).toEqual({ path, user: 0, writable: 0 })
  }
})

test('it is labelled, and carries its bill of materials', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'))
  const label = (name: string) => image.config.Labels?.[`org.opencontainers.image.${name}`]
  expect({ title: label('title'), licenses: label('licenses'), version: label('version') }).toEqual({
    title: 'zendesk-connector',
    licenses: 'Apache-2.0',
    version,
  })
  const bill = program(image).entries.find(({ path }) => path === 'app/sbom.cdx.json')
  expect(JSON.parse(bill?.content.toString() ?? '')).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' })
})

test('it starts as user 65532 on a root that it cannot write, without a shell', async () => {
  const tries = `
    const { accessSync, constants, existsSync, readdirSync } = require('node:fs')
    const denied = (path) => { try { accessSync(path, constants.W_OK); return '' } catch ({ code }) { return code } }
    const shells = process.env.PATH.split(':').map((folder) => folder + '/sh').filter((path) => existsSync(path))
    console.log(JSON.stringify({ user: process.getuid(), app: denied('/app'), tmp: denied('/tmp'), shells }))`
  const { stdout } = await start(['-e', tries], { entrypoint: ['node'] })
  expect(JSON.parse(stdout)).toEqual({ user: 65532, app: 'EACCES', tmp: 'EROFS', shells: [] })

  const { code, stderr } = await start(['sync'])
  expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringMatching(/^Invalid environment: .+\n$/) })
})

test('pods start from compiled code; where it does not fit, it is passed over', async () => {
  const debug = { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
  const operator = ['operator', '--image', 'none', '--metrics-bind-address', '0', '--health-probe-bind-address', '0']
  for (const command of [['sync'], operator]) {
    const { code, used, rejected } = compiled(await start(command, { env: debug }))
    expect({ code, rejected }).toEqual({ code: 64, rejected: [] })
    expect(used.length).toBeGreaterThan(5)
  }
  // Flags of V8 change what it compiles, as another processor does.
  const elsewhere = await start(['sync'], { env: { ...debug, NODE_OPTIONS: '--stack-trace-limit=20' } })
  expect(compiled(elsewhere)).toEqual({ code: 64, used: [], rejected: [] })
})

function compiled({ code, stdout, stderr }: Awaited<ReturnType<typeof start>>) {
  const found = (how: string) => `${stdout}${stderr}`.match(new RegExp(`\\S+ was ${how}`, 'g')) ?? []
  return { code, used: found('accepted'), rejected: found('rejected') }
}
