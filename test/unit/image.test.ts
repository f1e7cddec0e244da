/** What the image is made from, and how it is read and built, as far as no image is needed to see it. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { bundle } from '../../scripts/bundle.ts'
import { isOurs, readImage } from '../../scripts/image-archive.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')
let folder: string
/** What is shipped. */
let dist: string
const files = new Map<string, string>()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-'))
  vi.stubEnv('SOURCE_DATE_EPOCH', '0')
  dist = join(folder, 'dist')
  await bundle(dist)
  vi.unstubAllEnvs()
  for (const name of await readdir(dist)) files.set(name, await readFile(join(dist, name), 'utf8'))
}, 120_000)
afterAll(() => rm(folder, { recursive: true }))

const fileOf = (name: string): string => files.get(name) ?? ''
const json = async (name: string) => JSON.parse(await readFile(join(root, name), 'utf8'))

/** Packages by the remarks that esbuild leaves before each module in the code itself. */
const bundled = () =>
  new Set(
    [...files].flatMap(([name, text]) =>
      name.endsWith('.js')
        ? [...text.matchAll(/^(?:\/\/| {2}") ?(?:.*\/)?node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm)].map(
            ([, one]) => one,
          )
        : [],
    ),
  )

describe('the bill of materials', () => {
  const reference = z.string().startsWith('pkg:npm/')
  const described = z.object({
    'bom-ref': reference,
    group: z.string().startsWith('@').optional(),
    name: z.string().regex(/^[^@/]+$/),
    version: z.string().regex(/^\d+\.\d+\.\d+/),
    purl: reference,
    // What comes new is to be looked at by a person, here.
    licenses: z.tuple([
      z.strictObject({
        license: z.strictObject({ id: z.enum(['Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense']) }),
      }),
    ]),
  })
  const cycloneDx = z.strictObject({
    $schema: z.literal('http://cyclonedx.org/schema/bom-1.6.schema.json'),
    bomFormat: z.literal('CycloneDX'),
    specVersion: z.literal('1.6'),
    version: z.literal(1),
    metadata: z.strictObject({
      lifecycles: z.tuple([z.strictObject({ phase: z.literal('build') })]),
      component: z.strictObject({ ...described.shape, type: z.literal('application'), description: z.string() }),
    }),
    components: z.array(
      z.strictObject({
        ...described.shape,
        type: z.literal('library'),
        hashes: z.tuple([z.strictObject({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) })]),
      }),
    ),
    dependencies: z.array(z.strictObject({ ref: reference, dependsOn: z.array(reference) })),
  })
  const bill = () => cycloneDx.parse(JSON.parse(fileOf('sbom.cdx.json')))
  const nameOf = ({ group, name }: { group?: string | undefined; name: string }) => (group ? `${group}/${name}` : name)

  test('lists exactly the packages that have code in the bundle, once each', () => {
    const names = bill().components.map(nameOf)
    expect(names.length).toBeGreaterThan(20)
    expect(new Set(names)).toEqual(bundled())
    const references = bill().components.map((component) => component['bom-ref'])
    expect(references).toEqual([...new Set(references)].sort())
  })

  test('names the version and the hash under which npm installs each', async () => {
    const { packages } = await json('package-lock.json')
    const installed = new Set(
      Object.entries<{ version: string; integrity: string }>(packages).map(
        ([path, { version, integrity }]) => `${path.replace(/^.*node_modules\//, '')} ${version} ${integrity}`,
      ),
    )
    for (const component of bill().components) {
      const [{ content }] = component.hashes
      const integrity = `sha512-${Buffer.from(content, 'hex').toString('base64')}`
      expect(installed).toContain(`${nameOf(component)} ${component.version} ${integrity}`)
      expect(decodeURIComponent(component.purl)).toBe(`pkg:npm/${nameOf(component)}@${component.version}`)
    }
  })

  test('leads from the program to each of them', () => {
    const { metadata, components, dependencies } = bill()
    const asks = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
    const reached = new Set([metadata.component['bom-ref']])
    for (const one of reached) for (const other of asks.get(one) ?? []) reached.add(other)
    expect([...reached].sort()).toEqual([metadata.component, ...components].map((one) => one['bom-ref']).sort())
    expect([...asks.keys()].sort()).toEqual([...reached].sort())
  })

  test('agrees with the texts of the licenses', () => {
    const titles = bill().components.map((one) => `${nameOf(one)} ${one.version} (${one.licenses[0].license.id})`)
    const texts = fileOf('LICENSES.txt').split(`\n\n${'-'.repeat(80)}\n\n`)
    expect(texts.map((text) => text.split('\n', 1)[0]).sort()).toEqual(titles.sort())
  })
})

describe('the folder that is shipped', () => {
  const beside = ['LICENSE', 'LICENSES.txt', 'package.json', 'sbom.cdx.json']

  test('holds what the program may load, the licenses and the bill, and nothing else', () => {
    const loaded = new Set(['main.js'])
    for (const name of loaded) {
      for (const [, other = ''] of fileOf(name).matchAll(/(?:from |import |import\()"\.\/([^"]+)"/g)) loaded.add(other)
    }
    expect([...files.keys()].sort()).toEqual([...loaded, ...beside].sort())
  })

  test('is as old as SOURCE_DATE_EPOCH says, and all may read it', async () => {
    for (const path of [dist, ...[...files.keys()].map((name) => join(dist, name))]) {
      const { mtimeMs, mode } = await stat(path)
      expect({ path, mtimeMs, mode: mode & 0o777 }).toEqual({ path, mtimeMs: 0, mode: path === dist ? 0o755 : 0o644 })
    }
  })
})

describe('the Dockerfile', () => {
  test('is sent what it copies, and nothing else', async () => {
    const { text } = await dockerfile()
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
    const sent = (await readFile(join(root, '.dockerignore'), 'utf8')).match(/^[*!].*$/gm)
    expect(sent).toEqual(['*', ...[...new Set(copied.map((name) => `!${name.split('/')[0]}`))].sort()])
  })

  test('labels the image as package.json describes the project', async () => {
    const { text, label } = await dockerfile()
    const { name, version, description, license } = await json('package.json')
    expect([label('title'), label('description'), label('licenses')]).toEqual([name, description, license])
    expect(text).toContain(`ARG VERSION=${version}\n`)
    expect([label('version'), label('revision'), label('source')]).toEqual([
      `\${VERSION}`,
      `\${REVISION}`,
      `\${SOURCE}`,
    ])
  })

  test('starts no shell where the program runs', async () => {
    const { text } = await dockerfile()
    const [, , ...stages] = text.split(/^FROM /m)
    expect(stages).toHaveLength(2)
    for (const stage of stages) expect(stage).not.toMatch(/^(?:RUN|CMD|ENTRYPOINT) (?!\[)/m)
  })

  async function dockerfile() {
    const text = await readFile(join(root, 'Dockerfile'), 'utf8')
    const label = (name: string) => new RegExp(`org\\.opencontainers\\.image\\.${name}="([^"]*)"`).exec(text)?.[1]
    return { text, label }
  }
})

describe('npm run image', () => {
  test('says in one sentence that nothing is there to build with', async () => {
    const image = run(process.execPath, [join(root, 'scripts', 'image.ts')], { env: { PATH: '/nowhere' } })
    await expect(image).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'None of docker, podman and buildah answers here: start or install one of them.\n',
    })
  })

  test('tells its own layers from those of the base, packed or not, with names of any length', async () => {
    const long = `${'a-folder-with-a-long-name/'.repeat(8)}file`
    const ours = await layer('ours', { 'app/main.js': 'program', [`app/${long}`]: 'deep' })
    const base = await layer('base', { 'app/main.js': 'of another', 'usr/bin/tool': 'tool' })
    await write(join(folder, 'image', 'config.json'), JSON.stringify({ config: { User: '65532' } }))
    const manifest = [{ Config: 'config.json', Layers: ['base.tar', 'ours.tar'] }]
    await write(join(folder, 'image', 'manifest.json'), JSON.stringify(manifest))
    await write(join(folder, 'image', 'base.tar'), gzipSync(base))
    await write(join(folder, 'image', 'ours.tar'), ours)

    await tar('image')
    const { layers, config } = await readImage(join(folder, 'image.tar'))
    expect(config).toEqual({ User: '65532' })
    expect(layers.map(({ digest }) => digest)).toEqual([base, ours].map(digestOf))
    expect(layers.map(isOurs)).toEqual([false, true])
    const files = layers[1]?.entries.filter(({ type }) => type === 'file') ?? []
    expect(Object.fromEntries(files.map(({ path, content }) => [path, content.toString()]))).toEqual({
      'app/main.js': 'program',
      [`app/${long}`]: 'deep',
    })
  })

  const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const tar = (name: string) =>
    run('tar', ['--format=pax', '-cf', `${name}.tar`, '-C', name, ...names(name)], { cwd: folder })
  const names = (name: string) => readdirSync(join(folder, name))

  async function layer(name: string, content: Readonly<Record<string, string>>): Promise<Buffer> {
    for (const [path, text] of Object.entries(content)) await write(join(folder, name, path), text)
    await tar(name)
    return readFile(join(folder, `${name}.tar`))
  }

  async function write(path: string, content: string | Buffer): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
})
