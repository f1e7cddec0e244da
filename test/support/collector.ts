/**
 * An HTTP collector of our own, to be posted to: NDJSON and JSON arrays at one path, and at another a Splunk HTTP Event
 * Collector with indexer acknowledgement. It keeps the exact texts that arrived, and plays what goes wrong with collectors.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { type Channels, createChannels } from './collector-channels.ts'
import { elementsOf, memberOf } from './json-texts.ts'

export type Collector = {
  readonly host: string
  /** For NDJSON and JSON arrays, told apart by their content type. */
  readonly url: string
  readonly splunkUrl: string
  /** Requests with batches whose body came whole, in order, whatever became of them. */
  readonly requests: readonly Received[]
  /** Exact texts of the events that were taken for good, in order, repeats included. */
  readonly events: readonly string[]
  /** Envelopes of Splunk's events, without the event. */
  readonly envelopes: readonly Readonly<Record<string, unknown>>[]
  /** Splunk: times that somebody asked for acknowledgements. */
  readonly looks: readonly IncomingMessage['headers'][]
  /** What happens to the next requests with batches, one each. */
  fail(...faults: readonly Fault[]): void
  stop(): Promise<void>
}

export type Received = {
  readonly headers: IncomingMessage['headers']
  /** As it came over the wire. */
  readonly sent: Buffer
  /** Uncompressed. */
  readonly body: string
  readonly status: number | undefined
}

export type Fault =
  /** That answer, and nothing is taken. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** The same before the body was read. */
  | { readonly kind: 'early'; readonly status: number }
  /** The connection is reset when the body was read: nothing is taken. */
  | { readonly kind: 'reset' }
  /** All is taken, and then the connection is reset. */
  | { readonly kind: 'loseAnswer' }
  /** Nothing ever comes. */
  | { readonly kind: 'stall' }
  /** All is taken, and the answer's body never ends. */
  | { readonly kind: 'endless' }
  /** Splunk: the answer is good, and then the machine begins again: what was not indexed is lost, channels are forgotten. */
  | { readonly kind: 'restart' }

export type CollectorOptions = {
  /** What `Authorization` must be; none: anything. */
  readonly authorization?: string
  /** Largest body, uncompressed; beyond it: 413. */
  readonly mostBytes?: number
  /** Events that are refused, and with them the whole batch: with that status, 400 unless told otherwise. */
  readonly refuses?: (event: string) => boolean
  readonly refusesWith?: number
  readonly takesGzip?: boolean
  /** Splunk: looks after which a batch is acknowledged; none: tokens without acknowledgement. */
  readonly acknowledgesAfter?: number
  /** A load balancer's cookie, without which a request goes to a machine that knows nothing of the channel. */
  readonly cookie?: string
  readonly tls?: { readonly certPem: string; readonly keyPem: string }
}

const SPLUNK = '/services/collector'

