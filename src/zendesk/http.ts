/**
 * One HTTP exchange with one Zendesk account. Nothing but the account's own host is ever contacted: a redirect is an
 * answer like any other and is not followed.
 */
import { createSecureContext, type SecureContext } from 'node:tls'
import { type Dispatcher, EnvHttpProxyAgent, Pool, request } from 'undici'
import { orAborted } from './aborted.ts'
import { wholeOf } from './body.ts'
import { type Trouble, ZendeskError } from './errors.ts'

export type HttpRequest = {
  readonly method: 'GET' | 'POST'
  /** Path and query, beginning with `/`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
  /** Asked when its first byte is about to leave; false: it does not, and that is a NetworkError. Absent: it may. */
  readonly mayStart?: () => boolean
}

export type HttpAnswer = {
  readonly status: number
  /** Value of a header by its lower-case name; the first when it was sent twice. */
  readonly header: (name: string) => string | undefined
  readonly body: Buffer
}

/** @throws ZendeskError NetworkError or TlsError when no whole answer came; the signal's reason when it was aborted. */
export type Transport = (request: HttpRequest) => Promise<HttpAnswer>

/** How companies reach the internet; empty: directly. CAs come through NODE_EXTRA_CA_CERTS, which Node itself reads. */
export type Egress = { readonly httpsProxy: string | undefined; readonly noProxy: string | undefined }

const STALL_MS = 30_000
/** To the proxy, and through it. */
const CONNECT_MS = 10_000
/** The largest page seen in the documentation is far below; beyond it something is not Zendesk's API. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

let context: SecureContext | undefined
/**
 * One for all connections: each would else make its own, with 45 KiB that the collector neither sees nor hurries to give
 * back. A fleet whose tests fall due makes fifty connections a second.
 */
const secureContext = () => {
  context ??= createSecureContext()
  return context
}

/**
 * Opens connections to `endpoint` (a host such as acme.zendesk.com) as they are needed and keeps them. `stallMs`: no byte
 * for this long means that nothing will come.
 */
export function connectTo(
  endpoint: string,
  egress: Egress,
  { stallMs = STALL_MS }: { readonly stallMs?: number } = {},
): { send: Transport; close: () => Promise<void> } {
  const connectMs = Math.min(CONNECT_MS, stallMs)
  const tls = { secureContext: secureContext() }
  const agent = new EnvHttpProxyAgent({
    // Undefined would be filled in from the environment, past what was parsed and handed to the sync pods.
    httpProxy: '',
    httpsProxy: egress.httpsProxy ?? '',
    noProxy: egress.noProxy ?? '',
    allowH2: false,
    headersTimeout: stallMs,
    bodyTimeout: stallMs,
    maxResponseSize: MAX_BODY_BYTES,
    connect: { ...tls, timeout: connectMs },
    requestTls: tls,
    proxyTls: tls,
    connectTimeout: connectMs,
    // By default a proxy that says nothing at all is waited for for five minutes.
    clientFactory: (origin, proxy) => new Pool(origin, { ...proxy, headersTimeout: stallMs }),
  })
  const send: Transport = async ({ method, path, headers, body, signal, mayStart }) => {
    signal.throwIfAborted()
    let isAnswered = false
    try {
      const asked = request(`https://${endpoint}${path}`, {
        dispatcher: mayStart === undefined ? agent : agent.compose(startingIf(mayStart)),
        method,
        headers: { accept: 'application/json', 'user-agent': 'zendesk-connector', ...headers },
        body: body ?? null,
        signal,
      })
      // While it connects, the library does not look at the signal.
      const answer = await orAborted(asked, signal)
      isAnswered = true
      return {
        status: answer.statusCode,
        body: await wholeOf(answer.body, Number(answer.headers['content-length'])),
        header: (name) => {
          const value = answer.headers[name]
          return Array.isArray(value) ? value[0] : value
        },
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw explain(error, endpoint, stallMs, isAnswered)
    }
  }
  return { send, close: () => agent.destroy() }
}

const TOO_LATE = 'TOO_LATE'

/** The library keeps a request for as long as it takes to connect, and then sends it, whatever has become of us. */
function startingIf(mayStart: () => boolean): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart: (controller, context) => {
        if (mayStart()) handler.onRequestStart?.(controller, context)
        else controller.abort(Object.assign(new Error(TOO_LATE), { code: TOO_LATE }))
      },
      onRequestUpgrade: (...given) => handler.onRequestUpgrade?.(...given),
      onResponseStart: (...given) => handler.onResponseStart?.(...given),
      onResponseData: (...given) => handler.onResponseData?.(...given),
      onResponseEnd: (...given) => handler.onResponseEnd?.(...given),
      onResponseError: (...given) => handler.onResponseError?.(...given),
    })
}

const untrusted = /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS|ERR_SSL|EPROTO)/

/** A library's error → ours: the code decides, its text is never shown. `isAnswered`: the headers had come. */
function explain(error: unknown, endpoint: string, stallMs: number, isAnswered: boolean): ZendeskError {
  const code = codeOf(error)
  if (untrusted.test(code)) {
    return new ZendeskError(
      'TlsError',
      `The TLS certificate of ${endpoint} is not trusted (${code}): add your company's CA with NODE_EXTRA_CA_CERTS, or check what responds instead of Zendesk.`,
      'tls',
    )
  }
  const network = (trouble: Trouble, what: string) => new ZendeskError('NetworkError', what, trouble)
  switch (code) {
    case TOO_LATE:
      return network('connect', `Connecting to ${endpoint} took too long for the request.`)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return network('dns', `DNS cannot resolve ${endpoint} or the proxy: check the cluster's DNS and egress.`)
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return network(
        'connect',
        `No connection to ${endpoint} (${code}): check firewall, NetworkPolicy and HTTPS_PROXY.`,
      )
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return network(
        'stall',
        `${endpoint} sent nothing for ${stallMs / 1000} s: check the proxy and the network in between.`,
      )
    case 'UND_ERR_ABORTED':
    case '':
      return network('proxy', `The proxy refused to connect to ${endpoint}: allow *.zendesk.com in its rules.`)
    default:
      return network(
        isAnswered && code !== 'ECONNRESET' ? 'body' : 'reset',
        `The connection to ${endpoint} broke (${code}): check the proxy and the network in between.`,
      )
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN'
  const { code } = error as { code?: unknown }
  if (typeof code === 'string') return code
  return error.cause instanceof Error ? codeOf(error.cause) : ''
}
