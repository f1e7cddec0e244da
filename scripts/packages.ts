/** Whose code is in a bundle. What esbuild read and then left out does not count. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** A package by the path of one of its modules; a package may be there twice, in two versions. */
const pattern = /^(?:.*\/)?(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//

export type Package = {
  /** As package-lock.json names it: where it is installed. */
  readonly path: string
  readonly folder: string
  readonly name: string
  readonly version: string
  /** SPDX identifier or expression. */
  readonly license: string
}

/** Path of the package that a module of the bundle is of; undefined, if it is our own. */
export const packageOf = (module: string): string | undefined => pattern.exec(module)?.[1]

/** The packages that have code in the bundle, by name. */
export async function packagesIn({ outputs }: Metafile): Promise<Package[]> {
  const modules = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([module, { bytesInOutput }]) => (bytesInOutput > 0 ? [module] : [])),
  )
  const paths = [...new Set(modules.flatMap((module) => packageOf(module) ?? []))].sort()
  return Promise.all(
    paths.map(async (path) => {
      const folder = join(root, path)
      const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
      return { path, folder, name, version, license }
    }),
  )
}