export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const requests: Received[] = []
  const events: string[] = []
  const envelopes: Record<string, unknown>[] = []
  const looks: IncomingMessage['headers'][] = []
  const faults: Fault[] = []
  const channels = createChannels(options.acknowledgesAfter, (texts) => void events.push(...texts))
  const sockets = new Set<Socket>()

  const take = (request: IncomingMessage, body: string): Reply => {
    const refused = checkCredentials(request, options)
    if (refused !== undefined) return refused
    if (options.takesGzip === false && request.headers['content-encoding'] === 'gzip') return { status: 415 }
    if (Buffer.byteLength(body) > (options.mostBytes ?? Number.POSITIVE_INFINITY)) return { status: 413 }
    if (isSplunk(request)) return takeSplunk(request, body)
    const texts = request.headers['content-type'] === 'application/json' ? elementsOf(body) : linesOf(body)
    if (texts.some((text) => options.refuses?.(text))) return { status: options.refusesWith ?? 400 }
    events.push(...texts)
    return { status: 200 }
  }

  const takeSplunk = (request: IncomingMessage, body: string): Reply => {
    const channel = channelOf(request, channels)
    if (channel === 'missing') return { status: 400, json: { text: 'Data channel is missing', code: 10 } }
    const lines = linesOf(body)
    const texts = lines.map((line) => memberOf(line, 'event') ?? '')
    const bad = texts.findIndex((text) => text === '' || options.refuses?.(text))
    if (lines.length === 0) return { status: 400, json: { text: 'No data', code: 5 } }
    if (bad >= 0) {
      const json = { text: 'Invalid data format', code: 6, 'invalid-event-number': bad }
      return { status: options.refusesWith ?? 400, json }
    }
    envelopes.push(...lines.map((line) => ({ ...JSON.parse(line), event: undefined })))
    const ackId = channel === undefined ? undefined : channels.take(channel, texts)
    if (channel === undefined) events.push(...texts)
    return { status: 200, json: { text: 'Success', code: 0, ackId } }
  }

  const tellAcks = (request: IncomingMessage, body: string): Reply => {
    looks.push(request.headers)
    const refused = checkCredentials(request, options)
    if (refused !== undefined) return refused
    const channel = channelOf(request, channels)
    if (channel === undefined) return { status: 400, json: { text: 'ACK is disabled', code: 14 } }
    const strayed = options.cookie !== undefined && !request.headers.cookie?.includes(options.cookie)
    const { acks } = JSON.parse(body) as { acks: number[] }
    return { status: 200, json: { acks: strayed ? {} : channels.look(channel, acks) } }
  }

  const answer = (response: ServerResponse, { status, json, headers, text }: Reply) => {
    const cookie = options.cookie === undefined ? {} : { 'set-cookie': [`${options.cookie}; Path=/`, 'other=1'] }
    response.writeHead(status, { 'content-type': 'application/json', ...cookie, ...headers })
    response.end(text ?? (json === undefined ? '{}' : JSON.stringify(json)))
  }

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const isLook = request.url?.startsWith(`${SPLUNK}/ack`) === true
    const fault = isLook ? undefined : faults.shift()
    if (fault?.kind === 'early') return answer(response, { status: fault.status, headers: { connection: 'close' } })
    const sent = Buffer.concat(await request.toArray())
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent).toString() : sent.toString()
    if (isLook) return answer(response, tellAcks(request, body))
    const received = (status?: number) => void requests.push({ headers: request.headers, sent, body, status })
    if (fault?.kind === 'stall') return received()
    if (fault?.kind === 'answer') {
      received(fault.status)
      return answer(response, { status: fault.status, headers: fault.headers, text: fault.body })
    }
    if (fault?.kind === 'reset') {
      received()
      return request.socket.resetAndDestroy()
    }
    const reply = take(request, body)
    received(reply.status)
    if (fault?.kind === 'restart') channels.restart()
    if (fault?.kind === 'loseAnswer') return request.socket.resetAndDestroy()
    if (fault?.kind === 'endless') return talk(response)
    answer(response, reply)
  }

  const { tls } = options
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    // Whoever hangs up in the middle is not heard to the end.
    handle(request, response).catch(() => response.destroy())
  }
  const server =
    tls === undefined ? createHttpServer(listener) : createHttpsServer({ cert: tls.certPem, key: tls.keyPem }, listener)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`

  return {
    host: new URL(origin).host,
    url: `${origin}/ingest`,
    splunkUrl: `${origin}${SPLUNK}/event`,
    requests,
    events,
    envelopes,
    looks,
    fail: (...more) => void faults.push(...more),
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function talk(response: ServerResponse): void {
  while (!response.destroyed && response.write('x'.repeat(16_384)));
  response.once('drain', () => talk(response))
}

type Reply = {
  readonly status: number
  readonly json?: unknown
  readonly text?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

const isSplunk = (request: IncomingMessage) => request.url?.startsWith(SPLUNK) === true

const linesOf = (body: string) => body.split('\n').filter((line) => line !== '')

function checkCredentials(request: IncomingMessage, { authorization }: CollectorOptions): Reply | undefined {
  if (authorization === undefined || request.headers.authorization === authorization) return undefined
  const given = request.headers.authorization
  if (!isSplunk(request)) return { status: 401, text: `wrong: ${given}` }
  return given === undefined
    ? { status: 401, json: { text: 'Token is required', code: 2 } }
    : { status: 403, json: { text: 'Invalid token', code: 4 } }
}

/** Undefined: the token does not acknowledge. */
function channelOf(request: IncomingMessage, channels: Channels): string | 'missing' | undefined {
  if (!channels.acknowledge) return undefined
  const header = request.headers['x-splunk-request-channel']
  const query = new URL(request.url ?? '', 'http://collector').searchParams.get('channel')
  return query ?? (typeof header === 'string' ? header : 'missing')
}
