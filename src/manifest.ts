/** Reads connectors and their Secrets from YAML, as they are written for kubectl: for the command line, no cluster. */
import { type Document, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { UsageError } from './config.ts'
import { GROUP, KIND, type Spec, spec, VERSION } from './connector/schema.ts'

const kind = z.object({ apiVersion: z.string(), kind: z.string() })
const list = z.object({ kind: z.literal('List'), items: z.array(z.unknown()) })

/** Names become folders of `sync --out`: the API server would refuse all others as well. */
const objectName = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, "must be lower-case letters, digits, '-' and '.'")

const manifest = z.object({
  metadata: z.object({ name: objectName(63), namespace: objectName(63).optional() }),
  spec,
})

const secretManifest = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  data: z.record(z.string(), z.string()).default({}),
  stringData: z.record(z.string(), z.string()).default({}),
})

export type ConnectorManifest = { readonly name: string; readonly namespace: string | undefined; readonly spec: Spec }

export type Manifests = {
  readonly connectors: readonly ConnectorManifest[]
  /** Decoded data of the Secret that a connector names, when it is among the manifests. */
  secretOf(connector: ConnectorManifest): Readonly<Record<string, string>> | undefined
}

/**
 * Parses manifests; other kinds are passed over. `source` names the text in errors.
 * @throws UsageError with one sentence for each thing that is wrong, never with a value of a Secret.
 */
export function readManifests(text: string, source: string): Manifests {
  const connectors: ConnectorManifest[] = []
  const secrets: { name: string; namespace: string | undefined; data: Record<string, string> }[] = []
  for (const value of parseAllDocuments(text).flatMap((document) => objectsIn(document, source))) {
    const of = kind.safeParse(value).data
    if (of?.kind === KIND && of.apiVersion.startsWith(`${GROUP}/`)) {
      if (of.apiVersion !== `${GROUP}/${VERSION}`) {
        throw new UsageError(`${source}: ${of.apiVersion} is not known here: use ${GROUP}/${VERSION}.`)
      }
      connectors.push(asConnector(value, source))
    } else if (of?.kind === 'Secret' && of.apiVersion === 'v1') {
      const { metadata, data, stringData } = parsed(secretManifest, value, `${source}: Secret`)
      const decoded = Object.entries(data).map(([key, one]) => [key, Buffer.from(one, 'base64').toString('utf8')])
      secrets.push({
        name: metadata.name,
        namespace: metadata.namespace,
        data: { ...Object.fromEntries(decoded), ...stringData },
      })
    }
  }
  if (connectors.length === 0) throw new UsageError(`${source} holds no ${KIND}.`)
  return {
    connectors,
    secretOf: ({ namespace, spec: { secretRef } }) =>
      secrets.find((one) => one.name === secretRef.name && one.namespace === namespace)?.data,
  }
}

/** The objects of a document: itself, or the items of the List that `kubectl get -o yaml` prints. @throws UsageError. */
function objectsIn(yaml: Document, source: string): unknown[] {
  const broken = yaml.errors[0]
  if (broken !== undefined) throw new UsageError(`${source} is not YAML: line ${broken.linePos?.[0].line ?? '?'}.`)
  try {
    const value: unknown = yaml.toJS()
    return list.safeParse(value).data?.items ?? [value]
  } catch {
    throw new UsageError(`${source} is not YAML that can be read: look at its aliases.`)
  }
}

function asConnector(value: unknown, source: string): ConnectorManifest {
  const { metadata, spec: ofConnector } = parsed(manifest, value, `${source}: ${KIND}`)
  const unknown = unknownFields((value as { spec: unknown }).spec, ofConnector, 'spec')
  if (unknown.length > 0) throw new UsageError(`${source}: ${KIND} is not right: unknown field ${unknown.join(', ')}.`)
  return { name: metadata.name, namespace: metadata.namespace, spec: ofConnector }
}

/** Fields that the schema does not know, as kubectl refuses them. The operator lets them pass: they may be a newer one's. */
function unknownFields(given: unknown, known: unknown, path: string): string[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return []
  return Object.entries(given).flatMap(([name, value]) => {
    const inside = `${path}.${name}`
    if (typeof known !== 'object' || known === null || !(name in known)) return [inside]
    return unknownFields(value, (known as Record<string, unknown>)[name], inside)
  })
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new UsageError(`${what} is not right: ${issues.join('; ')}.`)
}
