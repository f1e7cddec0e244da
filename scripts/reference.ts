/** docs/reference.md as text: the resource field by field, made from the definition that the API server is given. */

import { REASONS } from '../src/connector/reasons.ts'
import {
  GROUP,
  KIND,
  RESYNC_REQUESTED_AT,
  SYNC_REQUESTED_AT,
  TEST_REQUESTED_AT,
  VERSION,
} from '../src/connector/schema.ts'
import { customResourceDefinition } from './crd.ts'

type Field = { readonly path: string; readonly schema: Readonly<Record<string, unknown>>; readonly required: boolean }

/** What a person asks for by an annotation. Others are not looked at. */
const ANNOTATIONS = {
  [TEST_REQUESTED_AT]: 'Tests the connection now, even during a run.',
  [SYNC_REQUESTED_AT]: 'Starts a run now, or as soon as the active run ends.',
  [RESYNC_REQUESTED_AT]: 'Starts a run now that retakes all snapshots.',
}

/** The whole page. */
export function referencePage(): string {
  const { openAPIV3Schema, columns } = definition()
  const fields = fieldsOf(openAPIV3Schema, '')
  const below = (root: string) => fields.filter(({ path }) => path.startsWith(`${root}.`))
  return `# Reference

<!-- Generated from src/connector/schema.ts and status.ts by \`npm run reference\`. Do not edit. -->

\`${KIND}\`, \`apiVersion: ${GROUP}/${VERSION}\`, namespaced, short name \`zdc\`, category \`cloudapps\`. The same text
is available in the cluster: \`kubectl explain zendeskconnector.spec --recursive\`.

\`metadata.name\` has at most 63 characters, because it is a label value of the connector's Jobs and pods.

## Spec

${table(['field', 'type', 'default', 'description'], below('spec').map(specRow))}

## Status

Only the operator writes the status. \`status.conditions\` always has \`Ready\`, \`Connected\` and \`Synced\`, and
\`Reconciling\` or \`Stalled\` only while true; [design.md](design.md#reconcile) says when. Reasons are in
[reasons.md](reasons.md).

${table(['field', 'type', 'description'], below('status').map(statusRow))}

## Annotations

Each new value takes effect once. Any text works, such as the current time. The status contains the handled values.

${table(
  ['annotation', 'description'],
  Object.entries(ANNOTATIONS).map(([name, what]) => [`\`${name}\``, what]),
)}

## Columns

The columns of \`kubectl get zdc\` and \`kubectl get zdc -o wide\`.

${table(
  ['column', 'printed', 'field', 'description'],
  columns.map(({ name, priority, jsonPath, description }) => [
    name.toUpperCase(),
    priority === 1 ? 'with `-o wide`' : 'always',
    `\`${jsonPath}\``,
    description ?? describedAt(fields, jsonPath),
  ]),
)}
`
}

type Column = {
  readonly name: string
  readonly jsonPath: string
  readonly description?: string
  readonly priority?: number
}

function definition() {
  const { versions } = customResourceDefinition().spec as {
    versions: [{ schema: { openAPIV3Schema: Record<string, unknown> }; additionalPrinterColumns: readonly Column[] }]
  }
  const [{ schema, additionalPrinterColumns }] = versions
  return { openAPIV3Schema: schema.openAPIV3Schema, columns: additionalPrinterColumns }
}

/** All fields below a schema, each before those within it; `[]` stands for each element of a list. */
function fieldsOf(schema: Readonly<Record<string, unknown>>, path: string): Field[] {
  const { properties, items, required = [] } = schema
  if (isRecord(items)) return fieldsOf(items, `${path}[]`)
  return Object.entries(isRecord(properties) ? properties : {}).flatMap(([name, one]) => {
    if (!isRecord(one)) return []
    const below = path === '' ? name : `${path}.${name}`
    return [{ path: below, schema: one, required: (required as string[]).includes(name) }, ...fieldsOf(one, below)]
  })
}

const specRow = (field: Field): string[] => {
  const { path, schema, required } = field
  const rules = [schema, isRecord(schema.items) ? schema.items : {}].flatMap(rulesOf).map((one) => `Rule: ${one}.`)
  return [`\`${path}\``, typeOf(schema), defaultOf(schema, required), [schema.description, ...rules].join(' ')]
}

const statusRow = ({ path, schema }: Field): string[] => [
  `\`${path}\``,
  typeOf(schema),
  String(schema.description ?? ''),
]

function rulesOf(schema: Readonly<Record<string, unknown>>): string[] {
  const rules = (schema['x-kubernetes-validations'] ?? []) as { readonly message: string }[]
  return rules.map(({ message }) => message)
}

function defaultOf(schema: Readonly<Record<string, unknown>>, required: boolean): string {
  if (required) return '**required**'
  const value = schema.default
  // An object's default is that of its fields.
  if (value === undefined || isRecord(value)) return ''
  return `\`${Array.isArray(value) ? `[${value.join(', ')}]` : value}\``
}

function typeOf(schema: Readonly<Record<string, unknown>>): string {
  const { type, format, minimum, maximum, minLength, maxLength, minItems, maxItems, items } = schema
  if (isReason(schema.enum)) return '[reason](reasons.md)'
  if (rulesOf(schema).some((rule) => rule.startsWith('must be a duration'))) return 'duration'
  if (Array.isArray(schema.enum)) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (type === 'integer') return `integer${range(minimum, maximum)}`
  if (type === 'string') return format === 'date-time' ? 'time' : `string${range(minLength, maxLength, ' characters')}`
  if (type === 'array' && isRecord(items)) {
    const set = schema['x-kubernetes-list-type'] === 'set' ? ', unique' : ''
    return `list${range(minItems, maxItems)}${set}, of ${isRecord(items.properties) ? 'objects' : typeOf(items)}`
  }
  return String(type)
}

const isReason = (words: unknown) => Array.isArray(words) && words.length > 0 && words.every((one) => one in REASONS)

function range(from: unknown, to: unknown, unit = ''): string {
  if (from !== undefined && to !== undefined) return `, ${from} to ${to}${unit}`
  if (to !== undefined) return `, at most ${to}${unit}`
  return from === undefined ? '' : `, at least ${from}${unit}`
}

/** What a column without words of its own shows: a field of ours, or when the object was made. */
function describedAt(fields: readonly Field[], jsonPath: string): string {
  const path = jsonPath.slice(1).replace(/\[[^\]]*\]/, '[]')
  return String(fields.find((one) => one.path === path)?.schema.description ?? 'Creation time.')
}

/** A bar within a cell would end it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
