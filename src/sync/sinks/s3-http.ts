/**
 * How the AWS SDK reaches its servers: through undici, so that HTTPS_PROXY and NO_PROXY mean the same here as towards
 * Zendesk (Node's own `proxyEnv` reads NO_PROXY otherwise: `example.com` does not cover what is below it). What the SDK
 * asks for credentials, such as STS, goes the same way.
 */
import { EnvHttpProxyAgent, Pool, request } from 'undici'
import type { Egress } from '../../zendesk/http.ts'

/** No byte for this long means that nothing will come. */
const STALL_MS = 30_000
/** Slower than this no body is sent: bytes a millisecond, 100 KB/s. */
const SLOWEST = 100

/** What the SDK hands over, as far as it matters here. */
type SdkRequest = {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Record<string, string>
  readonly body?: unknown
}

/** A request handler for clients of the AWS SDK, and what lets go of its connections. */
export function createRequestHandler({ httpsProxy, noProxy }: Egress) {
  const agent = new EnvHttpProxyAgent({
    // Empty, not undefined, which would be filled in from the environment. What is plain http:// stays inside.
    httpProxy: '',
    httpsProxy: httpsProxy ?? '',
    noProxy: noProxy ?? '',
    allowH2: false,
    bodyTimeout: STALL_MS,
    connect: { timeout: 10_000 },
    connectTimeout: 10_000,
    // By default a proxy that says nothing at all is waited for for five minutes.
    clientFactory: (origin, proxy) => new Pool(origin, { ...proxy, headersTimeout: STALL_MS }),
  })
  return {
    handler: {
      handle: async (sent: SdkRequest, { abortSignal }: { readonly abortSignal?: unknown } = {}) => {
        const body = bytesOf(sent.body)
        const answer = await request(urlOf(sent), {
          dispatcher: agent,
          method: sent.method as 'GET',
          headers: sent.headers,
          body,
          headersTimeout: STALL_MS + Math.ceil((body?.length ?? 0) / SLOWEST),
          ...(abortSignal instanceof AbortSignal && { signal: abortSignal }),
        })
        return {
          response: { statusCode: answer.statusCode, headers: flat(answer.headers), body: answer.body },
        }
      },
      // The SDK asks for these two; there is nothing that it could set.
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
    },
    close: () => agent.destroy(),
  }
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${escaped(name)}${one === null ? '' : `=${escaped(one)}`}`),
  )
  const search = parameters.length > 0 ? `?${parameters.join('&')}` : ''
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search}`
}

/** As AWS signs it (RFC 3986): all but letters, digits and `-._~`. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function bytesOf(body: unknown): Buffer | null {
  if (body === undefined || body === null || body === '') return null
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  throw new TypeError('only bodies that are held whole can be sent')
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  )
}
