/**
 * Calls to one API server. `HTTPS_PROXY` does not hold for this way.
 *
 * access.ts gives the credentials, undici carries the bytes: client-node's own calls open a connection per request, have
 * no time limit, drop fields that they do not know, and put whole answers into their errors' messages.
 */
import type { Readable } from 'node:stream'
import { request } from 'undici'
import { type Access, loadAccess } from './access.ts'
import { agentCache } from './agents.ts'
import { fromAnswer, fromExchange, KubeError } from './errors.ts'
import { keptFresh } from './fresh-credentials.ts'
import { jsonLines } from './json-lines.ts'
import { withoutMembers } from './json-without.ts'
import { lengthDelimited } from './length-delimited.ts'
import { decodeEvent, decodeObject, METADATA } from './messages.ts'
import { type Message, PROTOBUF } from './protobuf.ts'
import type { ServerClock } from './server-clock.ts'

const HEADERS_TIMEOUT = 30_000

/** One call. `query` entries that are undefined are left out. */
export type Call = {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  /** How a PATCH is meant; JSON otherwise. */
  readonly contentType?: 'application/json-patch+json' | 'application/apply-patch+yaml'
  readonly accept?: string
  /** Members that nobody reads, at any depth: see json-without.ts. */
  readonly without?: readonly string[]
  readonly signal?: AbortSignal
  /** Default: 20,000. */
  readonly timeoutMilliseconds?: number
}

/** A watch. It ends with a Timeout when nothing has arrived for `stallMilliseconds`. */
export type WatchCall = Pick<Call, 'query' | 'accept' | 'without'> & {
  readonly signal: AbortSignal
  readonly stallMilliseconds: number
  /** Told each event as the server sends it; what it throws ends the watch. */
  readonly onEvent: (event: unknown) => void
  /** What is read of an object where the server sends protobuf: `accept` must ask for it. */
  readonly message?: Message | undefined
}

/** What is counted of calls. */
export type RestMetrics = {
  /** There was an answer; `code` is its HTTP status, `<error>` where there was none. */
  answered(call: { readonly method: string; readonly host: string; readonly code: string }): void
  /** A call other than a watch has ended, its body in hand or lost. */
  took(call: { readonly method: string; readonly host: string; readonly seconds: number }): void
}

/** Access to one API server. All calls fail with KubeError and nothing else. */
export type Cluster = {
  request(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, call?: Call): Promise<unknown>
  /** Resolves when the server ends the watch. */
  watch(path: string, call: WatchCall): Promise<void>
  /** Ends what is under way and closes all connections. */
  close(): Promise<void>
}

/** Opens no connection yet. Rejects when neither a kubeconfig is named nor a service account is there. */
export async function loadCluster(
  { kubeconfig }: { readonly kubeconfig?: string },
  metrics?: RestMetrics,
  clock?: Pick<ServerClock, 'heard'>,
): Promise<Cluster> {
  return clusterBy(await loadAccess(kubeconfig), metrics, clock)
}

/** Opens no connection yet. */
export function clusterBy(access: Access, metrics?: RestMetrics, clock?: Pick<ServerClock, 'heard'>): Cluster {
  const { host } = new URL(access.server)
  const closing = new AbortController()
  const agents = agentCache(closing.signal)
  const credentials = keptFresh(() => access.credentials())

  async function open(method: string, path: string, call: Omit<Call, 'signal'>, signal: AbortSignal, stall: number) {
    const { headers, tls } = await orAborted(credentials.get(), signal)
    const exchange = request(access.server + path + queryString(call.query), {
      dispatcher: agents.agentFor(tls),
      method: method as 'GET',
      headers: {
        accept: call.accept ?? 'application/json',
        'user-agent': 'zendesk-connector',
        ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        ...headers,
      },
      signal,
      bodyTimeout: stall,
      headersTimeout: Math.min(stall || HEADERS_TIMEOUT, HEADERS_TIMEOUT),
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    })
    return orAborted(exchange, signal)
  }

  async function send(...[method, ...call]: Parameters<typeof open>) {
    const sentMs = performance.now()
    const answer = await open(method, ...call).catch((error: unknown) => {
      metrics?.answered({ method, host, code: '<error>' })
      throw error
    })
    metrics?.answered({ method, host, code: String(answer.statusCode) })
    // What stands in front of an API server that is away has a clock of its own.
    if (answer.statusCode < 500) clock?.heard(answer.headers.date, sentMs)
    const isProtobuf = String(answer.headers['content-type']).startsWith(PROTOBUF)
    if (answer.statusCode < 300) return { body: answer.body, isProtobuf }
    if (answer.statusCode === 401) credentials.drop()
    const body = Buffer.from(await answer.body.bytes())
    const said = isProtobuf ? decoded(body) : parsed(body.toString())
    throw fromAnswer(answer.statusCode, said, answer.headers['retry-after'])
  }

  return {
    async request(method, path, call = {}) {
      const signals = [closing.signal, ...(call.signal ? [call.signal] : [])]
      const time = AbortSignal.timeout(call.timeoutMilliseconds ?? 20_000)
      const began = performance.now()
      try {
        const { body } = await send(method, path, call, AbortSignal.any([time, ...signals]), 0)
        const answer = parsed(withoutMembers(await body.text(), call.without ?? []))
        if (answer === undefined) throw new KubeError('Malformed', 'the API server returned something that is not JSON')
        return answer
      } catch (error) {
        throw fromExchange(
          error,
          signals.some((signal) => signal.aborted),
        )
      } finally {
        metrics?.took({ method, host, seconds: (performance.now() - began) / 1000 })
      }
    },
    async watch(path, { signal, stallMilliseconds, onEvent, message, ...call }) {
      const ended = AbortSignal.any([closing.signal, signal])
      try {
        const query = { ...call.query, watch: true }
        const { body, isProtobuf } = await send('GET', path, { ...call, query }, ended, stallMilliseconds)
        const take =
          isProtobuf && message !== undefined
            ? lengthDelimited((frame) => onEvent(decodeEvent(message, frame)))
            : jsonLines(onEvent, call.without)
        await eachChunk(body, take)
      } catch (error) {
        throw fromExchange(error, ended.aborted)
      }
    },
    async close() {
      closing.abort()
      await agents.close()
    },
  }
}

function eachChunk(body: Readable, take: (chunk: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    body
      .on('end', resolve)
      .on('error', reject)
      .on('close', () => reject(new Error('the connection was closed')))
    body.on('data', function next(chunk: Uint8Array) {
      try {
        take(chunk)
      } catch (error) {
        // What was read ahead would still come, and be taken for what follows.
        body.off('data', next)
        reject(error)
        body.destroy()
      }
    })
  })
}

/** undici hears the signal only when it has a connection. No listener stays behind: it would keep signal and answer. */
function orAborted<T>(exchange: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    exchange.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function queryString(query: Call['query'] = {}): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined)
  const pairs = entries.map(([name, value]): [string, string] => [name, String(value)])
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

/** undefined: no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** undefined: no object. */
function decoded(body: Buffer): unknown {
  try {
    return decodeObject(METADATA, body)
  } catch {
    return undefined
  }
}
