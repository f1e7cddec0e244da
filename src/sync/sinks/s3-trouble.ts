/**
 * What an S3 store's refusal means: a sentence for people, and what to do next. Failures are told apart by their codes;
 * no text that a store, a proxy or the SDK wrote is ever shown.
 */
import { z } from 'zod'
import { nameOf, type Place, refusals, type Trouble } from './s3-refusals.ts'

/** There are no credentials. `cause` is what the SDK says of it, which may be a failure of the network. */
export class CredentialsMissing extends Error {
  override readonly name = 'CredentialsMissing'

  constructor(cause: unknown) {
    super('no credentials', { cause })
  }
}

/** Something answered that is no S3 store. */
export class NotS3 extends Error {
  override readonly name = 'NotS3'
}

/** What an error of the SDK or of undici means; undefined: it is neither's, but a defect of ours. */
export function explain(error: unknown, place: Place): Trouble | undefined {
  if (error instanceof CredentialsMissing) return withoutCredentials(error.cause, place)
  const at = nameOf(place)
  const { name, code, status = 0, region: right } = read(error)
  for (const text of [name, String(status)]) {
    const refusal = refusals.find(({ codes }) => codes.test(text))
    if (refusal !== undefined)
      return { next: refusal.next, message: refusal.message({ ...place, at, code: text, right }) }
  }
  if (code !== undefined) return ofNetwork(code, at, place)
  if (status >= 400) {
    return {
      next: 'giveUp',
      message: `${at} refused the request (${name} ${status}): check the bucket ${place.bucket} and the store's log.`,
    }
  }
  if (status === 0 && isDefect(name)) return undefined
  return {
    next: 'giveUp',
    message: `${at} does not respond like S3: check the sink's endpoint and region, and the proxy.`,
  }
}

/** All else is NotS3, or the SDK saying that bucket, region and endpoint make no address. */
const isDefect = (name: string) => /^(Type|Reference|Range|Syntax)Error$/.test(name)

function withoutCredentials(cause: unknown, place: Place): Trouble {
  const { name, code, status } = read(cause)
  if (code !== undefined && !isOfFile(code)) return ofNetwork(code, STS, place)
  if (status === undefined) {
    return {
      next: 'giveUp',
      message: "The pod has no AWS credentials: set the sink's secretRef, or give the pod's service account a role.",
    }
  }
  if (status >= 500) {
    return { next: 'again', message: `${STS} is currently unavailable (${status}): check AWS's health.` }
  }
  return {
    next: 'giveUp',
    message: `AWS denies the pod credentials (${name} ${status}): check its role and the role's trust policy.`,
  }
}
/** The token of the service account is a file. */
const isOfFile = (code: string) => /^E(NOENT|ACCES|PERM|ISDIR)$/.test(code)
const STS = "AWS's token service"

const untrusted = /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS|ERR_SSL|EPROTO)/

function ofNetwork(code: string, at: string, { endpoint, pathStyle }: Place): Trouble {
  const again = (message: string): Trouble => ({ next: 'again', message })
  const byPath = endpoint === undefined || pathStyle ? '' : ', or set pathStyle: true'
  if (untrusted.test(code)) {
    return {
      next: 'giveUp',
      message: `The TLS certificate of ${at} is not trusted (${code}): add your company's CA with NODE_EXTRA_CA_CERTS${byPath}.`,
    }
  }
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return again(`DNS cannot resolve ${at} or the proxy: check the cluster's DNS and egress${byPath}.`)
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return again(`No connection to ${at} (${code}): check firewall, NetworkPolicy and HTTPS_PROXY.`)
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return again(`${at} stopped responding: check its health, the proxy and the network in between.`)
    case 'UND_ERR_ABORTED':
      return again(`The proxy refused to connect to ${at}: allow it in its rules, or add it to NO_PROXY.`)
    default:
      return again(`The connection to ${at} broke (${code}): check the proxy and the network in between.`)
  }
}

/** What is read of an error: failures of the network have a code, refusals a name and a status. */
const failure = z.object({
  name: z.string(),
  code: z.string().optional().catch(undefined),
  cause: z.unknown().optional(),
  Region: z.string().optional().catch(undefined),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional().catch(undefined),
  $response: z
    .object({ headers: z.record(z.string(), z.string()) })
    .optional()
    .catch(undefined),
})

type Read = { name: string; code: string | undefined; status: number | undefined; region: string | undefined }

function read(error: unknown): Read {
  const { data } = failure.safeParse(error)
  if (data === undefined) return { name: '', code: undefined, status: undefined, region: undefined }
  const { name, code, cause, Region, $metadata, $response } = data
  return {
    name: /^[\w.]{1,64}$/.test(name) ? name : 'Unknown',
    code: code ?? (cause === undefined ? undefined : read(cause).code),
    status: $metadata?.httpStatusCode,
    region: [Region, $response?.headers['x-amz-bucket-region']].find((text) => /^[a-z0-9-]{1,32}$/.test(text ?? '')),
  }
}
