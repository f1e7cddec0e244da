/**
 * What can be known of connectors before they are applied, from their manifests alone: whether the API server would take
 * them, and whether what they name is there. Pure; Zendesk is asked elsewhere.
 */
import type { Reason } from './connector/reasons.ts'
import { type Spec, sinkSecretName } from './connector/schema.ts'
import type { Check } from './connector/status.ts'
import type { Place, Remark } from './documents.ts'
import { type FoundConnector, type FoundSecret, type Manifests, secretOf } from './manifest.ts'

/** One check of one connector, with all there is to say about it. */
export type Examination = {
  readonly name: string
  readonly result: Check['result']
  readonly reason?: Reason
  readonly remarks: readonly Remark[]
}

/** One connector and what was found of it. */
export type Examined = {
  readonly name: string
  readonly namespace: string | undefined
  /** undefined: the manifest is not right. */
  readonly spec: Spec | undefined
  readonly place: Place
  readonly checks: readonly Examination[]
  /** Data of its Secret, where it can be read. */
  readonly secret: Readonly<Record<string, string>> | undefined
  /** Where a check of Zendesk is best told: at the field it speaks of. */
  placeOf(check: string): Place
}

export type PreflightOptions = {
  /** Data of every connector's Secret, given beside the manifests. */
  readonly secret?: Readonly<Record<string, string>>
  /** Secrets may come from somewhere that the manifests do not show: then one that is not among them is a warning. */
  readonly missingSecrets: 'error' | 'warning'
}

type Given = {
  readonly found: FoundConnector
  readonly spec: Spec
  readonly manifests: Manifests
  readonly options: PreflightOptions
}

/** Examines all connectors of the manifests. The check `Secret` comes last: the connection test goes on from it. */
export function preflight(manifests: Manifests, options: PreflightOptions): readonly Examined[] {
  return manifests.connectors.map((found) => {
    const { name, namespace, spec, placeOf } = found
    const given = spec && { found, spec, manifests, options }
    return {
      name,
      namespace,
      spec,
      place: placeOf([]),
      checks: [
        examination('Manifest', found.wrong),
        checkName(found, manifests),
        ...(['Account', 'Sink', 'Secret'] as const).map((check) =>
          given === undefined ? { name: check, result: 'Skipped' as const, remarks: [] } : CHECKS[check](given),
        ),
      ],
      secret: options.secret ?? (spec && secretOf(manifests, found, spec.secretRef.name)?.data),
      placeOf: (check) => placeOf(FIELDS[check] ?? ['spec', 'sync', 'streams']),
    }
  })
}

/** Checks of Zendesk → the field that they speak of; all others are streams. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Endpoint: ['spec', 'endpoint'],
  Secret: ['spec', 'secretRef', 'name'],
  Token: ['spec', 'secretRef', 'name'],
  Admin: ['spec', 'secretRef', 'name'],
  RateLimit: ['spec', 'rateLimit', 'requestsPerMinute'],
}

function examination(name: string, remarks: readonly Remark[], reason?: Reason): Examination {
  const result = remarks.some(({ level }) => level === 'error') ? 'Failed' : 'Passed'
  return { name, result, ...(reason !== undefined && { reason }), remarks }
}

/** Of two with one name the second would take the place of the first. */
function checkName(found: FoundConnector, { connectors }: Manifests): Examination {
  const alike = connectors.find(({ name, namespace }) => name === found.name && namespace === found.namespace)
  if (alike === undefined || alike === found) return examination('Name', [])
  const message = `${fullName(found)} is also defined at ${where(alike.placeOf([]))}: remove or rename one.`
  return examination('Name', [{ level: 'error', message, place: found.placeOf(['metadata', 'name']) }])
}

