/** Who may import whom: docs/design.md, "Folders". The house stays as it was drawn. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const source = join(import.meta.dirname, '..', 'src')

/** A folder of src → the folders it may import, beside itself. Files right in src compose, and may import all. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  connector: [],
  zendesk: ['connector'],
  sync: ['connector', 'zendesk'],
  controller: ['connector'],
  kube: ['connector'],
  // The ports that it counts for.
  metrics: ['connector', 'controller', 'kube'],
}

/** A package → the only folders that import it; others are free. */
const reserved: Readonly<Record<string, readonly string[]>> = {
  '@kubernetes/client-node': ['kube'],
  undici: ['zendesk', 'sync', 'kube'],
  '@aws-sdk/client-s3': ['sync'],
  'prom-client': ['metrics'],
  commander: ['.'],
  pino: ['.'],
  yaml: ['.', 'kube'],
}

type Import = { readonly file: string; readonly folder: string; readonly target: string }

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

function folderOf(file: string): string {
  const [first = '.', ...rest] = file.split('/')
  return rest.length === 0 ? '.' : first
}

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(source, file), 'utf8')
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map((match) => ({
    file,
    folder: folderOf(file),
    target: match[1] ?? '',
  }))
})

test('every folder of src has its place in the house', () => {
  const folders = new Set(files.map(folderOf).filter((folder) => folder !== '.'))
  expect([...folders].filter((folder) => mayImport[folder] === undefined)).toEqual([])
  expect(imports.length).toBeGreaterThan(50)
})

test('a folder imports only those that it may know', () => {
  const strangers = imports
    .filter(({ target, folder }) => target.startsWith('.') && folder !== '.')
    .filter(({ file, folder, target }) => {
      const to = folderOf(relative(source, normalize(join(source, dirname(file), target))))
      return to !== folder && !mayImport[folder]?.includes(to)
    })
  expect(strangers).toEqual([])
})

test('a package that belongs to one folder is imported nowhere else', () => {
  const strangers = imports.filter(({ folder, target }) => reserved[target]?.includes(folder) === false)
  expect(strangers).toEqual([])
})

test('what a connector is knows nothing but zod', () => {
  const others = imports.filter(
    ({ folder, target }) => folder === 'connector' && !target.startsWith('.') && target !== 'zod',
  )
  expect(others).toEqual([])
})
