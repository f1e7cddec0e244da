/** The documentation, held to what it speaks of: links lead somewhere, commands and fields exist, generated pages are fresh. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { reasonsPage } from '../../scripts/reasons.ts'
import { referencePage } from '../../scripts/reference.ts'
import { REASONS } from '../../src/connector/reasons.ts'
import { inOneLine, readManifests } from '../../src/manifest.ts'
import { blocksOf, inDocs, linesOf, proseOf, read, root } from '../support/docs.ts'

const program = promisify(execFile)
const pages = ['README.md', 'CONTRIBUTING.md', ...inDocs.map((file) => `docs/${file}`)]

/** A command as it is typed, continued lines put together. */
type Typed = { readonly at: string; readonly text: string }

const spansOf = (page: string) => [...proseOf(page).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '')

/** What a shell would be given: in blocks and, as tables have them, between backticks. */
function typedIn(page: string): Typed[] {
  const inBlocks = blocksOf(page)
    .filter(({ language }) => language !== 'yaml')
    .flatMap((block) => linesOf(block).map((text) => ({ at: block.at, text })))
  const between = spansOf(page).map((text) => ({ at: page, text }))
  return [...inBlocks, ...between].flatMap(({ at, text }) =>
    text
      .replace(/(^|\s)#.*$/, '')
      .split(/\s(?:&&|\||&|;)(?:\s|$)/)
      .map((one) => ({ at, text: one.replace(/^\$ /, '').trim() })),
  )
}

const typed = pages.flatMap(typedIn)
const beginningWith = (start: RegExp) => typed.filter(({ text }) => start.test(text))
/** GitHub's anchors. */
const slug = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

function anchorsOf(file: string): string[] {
  return [...proseOf(file).matchAll(/^#{1,6} (.+)$/gm)].map((match) => slug(match[1] ?? ''))
}

type Link = { readonly page: string; readonly target: string }
const links: Link[] = pages.flatMap((page) =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({ page, target: match[1] ?? '' })),
)

/** Path of the file that a link leads to. */
function fileOf({ page, target }: Link): string {
  const [path = ''] = target.split('#')
  return path === '' ? page : relative(root, resolve(root, dirname(page), path))
}

const isBroken = (link: Link) => {
  const file = fileOf(link)
  if (!existsSync(join(root, file))) return true
  const [, anchor] = link.target.split('#')
  return anchor !== undefined && !anchorsOf(file).includes(anchor)
}

describe('links', () => {
  it('lead to a file and a heading that are there', () => {
    const own = links.filter(({ target }) => !/^https?:/.test(target))
    expect(own.length).toBeGreaterThan(20)
    expect(own.filter(isBroken)).toEqual([])
  })

  it('lead to every page of docs/ from another', () => {
    const reached = links.map(({ page, target }) => ({ page, to: fileOf({ page, target }) }))
    expect(inDocs.filter((file) => !reached.some(({ page, to }) => page !== to && to === `docs/${file}`))).toEqual([])
  })
})

describe('generated pages: run `npm run reference` after a change', () => {
  it('docs/reference.md says what the schema says', () => expect(read('docs/reference.md')).toBe(referencePage()))

  it('docs/reasons.md says what the reasons say', () => expect(read('docs/reasons.md')).toBe(reasonsPage()))

  it('every reason has an anchor, what it means, and a cure where somebody must act', () => {
    const anchors = anchorsOf('docs/reasons.md')
    const lacking = Object.entries(REASONS).filter(
      ([name, entry]) =>
        !anchors.includes(name.toLowerCase()) || !entry.means.endsWith('.') || (entry.lasting && !('cure' in entry)),
    )
    expect(lacking).toEqual([])
  })
})

describe('commands', async () => {
  const helps = await helpsOf(['operator', 'sync', 'test', 'status'])

  test('of npm are scripts of package.json', () => {
    const { scripts } = parse(read('package.json')) as { scripts: Readonly<Record<string, string>> }
    const run = beginningWith(/^npm run /)
    expect(run.length).toBeGreaterThan(5)
    const name = ({ text }: Typed) => /^npm run (?:-s )?(\S+)/.exec(text)?.[1] ?? ''
    expect(run.filter((one) => !Object.hasOwn(scripts, name(one)))).toEqual([])
  })

  test('of zendesk-connector exist, and so do their flags', () => {
    const own = beginningWith(/^(?:npm run (?:-s )?zendesk-connector -- |zendesk-connector |docker run )/)
    expect(own.length).toBeGreaterThan(3)
    const unknown = own.filter(({ text }) => {
      const [command = '', ...words] = text.replace(/^.*?zendesk-connector(?::\S+)? (?:-- )?/, '').split(/\s+/)
      const help = helps.get(command)
      return help === undefined || flagsIn(words).some((flag) => !help.includes(flag))
    })
    expect(unknown).toEqual([])
  })

  test('of zendesk-connector that need neither a cluster nor Zendesk do what the page says', async () => {
    const offline = beginningWith(/^npm run (?:-s )?zendesk-connector -- .*--offline/)
    expect(offline.length).toBeGreaterThan(0)
    for (const { text } of offline) {
      const words = text.replace(/^.*?zendesk-connector -- /, '').split(/\s+/)
      await expect(
        program(process.execPath, [join(root, 'src/main.ts'), ...words], { cwd: root }),
      ).resolves.toBeDefined()
    }
  })

  test('flags that stand alone are flags of zendesk-connector, or of a script of ours', () => {
    const known = new Set([...helps.values()].flat())
    const ofScripts = beginningWith(/^npm run /).flatMap(({ text }) => flagsIn(text.split(/\s+/)))
    const alone = pages
      .filter((page) => page !== 'CONTRIBUTING.md')
      .flatMap((page) => spansOf(page).map((text) => ({ page, text })))
      .filter(({ text }) => /^--[a-z]/.test(text))
    expect(alone.length).toBeGreaterThan(3)
    const isKnown = (flag: string) => known.has(flag) || ofScripts.includes(flag)
    expect(alone.filter(({ text }) => !flagsIn(text.split(/\s+/)).every(isKnown))).toEqual([])
  })

  test('name files of this repository that are there', () => {
    const ours = /^(?:examples|deploy|charts|gitops|crds|docs|src|test|scripts)(?:\/[\w./-]+)?$/
    // To kubectl deploy/NAME is a Deployment: its files come after a flag, and those in no folder are the reader's own.
    const pathsIn = (text: string) => {
      const words = text.split(/\s+/)
      if (!text.startsWith('kubectl')) return words.filter((word) => ours.test(word))
      return words.filter((word, index) => /^-[fk]$/.test(words[index - 1] ?? '') && !/^(?:-|[\w-]+\.yaml)$/.test(word))
    }
    const paths = typed.flatMap(({ at, text }) => pathsIn(text).map((word) => ({ at, word })))
    expect(paths.length).toBeGreaterThan(10)
    expect(paths.filter(({ word }) => !existsSync(join(root, word)))).toEqual([])
  })

  test('and texts set values that the chart has', () => {
    const values: unknown = parse(read('charts/zendesk-connector/values.yaml'))
    const set = beginningWith(/^helm /).flatMap(({ text }) =>
      [...text.matchAll(/--set '?([\w.]+)=/g)].map((match) => match[1] ?? ''),
    )
    const told = pages.flatMap((page) =>
      [...proseOf(page).matchAll(/chart: `([\w.]+)`/g)].map((match) => match[1] ?? ''),
    )
    expect(set.length).toBeGreaterThan(0)
    const has = (path: string) =>
      path.split('.').reduce<unknown>((at, key) => Reflect.get(Object(at), key), values) !== undefined
    expect([...set, ...told].filter((path) => !has(path))).toEqual([])
  })

  test('patch, annotate and select by names that the resource has', () => {
    const text = referencePage()
    const annotations = typed.flatMap(({ at, text: one }) =>
      [...one.matchAll(/(?<!=)\bcloudapps\.security\/([\w-]+-requested-at)/g)].map((match) => ({
        at,
        name: match[1] ?? '',
      })),
    )
    expect(annotations.length).toBeGreaterThan(3)
    expect(annotations.filter(({ name }) => !text.includes(`cloudapps.security/${name}\``))).toEqual([])
    const fields = pages.flatMap((page) => spansOf(page).map((field) => ({ page, field })))
    const ofResource = fields.filter(({ field }) => /^(?:spec|status)\.[\w.]+$/.test(field))
    expect(ofResource.length).toBeGreaterThan(10)
    expect(ofResource.filter(({ field }) => !text.includes(`\`${field}\``))).toEqual([])
  })
})

describe('YAML in the docs', () => {
  const yaml = pages.flatMap(blocksOf).filter(({ language }) => language === 'yaml')

  it('is YAML', () => {
    expect(yaml.length).toBeGreaterThan(1)
    const broken = yaml.filter(({ text }) => parseAllDocuments(text).some(({ errors }) => errors.length > 0))
    expect(broken).toEqual([])
  })

  it('holds connectors that the API server would take', () => {
    const { connectors, problems } = readManifests(yaml.map(({ at, text }) => ({ name: at, text, found: false })))
    expect(connectors.length).toBeGreaterThan(1)
    expect([...problems, ...connectors.flatMap(({ wrong }) => wrong)].map(inOneLine)).toEqual([])
  })
})

/** Command → its flags, as `--help` tells them. */
async function helpsOf(commands: readonly string[]): Promise<Map<string, string[]>> {
  const helps = commands.map(async (command) => {
    const { stdout } = await program(process.execPath, [join(root, 'src/main.ts'), command, '--help'])
    return [command, flagsIn(stdout.split(/[\s,]+/))] as const
  })
  return new Map(await Promise.all(helps))
}

/** The flags among words, each without its value. */
function flagsIn(words: readonly string[]): string[] {
  return words.flatMap((word) => /^(--?[a-z][a-z-]*)(?:=.*)?$/.exec(word)?.[1] ?? [])
}
