/**
 * `npm run image`: builds the image with what this machine has, and tells how large it is, what is in it and how soon it
 * starts. Writes the image's bill (SBOM) into `dist/`. Ends with one line of JSON.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { textTable } from '../src/text-table.ts'
import { isOurs, type Layer, readImage } from './image-archive.ts'
import { type Builder, findBuilder, output } from './image-builder.ts'

const root = join(import.meta.dirname, '..')
const bill = join(root, 'dist', 'sbom.cdx.json')

const help = `npm run image [-- --tag NAME] [--base IMAGE] [--build-base IMAGE] [--source URL]

Builds the image with docker, podman or buildah, whichever is there, and tells its size and its time to start.

  --tag NAME          its name; default: zendesk-connector:VERSION
  --base IMAGE        what it runs on, with Node 24; default: that of the Dockerfile
  --build-base IMAGE  what it is built in, with Node 24 and npm; default: that of the Dockerfile
  --source URL        where its sources are, for its label`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string' },
      base: { type: 'string' },
      'build-base': { type: 'string' },
      source: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const tag = values.tag ?? `zendesk-connector:${version}`
  const builder = await findBuilder()
  await builder.build(tag, root, {
    VERSION: version,
    REVISION: await revision(),
    ...(values.source && { SOURCE: values.source }),
    ...(values.base && { BASE_IMAGE: values.base }),
    ...(values['build-base'] && { BUILD_IMAGE: values['build-base'] }),
  })
  await report(builder, tag)
}

/** The commit; with a mark, if the sources are not those of the commit. */
const revision = () =>
  output('git', ['-C', root, 'describe', '--always', '--abbrev=40', '--exclude=*', '--dirty']).catch(() => '')

async function report(builder: Builder, tag: string): Promise<void> {
  const layers = await layersOf(builder, tag)
  const ours = layers.filter(isOurs)
  const [files] = ours
  const sbom = files?.entries.find(({ path }) => path === 'app/sbom.cdx.json')
  if (files === undefined || sbom === undefined) throw new Error(`${tag} has no layer with /app/sbom.cdx.json.`)
  await mkdir(join(root, 'dist'), { recursive: true })
  await writeFile(bill, sbom.content)
  const { node, start } = JSON.parse(await builder.evaluate(tag, stopwatch))
  const bytes = sum(layers)
  const rows = layers.map((layer) => [
    layer.digest,
    isOurs(layer) ? nameOf(layer) : 'base',
    megabytes(layer.tar.length),
  ])
  console.log(textTable([['LAYER', 'WITH', 'SIZE'], ...rows, ['', 'all', megabytes(bytes)]], [2]))
  console.log(`Time to start: ${start} ms, where node -e 0 takes ${node} ms. Bill of materials: dist/sbom.cdx.json`)
  const told = { image: tag, builder: builder.name, bytes, baseBytes: bytes - sum(ours), ourBytes: sum(ours) }
  console.log(JSON.stringify({ ...told, ourLayer: files.digest, layers: layers.length, startMs: start, nodeMs: node }))
}

async function layersOf(builder: Builder, tag: string): Promise<readonly Layer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-image-'))
  try {
    await builder.save(tag, join(folder, 'image.tar'))
    return (await readImage(join(folder, 'image.tar'))).layers
  } finally {
    await rm(folder, { recursive: true })
  }
}

const nameOf = ({ entries }: Layer) =>
  entries.some(({ path }) => path === 'app/main.js') ? 'program' : 'compiled code'
const sum = (layers: readonly Layer[]): number => layers.reduce((all, { tar }) => all + tar.length, 0)
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/**
 * Run by Node in the image, so that the container's own start is not counted. `sync` without orders has loaded all that it
 * starts with, and ends with 64.
 */
const stopwatch = `
const { spawnSync } = require('node:child_process')
const once = (args, expected) => {
  const began = performance.now()
  const { status } = spawnSync(process.execPath, args)
  if (status !== expected) throw new Error(args.join(' ') + ' ended with ' + status)
  return performance.now() - began
}
const turns = Array.from({ length: 11 }, () => [once(['-e', '0'], 0), once(['/app/main.js', 'sync'], 64)])
const median = (which) => Math.round(turns.map((turn) => turn[which]).sort((a, b) => a - b)[5])
console.log(JSON.stringify({ node: median(0), start: median(1) }))
`

await main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
