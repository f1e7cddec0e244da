/**
 * Objects that are committed in place of a Secret, and from which an operator makes it in the cluster. They are known by
 * kind; which keys the Secret will have is often to be read off them, its values never.
 */
import { z } from 'zod'
import type { Located, Place } from './documents.ts'

export type MadeSecret = {
  readonly name: string
  readonly namespace: string | undefined
  /** In every namespace that a selector chooses: which ones is not to be read here. */
  readonly anywhere?: boolean
  readonly place: Place
  /** What makes it: a kind, or SOPS; undefined: it is a Secret itself. */
  readonly by?: string
  /** Keys that hold something; undefined: not to be read here. */
  readonly keys?: readonly string[]
}

const record = z.record(z.string(), z.unknown())
const metadata = z.object({ name: z.string(), namespace: z.string().nullish() })

const externalSecretSpec = z.object({
  target: z
    .object({ name: z.string().optional(), template: z.object({ data: record.optional() }).loose().optional() })
    .optional(),
  data: z.array(z.object({ secretKey: z.string() })).default([]),
  dataFrom: z.array(z.unknown()).default([]),
})

/** What a kind makes; undefined: not what the kind promises. */
type Maker = (value: unknown) => (Pick<MadeSecret, 'keys' | 'anywhere'> & { readonly name?: string }) | undefined

function ofExternalSecret(given: unknown): ReturnType<Maker> {
  const { data: parsed } = externalSecretSpec.safeParse(given)
  if (parsed === undefined) return undefined
  const { target, data, dataFrom } = parsed
  const { template } = target ?? {}
  // A template's own keys take the place of all others; one that comes from elsewhere is not to be read.
  const inTemplate = template?.data === undefined ? undefined : Object.keys(template.data)
  const isOpen = dataFrom.length > 0 || (template !== undefined && Object.hasOwn(template, 'templateFrom'))
  const keys = isOpen ? undefined : (inTemplate ?? data.map(({ secretKey }) => secretKey))
  return { ...(target?.name !== undefined && { name: target.name }), ...(keys !== undefined && { keys }) }
}

const spec = (value: unknown): unknown => Reflect.get(Object(value), 'spec')

const MAKERS: Readonly<Record<string, { readonly group: string; readonly make: Maker }>> = {
  ExternalSecret: { group: 'external-secrets.io', make: (value) => ofExternalSecret(spec(value)) },
  ClusterExternalSecret: {
    group: 'external-secrets.io',
    make: (value) => {
      const known = z
        .object({ externalSecretName: z.string().optional(), externalSecretSpec: z.unknown() })
        .safeParse(spec(value)).data
      const made = ofExternalSecret(known?.externalSecretSpec)
      const name = made?.name ?? known?.externalSecretName
      return made && { ...made, ...(name !== undefined && { name }), anywhere: true }
    },
  },
  SealedSecret: {
    group: 'bitnami.com',
    make: (value) => {
      const known = z
        .object({ encryptedData: record, template: z.object({ data: record.nullish() }).nullish() })
        .safeParse(spec(value)).data
      return known && { keys: [...Object.keys(known.encryptedData), ...Object.keys(known.template?.data ?? {})] }
    },
  },
  VaultStaticSecret: { group: 'secrets.hashicorp.com', make: (value) => ofVault(value) },
  VaultDynamicSecret: { group: 'secrets.hashicorp.com', make: (value) => ofVault(value) },
  OnePasswordItem: { group: 'onepassword.com', make: () => ({}) },
}

function ofVault(value: unknown): ReturnType<Maker> {
  const known = z.object({ destination: z.object({ name: z.string() }) }).safeParse(spec(value)).data
  return known && { name: known.destination.name }
}

export function isSecretMaker({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): boolean {
  return Object.hasOwn(MAKERS, kind) && apiVersion.split('/')[0] === MAKERS[kind]?.group
}

/** The Secret that an object of one of these kinds makes; none when it is not what its kind promises. */
export function readMaker({ value, placeOf }: Located, kind: string): readonly MadeSecret[] {
  const own = z.object({ metadata }).safeParse(value).data?.metadata
  const made = MAKERS[kind]?.make(value)
  if (own === undefined || made === undefined) return []
  return [{ name: own.name, namespace: own.namespace ?? undefined, place: placeOf([]), by: kind, ...made }]
}
