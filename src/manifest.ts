/** Connectors, and what they need, as they are written for kubectl: read with no cluster, and with all that is wrong. */
import { z } from 'zod'
import { UsageError } from './config.ts'
import { GROUP, KIND, type Spec, spec, VERSION } from './connector/schema.ts'
import { type FieldPath, type Located, type Place, type Remark, readDocuments } from './documents.ts'
import { unknownFields } from './fields.ts'
import type { Source } from './manifest-files.ts'
import { isSecretMaker, type MadeSecret, readMaker } from './secret-makers.ts'

const kind = z.object({ apiVersion: z.string(), kind: z.string() })

/** As the API server has it; a name labels Jobs and pods, and is the name of a folder of `sync --out`. */
const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const connectorName = z
  .string()
  .max(63)
  .regex(new RegExp(`^${label}(\\.${label})*$`), "must be lower-case letters, digits, '-' and '.'")
const namespaceName = z
  .string()
  .max(63)
  .regex(new RegExp(`^${label}$`), "must be lower-case letters, digits and '-'")
const texts = z.record(z.string(), z.string()).optional()

const manifest = z.object({
  metadata: z.object({
    name: connectorName,
    namespace: namespaceName.optional(),
    labels: texts,
    annotations: texts,
  }),
  spec,
})

const named = z.object({ metadata: z.object({ name: z.string(), namespace: z.string().nullish() }) })

const base64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const encoded = z.string().refine((text) => base64.test(text.replaceAll(/[\r\n]/g, '')), {
  message: 'must be base64: put plain text into stringData',
})
const secretManifest = named.extend({
  data: z.record(z.string(), encoded).nullish(),
  stringData: z.record(z.string(), z.string()).nullish(),
  // SOPS: keys are to be read, values are not.
  sops: z.unknown().optional(),
})

export type ConnectorManifest = { readonly name: string; readonly namespace: string | undefined; readonly spec: Spec }

/** A connector's manifest as it was found, right or not. */
export type FoundConnector = {
  /** As it is written; `(without a name)`. */
  readonly name: string
  readonly namespace: string | undefined
  /** undefined: something in the manifest is wrong. */
  readonly spec: Spec | undefined
  /** All that keeps the API server from taking it. */
  readonly wrong: readonly Remark[]
  placeOf(path: FieldPath): Place
}

export type FoundSecret = MadeSecret & {
  /** Decoded; undefined: nothing here can read it. */
  readonly data?: Readonly<Record<string, string>>
}

/** An object of which nothing but its being there matters. */
type FoundObject = { readonly name: string; readonly namespace: string | undefined }

export type Manifests = {
  readonly connectors: readonly FoundConnector[]
  /** Those that are there, and those that something else among the manifests will make. */
  readonly secrets: readonly FoundSecret[]
  readonly claims: readonly FoundObject[]
  /** What is wrong with texts, and with objects other than connectors. */
  readonly problems: readonly Remark[]
}

/** Reads all that texts hold; other kinds are passed over. Nothing that is wrong stops the rest. */
export function readManifests(sources: readonly Source[]): Manifests {
  const connectors: FoundConnector[] = []
  const secrets: FoundSecret[] = []
  const claims: FoundObject[] = []
  const problems: Remark[] = []
  for (const { name, text, found } of sources) {
    const { objects, problems: broken } = readDocuments(text, name)
    // What was found in a folder may be another tool's, such as the template of a chart.
    const isOurs = !found || text.includes(KIND)
    problems.push(...(isOurs ? broken : broken.map((one) => ({ ...one, level: 'warning' as const }))))
    for (const object of objects) {
      const of = kind.safeParse(object.value).data
      if (of === undefined) continue
      if (of.kind === KIND && of.apiVersion.startsWith(`${GROUP}/`)) {
        connectors.push(readConnector(object, of.apiVersion))
      } else if (of.kind === 'Secret' && of.apiVersion === 'v1') {
        const { secret, wrong } = readSecret(object)
        problems.push(...wrong)
        if (secret !== undefined) secrets.push(secret)
      } else if (of.kind === 'PersistentVolumeClaim') {
        const claim = named.safeParse(object.value).data?.metadata
        if (claim !== undefined) claims.push({ name: claim.name, namespace: claim.namespace ?? undefined })
      } else if (isSecretMaker(of)) {
        secrets.push(...readMaker(object, of.kind))
      }
    }
  }
  return { connectors, secrets, claims, problems }
}

