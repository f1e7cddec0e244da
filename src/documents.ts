/** YAML as objects that know where in their file each of their fields stands: a sentence about a field can point at it. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseAllDocuments } from 'yaml'
import { z } from 'zod'

/** Where something stands; line and column count from 1. */
export type Place = { readonly file: string; readonly line: number; readonly column: number }

/** Something to say to who wrote the manifests: an error keeps them from being applied or from working. */
export type Remark = {
  readonly level: 'error' | 'warning' | 'notice'
  readonly message: string
  readonly place: Place
}

export type FieldPath = readonly PropertyKey[]

/** One object of a file. */
export type Located = {
  readonly value: unknown
  /** Where a field stands; the nearest field around it, for one that is not there. */
  placeOf(path: FieldPath): Place
}

const list = z.object({ kind: z.string().regex(/List$/), items: z.array(z.unknown()) })

/** The objects of a text, those of the Lists that kubectl prints each by itself, and what is no YAML. */
export function readDocuments(
  text: string,
  file: string,
): { readonly objects: readonly Located[]; readonly problems: readonly Remark[] } {
  const lines = new LineCounter()
  const objects: Located[] = []
  const problems: Remark[] = []
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    // Of a text without a line there is none.
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const problem = (message: string, offset: number) => {
    problems.push({ level: 'error', message, place: at(offset) })
  }
  for (const document of parseAllDocuments(text, { ...asKubectlReads, lineCounter: lines })) {
    const broken = document.errors[0]
    const start = document.contents?.range[0] ?? 0
    if (broken !== undefined) {
      // Only the code: the parser's message may quote the text, which may be a Secret.
      problem(
        broken.code === 'DUPLICATE_KEY' ? 'Duplicate key: remove one.' : `Invalid YAML (${broken.code}).`,
        broken.pos[0],
      )
      continue
    }
    const value = plainValue(document)
    if (value === undefined) problem('Invalid YAML: check its aliases.', start)
    else objects.push(...objectsIn(value.value, document, at))
  }
  return { objects, problems }
}

/**
 * The dialect of Kubernetes' own parser: YAML 1.1, where `on` is true and 0777 is 511, but times are text and 1:30 is no
 * number.
 */
const asKubectlReads = {
  version: '1.1',
  merge: true,
  logLevel: 'silent',
  customTags: (tags: readonly unknown[]) =>
    tags.filter((tag) => {
      const { tag: name, format } = Object(tag) as { tag?: string; format?: string }
      return name !== 'tag:yaml.org,2002:timestamp' && format !== 'TIME'
    }) as never,
} as const

/** undefined: it has aliases that lead nowhere, or too many. */
function plainValue(document: Document.Parsed): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS() }
  } catch {
    return undefined
  }
}

function objectsIn(value: unknown, document: Document.Parsed, at: (offset: number) => Place): Located[] {
  const placeBelow = (prefix: FieldPath) => (path: FieldPath) => at(offsetOf(document, [...prefix, ...path]))
  const items = list.safeParse(value).data?.items
  if (items === undefined) return [{ value, placeOf: placeBelow([]) }]
  return items.map((item, index) => ({ value: item, placeOf: placeBelow(['items', index]) }))
}

/** As far down the path as the document goes. */
function offsetOf(document: Document.Parsed, path: FieldPath): number {
  let node: unknown = document.contents
  let offset = document.contents?.range[0] ?? 0
  for (const name of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(name))
      if (pair === undefined) break
      offset = (pair.key as ParsedNode).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      const item = node.items[Number(name)]
      if (item === undefined) break
      offset = (item as ParsedNode).range?.[0] ?? offset
      node = item
    } else {
      break
    }
  }
  return offset
}
