/** The documentation as tests read it: pages, their fenced blocks, and the commands in these. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')
/** Names of the files in docs/. */
export const inDocs = readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'))
/** A file of the repository as text. */
export const read = (file: string): string => readFileSync(join(root, file), 'utf8')

export type Block = {
  /** `page:line`. */
  readonly at: string
  /** What stands after the fence; often nothing. */
  readonly language: string
  readonly text: string
}

/** The fenced blocks of a page. */
export function blocksOf(page: string): Block[] {
  const text = read(page)
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    at: `${page}:${text.slice(0, match.index).split('\n').length}`,
    language: match[1] ?? '',
    text: match[2] ?? '',
  }))
}

/** The lines of a block as a shell takes them: those that go on are put together. */
export const linesOf = ({ text }: Block): string[] =>
  text
    .trimEnd()
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')

/** A page without its fenced blocks. */
export const proseOf = (page: string): string => read(page).replace(/^```[\s\S]*?^```$/gm, '')