function readConnector({ value, placeOf }: Located, apiVersion: string): FoundConnector {
  const { metadata } = z
    .object({ metadata: z.record(z.string(), z.unknown()).catch({}) })
    .parse({ metadata: {}, ...Object(value) })
  const wrong: Remark[] = []
  const refuse = (path: FieldPath, message: string) => {
    wrong.push({ level: 'error', message, place: placeOf(path) })
  }
  if (apiVersion !== `${GROUP}/${VERSION}`) {
    refuse(['apiVersion'], `${apiVersion} is unknown: use ${GROUP}/${VERSION}.`)
  }
  const parsed = manifest.safeParse(withoutNulls(value))
  for (const { path, message } of parsed.error?.issues ?? []) refuse(path, `${path.join('.')}: ${message}.`)
  for (const path of unknownFields(value)) refuse(path, `Unknown field ${path.join('.')}: remove or correct it.`)
  return {
    name: typeof metadata.name === 'string' ? metadata.name : '(without a name)',
    namespace: typeof metadata.namespace === 'string' ? metadata.namespace : undefined,
    spec: wrong.length === 0 ? parsed.data?.spec : undefined,
    wrong,
    placeOf,
  }
}

/** A field that is null is not there, for the API server; among the items of a list it is what it is. */
export function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const there = Object.entries(value).filter(([, one]) => one !== null)
  return Object.fromEntries(there.map(([name, one]) => [name, withoutNulls(one)]))
}

/** What is said of what is wrong never holds a value. */
function readSecret({ value, placeOf }: Located): { secret?: FoundSecret; wrong: readonly Remark[] } {
  const parsed = secretManifest.safeParse(value)
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => ({
      level: 'error' as const,
      message: `Secret: ${path.join('.')}: ${message}.`,
      place: placeOf(path),
    }))
    // It is there all the same: who names it has nothing to mend.
    const metadata = named.safeParse(value).data?.metadata
    if (metadata === undefined) return { wrong }
    return { secret: { name: metadata.name, namespace: metadata.namespace ?? undefined, place: placeOf([]) }, wrong }
  }
  const { metadata, data, stringData, sops } = parsed.data
  const decoded = Object.entries(data ?? {}).map(([key, one]) => [key, Buffer.from(one, 'base64').toString('utf8')])
  const all: Record<string, string> = { ...Object.fromEntries(decoded), ...stringData }
  const found = { name: metadata.name, namespace: metadata.namespace ?? undefined, place: placeOf([]) }
  if (sops !== undefined) return { secret: { ...found, by: 'SOPS', keys: Object.keys(all) }, wrong: [] }
  const keys = Object.keys(all).filter((key) => all[key]?.trim() !== '')
  return { secret: { ...found, keys, data: all }, wrong: [] }
}

/** The Secret `name` that a connector would find. */
export function secretOf(
  { secrets }: Pick<Manifests, 'secrets'>,
  { namespace }: Pick<FoundConnector, 'namespace'>,
  name: string,
): FoundSecret | undefined {
  const named = secrets.filter((one) => one.name === name && (one.anywhere || one.namespace === namespace))
  return named.find(({ data }) => data !== undefined) ?? named[0]
}

/** The connectors, all of which must be right. @throws UsageError with a line for each thing that is wrong. */
export function mustBeRight({ connectors, problems }: Manifests): readonly ConnectorManifest[] {
  const errors = [...problems, ...connectors.flatMap(({ wrong }) => wrong)].filter(({ level }) => level === 'error')
  if (errors.length > 0) throw new UsageError(errors.map(inOneLine).join('\n'))
  return connectors.flatMap(({ name, namespace, spec: one }) =>
    one === undefined ? [] : [{ name, namespace, spec: one }],
  )
}

/** `connector.yaml:7: spec.endpoint: must be …`. */
export function inOneLine({ place: { file, line }, message }: Remark): string {
  return `${file}:${line}: ${message}`
}
