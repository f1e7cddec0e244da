/**
 * The program as it is shipped: one small file to start with, and chunks that are loaded when something needs them, so
 * that a sync run reads neither the operator nor a library that it does not use. Nothing outside the folder is needed to
 * run it. The same sources make the same bytes, wherever they lie.
 */
import { chmod, copyFile, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'
import { packagesIn } from './packages.ts'
import { sbomOf } from './sbom.ts'

const root = join(import.meta.dirname, '..')

/**
 * Writes `entry` as JavaScript, its chunks, the licenses and a bill (SBOM) of all that is in them into `folder`; what was
 * there goes. Resolves with esbuild's account of what is where. `SOURCE_DATE_EPOCH` is the time that all of it gets.
 */
export async function bundle(folder: string, entry = 'src/main.ts'): Promise<Metafile> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Not minified: names in stack traces are worth more than the few milliseconds, and compiled code is cached anyway.
    minify: false,
    legalComments: 'none',
    // Libraries in the older format ask for Node's own modules in the older way.
    banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
    plugins: [onlyWhatIsUsedOfZod, onlyWhatIsUsedOfUndici],
    metafile: true,
    logLevel: 'warning',
  })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n')
  await copyFile(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  await writeFile(join(folder, 'LICENSES.txt'), await licensesOf(metafile))
  await writeFile(join(folder, 'sbom.cdx.json'), await sbomOf(metafile))
  const epoch = process.env.SOURCE_DATE_EPOCH
  if (epoch !== undefined) await settle(folder, Number(epoch))
  return metafile
}

/** esbuild takes along all of zod, with its messages in 50 languages, unless it is imported as a namespace. */
const onlyWhatIsUsedOfZod: Plugin = {
  name: 'only what is used of zod',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      return { contents: text.replace("import { z } from 'zod'", "import * as z from 'zod'"), loader: 'ts' }
    })
  },
}

/** undici's index loads fetch, WebSocket, caches and mocks. An import of more than this ends the build. */
const partOfUndici = `
import connect from 'undici/lib/api/api-connect.js'
import send from 'undici/lib/api/api-request.js'
import buildConnector from 'undici/lib/core/connect.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import EnvHttpProxyAgent from 'undici/lib/dispatcher/env-http-proxy-agent.js'
import Pool from 'undici/lib/dispatcher/pool.js'
Object.assign(Dispatcher.prototype, { connect, request: send })
export { Agent, buildConnector, EnvHttpProxyAgent, Pool }
export function request(url, { dispatcher, method = 'GET', ...options }) {
  const { origin, pathname, search } = new URL(url)
  return dispatcher.request({ ...options, method, origin, path: pathname + search })
}
`

const onlyWhatIsUsedOfUndici: Plugin = {
  name: 'only what is used of undici',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^undici$/ }, ({ importer }) =>
      importer.startsWith(join(root, 'src')) ? { path: 'undici', namespace: 'part' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'part' }, () => ({ contents: partOfUndici, resolveDir: root, loader: 'js' }))
  },
}

/** The licenses of all that is in the bundle, by package. */
async function licensesOf(metafile: Metafile): Promise<string> {
  const texts = (await packagesIn(metafile)).map(async ({ folder, name, version, license }) => {
    const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort()
    const read = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
    return [`${name} ${version} (${license})`, ...read.map((text) => text.trim())].join('\n\n')
  })
  return `${(await Promise.all(texts)).join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/** Makes an archive of the folder the same, whoever writes it and when. */
async function settle(folder: string, seconds: number): Promise<void> {
  for (const name of await readdir(folder)) {
    await chmod(join(folder, name), 0o644)
    await utimes(join(folder, name), seconds, seconds)
  }
  await chmod(folder, 0o755)
  await utimes(folder, seconds, seconds)
}
