/**
 * What can go wrong between us and the API server, in our own words. Errors of the libraries below never leave this
 * folder: theirs carry whole bodies and headers. Ours hold one short sentence and no `cause`.
 */
import { z } from 'zod'
import { plainText } from '../connector/text.ts'

/** Reasons that something here or in a caller acts on; the API's others are `Other`. */
const REASONS = [
  'NotFound',
  'AlreadyExists',
  'Conflict',
  /** The resourceVersion or continue token is too old: list again. */
  'Gone',
  'Unauthorized',
  'Forbidden',
  'Invalid',
  'BadRequest',
  'TooManyRequests',
  /** The API server is there and cannot answer now. */
  'Unavailable',
  /** No answer in time, from the server or on its behalf. */
  'Timeout',
  /** No connection, or it broke. */
  'Network',
  /** The caller's signal ended the call. */
  'Aborted',
  /** Not sent: this replica does not lead. */
  'NotLeader',
  /** An answer that is not what the API promises. */
  'Malformed',
  'Other',
] as const
export type KubeReason = (typeof REASONS)[number]

/** A call to the API server that did not succeed. `status` is that of the HTTP answer, absent where there was none. */
export class KubeError extends Error {
  override readonly name = 'KubeError'
  readonly reason: KubeReason
  readonly status: number | undefined
  /** So long the server asks to be left alone, in ms; 0: it said nothing. */
  readonly retryAfterMs: number

  constructor(reason: KubeReason, message: string, status?: number, retryAfterMs = 0) {
    super(plainText(message, 300))
    this.reason = reason
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** True for a KubeError with one of these reasons. */
export function isKubeError(error: unknown, ...reasons: readonly KubeReason[]): error is KubeError {
  return error instanceof KubeError && reasons.includes(error.reason)
}

const apiStatus = z.object({
  code: z.number().optional(),
  reason: z.string().default(''),
  message: z.string().default(''),
  details: z
    .object({
      name: z.string().default(''),
      kind: z.string().default(''),
      causes: z.array(z.object({ field: z.string().default(''), message: z.string().default('') })).default([]),
    })
    .optional(),
})

const byCode: Readonly<Record<number, KubeReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'Unavailable',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
}

/** What stands between us and an API server may say anything. */
const LONGEST_RETRY_AFTER_S = 60

/** Milliseconds until the next call, by the error's answer; 0: the server said nothing. */
export function retryAfterMs(error: unknown): number {
  return error instanceof KubeError ? error.retryAfterMs : 0
}

function waitAsked(header: unknown): number {
  const seconds = typeof header === 'string' && /^\d{1,9}$/.test(header) ? Number(header) : 0
  return Math.min(seconds, LONGEST_RETRY_AFTER_S) * 1000
}

/**
 * The error that an answer (HTTP status, body, `Retry-After` where it counts seconds, as API servers do) or the ERROR event of
 * a watch stands for.
 */
export function fromAnswer(httpStatus: number, body: unknown, retryAfter?: unknown): KubeError {
  const parsed = apiStatus.safeParse(body)
  const status = parsed.success ? parsed.data : apiStatus.parse({})
  // Protobuf has a code of 0 where JSON has none.
  const code = status.code || httpStatus
  const reason = REASONS.find((name) => name === status.reason) ?? byCode[code] ?? 'Other'
  const message = (reason === 'Invalid' ? invalid(status) : status.message) || `HTTP ${code}`
  return new KubeError(reason, message, code, waitAsked(retryAfter))
}

// The server's own sentence about an invalid object quotes values of the request, up to whole pod templates.
function invalid({ details }: z.output<typeof apiStatus>): string {
  const causes = (details?.causes ?? []).map(({ field, message }) => `${field}: ${withoutValue(message)}`)
  return [`${details?.kind ?? 'object'} ${details?.name ?? ''} is invalid`, causes.join('; ')]
    .filter(Boolean)
    .join(': ')
}

const quotedValue =
  /^(Invalid value|Unsupported value|Duplicate value): (?:"(?:[^"\\]|\\.)*"|\{.*\}|\[.*\]|[^\s"{[:]+)(?:: (.*))?$/s

function withoutValue(message: string): string {
  const [, kind, detail] = quotedValue.exec(message) ?? []
  if (kind !== undefined) return detail ?? kind
  return /value: /.test(message) ? 'invalid value' : message
}

/** The error that a failed exchange stands for: no connection, a break, a time-out, the caller's abort. */
export function fromExchange(error: unknown, aborted: boolean): KubeError {
  if (error instanceof KubeError) return error
  if (aborted) return new KubeError('Aborted', 'the request was cancelled')
  const [name, code] = [textOf(error, 'name'), textOf(error, 'code')]
  if (/Timeout/i.test(name) || /TIME?D?_?OUT/.test(code)) {
    return new KubeError('Timeout', `the API server did not answer in time (${code || name})`)
  }
  // Only the code: messages of sockets are harmless, those of exec plugins and TLS libraries are anybody's guess.
  return new KubeError('Network', `no connection to the API server (${code || name || 'unknown error'})`)
}

// A DOMException's code is a number.
function textOf(error: unknown, key: string): string {
  const value: unknown = Reflect.get(Object(error), key)
  return typeof value === 'string' ? value : ''
}
