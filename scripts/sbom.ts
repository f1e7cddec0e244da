/**
 * What the program is made of, as CycloneDX: exactly the packages whose code is in the bundle, with the hashes under which
 * npm installed them, and which of them asks for which. It tells neither time nor serial number: the same sources make the
 * same document. Node is not in it, because the base image brings it and tells of it itself.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import { type Package, packageOf, packagesIn } from './packages.ts'

const root = join(import.meta.dirname, '..')

/** The document for a bundle, as text. */
export async function sbomOf(metafile: Metafile): Promise<string> {
  const [own, lock, packages] = await Promise.all([
    json('package.json'),
    json('package-lock.json'),
    packagesIn(metafile),
  ])
  const references = new Map(packages.map(({ path, name, version }) => [path, purl(name, version)]))
  const main = purl(own.name, own.version)
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      lifecycles: [{ phase: 'build' }],
      component: { ...described('application', own), description: own.description },
    },
    components: byReference(
      packages.map((one) => ({
        ...described('library', one),
        hashes: hashesOf(lock.packages[one.path]?.integrity),
      })),
    ),
    dependencies: dependenciesIn(metafile, main, references),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

const json = async (name: string) => JSON.parse(await readFile(join(root, name), 'utf8'))

const purl = (name: string, version: string): string => `pkg:npm/${name.replace('@', '%40')}@${version}`

function described(type: 'application' | 'library', { name, version, license }: Omit<Package, 'path' | 'folder'>) {
  const reference = purl(name, version)
  const [group, base] = name.startsWith('@') ? name.split('/') : [undefined, name]
  // Identifiers are words; what has more to it is an expression, such as `(MIT OR Apache-2.0)`.
  const licenses = /^[\w.+-]+$/.test(license) ? [{ license: { id: license } }] : [{ expression: license }]
  return { type, 'bom-ref': reference, ...(group && { group }), name: base, version, licenses, purl: reference }
}

/** From npm's base64 to the hexadecimal digits of CycloneDX. */
function hashesOf(integrity: unknown) {
  const [, content = ''] = /^sha512-(\S+)$/.exec(String(integrity)) ?? []
  if (content === '') throw new Error(`package-lock.json has ${integrity} where a sha512 hash should be.`)
  return [{ alg: 'SHA-512', content: Buffer.from(content, 'base64').toString('hex') }]
}

/** Who imports whom, by what esbuild saw. */
function dependenciesIn({ inputs }: Metafile, main: string, references: ReadonlyMap<string, string>) {
  const asked = new Map([main, ...references.values()].map((reference) => [reference, new Set<string>()]))
  const referenceOf = (module: string) => {
    const path = packageOf(module)
    return path === undefined ? main : references.get(path)
  }
  for (const [module, { imports }] of Object.entries(inputs)) {
    const from = referenceOf(module)
    for (const { path, external } of imports) {
      const to = external ? undefined : referenceOf(path)
      if (from !== undefined && to !== undefined && from !== to) asked.get(from)?.add(to)
    }
  }
  return [...asked]
    .map(([ref, dependsOn]) => ({ ref, dependsOn: [...dependsOn].sort() }))
    .sort((a, b) => compare(a.ref, b.ref))
}

/** Sorted, and each once. */
function byReference<T extends { readonly 'bom-ref': string }>(components: readonly T[]): T[] {
  const one = new Map(components.map((component) => [component['bom-ref'], component]))
  return [...one.values()].sort((a, b) => compare(a['bom-ref'], b['bom-ref']))
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))
