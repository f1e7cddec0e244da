/** The texts that `-f` names: files, folders with all that is below them, standard input. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { UsageError } from './config.ts'

/** What standard input is called in messages. */
export const STANDARD_INPUT = 'standard input'

export type Source = {
  /** Path as it was given, or as it was found below a folder that was given; STANDARD_INPUT. */
  readonly name: string
  readonly text: string
  /** Found in a folder, and not named itself: it may be there for something else. */
  readonly found: boolean
}

/** Each file once, in the order in which they are named; those of a folder by name. @throws UsageError in one sentence. */
export async function readSources(filenames: readonly string[]): Promise<readonly Source[]> {
  const sources = new Map<string, Source>()
  if (filenames.filter((name) => name === '-').length > 1) throw new UsageError('Standard input can only be read once.')
  for (const name of filenames) {
    for (const source of name === '-' ? [await fromStandardInput()] : await fromPath(name)) {
      const key = source.name === STANDARD_INPUT ? '-' : resolve(source.name)
      // One that is named counts as named, in whatever folder it was found before.
      if (!sources.has(key) || !source.found) sources.set(key, source)
    }
  }
  return [...sources.values()]
}

async function fromStandardInput(): Promise<Source> {
  return { name: STANDARD_INPUT, text: await text(process.stdin), found: false }
}

async function fromPath(name: string): Promise<readonly Source[]> {
  if (!(await readable(name, () => stat(name))).isDirectory()) {
    return [{ name, text: await readable(name, () => readFile(name, 'utf8')), found: false }]
  }
  const files = await readable(name, () => manifestsBelow(name))
  if (files.length === 0) throw new UsageError(`${name} contains no .yaml, .yml or .json file.`)
  const sources: Source[] = []
  // One after another: so many files may not be open at a time.
  for (const file of files) {
    sources.push({ name: file, text: await readable(file, () => readFile(file, 'utf8')), found: true })
  }
  return sources
}

/** Hidden folders are tools' own, such as `.git`. Links to folders are not followed: they may lead round. */
async function manifestsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const below = entries
    .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(async (entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return manifestsBelow(path)
      if (!/\.(ya?ml|json)$/.test(entry.name)) return []
      return (await stat(path)).isFile() ? [path] : []
    })
  return (await Promise.all(below)).flat()
}

async function readable<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${name} cannot be read (${code}).`)
  }
}