const CHECKS = {
  /** The budget is the account's: several connectors share it. */
  Account: ({ found, spec, manifests }: Given): Examination => {
    const isOther = (one: FoundConnector) => one !== found && fullName(one) !== fullName(found)
    const sharers = manifests.connectors.filter((one) => isOther(one) && one.spec?.endpoint === spec.endpoint)
    const [other] = sharers
    if (other === undefined) return examination('Account', [])
    const rate = [found, ...sharers].reduce((sum, one) => sum + (one.spec?.rateLimit.requestsPerMinute ?? 0), 0)
    const message = `${spec.endpoint} is also the account of ${fullName(other)} (${where(other.placeOf([]))}): one operator syncs them one at a time; with separate operators their limits add up to ${rate} requests per minute.`
    return examination('Account', [{ level: 'warning', message, place: found.placeOf(['spec', 'endpoint']) }])
  },
  Sink: (given: Given): Examination => {
    const { found, spec, manifests } = given
    const { file, s3 } = spec.sync.sink
    if (file !== undefined) {
      const isThere = manifests.claims.some(
        ({ name, namespace }) => name === file.claimName && namespace === found.namespace,
      )
      if (isThere) return examination('Sink', [])
      const message = `The PersistentVolumeClaim ${file.claimName} is not in the manifests: it must exist in the cluster.`
      const place = found.placeOf(['spec', 'sync', 'sink', 'file', 'claimName'])
      return examination('Sink', [{ level: 'notice', message, place }])
    }
    const name = sinkSecretName(spec.sync.sink)
    if (name === undefined) return examination('Sink', [])
    const kind = s3 === undefined ? 'http' : 's3'
    const place = found.placeOf(['spec', 'sync', 'sink', kind, 'secretRef', 'name'])
    return checkSecret('Sink', given, { name, keys: kind === 's3' ? ['accessKeyId', 'secretAccessKey'] : [], place })
  },
  Secret: (given: Given): Examination => {
    if (given.options.secret !== undefined) return examination('Secret', [])
    const { name } = given.spec.secretRef
    const place = given.found.placeOf(['spec', 'secretRef', 'name'])
    return checkSecret('Secret', given, { name, keys: ['clientId', 'clientSecret'], place })
  },
}

type Wanted = { readonly name: string; readonly keys: readonly string[]; readonly place: Place }

function checkSecret(check: string, { found, manifests, options }: Given, { name, keys, place }: Wanted): Examination {
  const secret = secretOf(manifests, found, name)
  if (secret === undefined) {
    const level = options.missingSecrets
    const message = `The Secret ${name} is not in the manifests${elsewhere(name, manifests)}: add it, or an ExternalSecret or SealedSecret that creates it, or use --allow-missing-secrets.`
    return examination(check, [{ level, message, place }], 'SecretNotFound')
  }
  const missing = keys.find((key) => secret.keys?.includes(key) === false)
  if (missing !== undefined) {
    const message = `The key ${missing} of the Secret ${name} (${where(secret.place)}) is missing or empty: add it.`
    return examination(check, [{ level: 'error', message, place: secret.place }], 'SecretKeyMissing')
  }
  if (secret.by === undefined) return examination(check, [])
  const unread = secret.keys === undefined && keys.length > 0 ? `, with the keys ${keys.join(' and ')}` : ''
  const message = `The Secret ${name} will be created by ${secret.by} (${where(secret.place)})${unread}: its content is not checked.`
  return examination(check, [{ level: 'warning', message, place }])
}

/** It may only be that a namespace was forgotten. */
function elsewhere(name: string, { secrets }: Manifests): string {
  const other = secrets.find((one: FoundSecret) => one.name === name)
  if (other === undefined) return ''
  return ` of its namespace (one exists in ${other.namespace ?? 'no namespace'}, ${where(other.place)})`
}

/** `namespace/name`, as far as it is written. */
export function fullName({ name, namespace }: { readonly name: string; readonly namespace?: string | undefined }) {
  return namespace === undefined ? name : `${namespace}/${name}`
}

function where({ file, line }: Place): string {
  return `${file}:${line}`
}
