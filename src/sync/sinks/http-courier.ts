/** Brings requests to one collector, through whatever passes: each failed attempt is repeated, byte for byte, after a wait. */
import { EnvHttpProxyAgent, Pool, request } from 'undici'
import type { Egress } from '../../zendesk/http.ts'
import type { Clock } from '../clock.ts'
import { graceAfter } from './grace.ts'
import { type Again, type Answer, waitBefore } from './http-answers.ts'
import { passing } from './http-failures.ts'
import { SinkError } from './sink.ts'

export type HeaderFields = Readonly<Record<string, string>>

export type Post = {
  readonly url: string
  readonly headers: HeaderFields
  readonly body: Buffer | string
}

export type Courier = {
  /**
   * Posts until `judge` has something else to say than `again`.
   * @throws SinkError when it does not for two minutes, or `judge` throws; the signal's reason when time is up.
   */
  post<T extends { readonly kind: string }>(post: Post, judge: (answer: Answer) => T | Again): Promise<T>
  /** @throws the signal's reason when time is up. */
  wait(milliseconds: number): Promise<void>
  close(): Promise<void>
}

export type CourierOptions = {
  /** Host and port, for sentences. */
  readonly host: string
  /** What the Secret holds: read again at each request, so that a rotated token is taken up. */
  readonly headers: () => Promise<HeaderFields>
  readonly egress: Egress
  readonly clock: Clock
  /** From [0, 1). */
  readonly random: () => number
  /** Each wait says what it waits for. */
  readonly onWait: (what: string, milliseconds: number) => void
  /** The process shall end: what is under way has a few seconds left. */
  readonly signal: AbortSignal
  /** No byte for this long means that nothing will come. Default: 30 s. */
  readonly stallMs?: number
}

const STALL_MS = 30_000
/** Without one good answer for this long, the run ends: nothing is lost, the position has not moved. */
const GIVE_UP_MS = 2 * 60_000
/** Splunk's longest answer is far below; of others the status is enough. */
const MOST_OF_AN_ANSWER = 64 * 1024

export function createCourier(options: CourierOptions): Courier {
  const { host, headers, egress, clock, random, onWait, signal, stallMs = STALL_MS } = options
  const agent = new EnvHttpProxyAgent({
    // Empty, not undefined, which would be filled in from the environment. The company's proxy leads to the internet:
    // what is posted over http:// stays inside.
    httpProxy: '',
    httpsProxy: egress.httpsProxy ?? '',
    noProxy: egress.noProxy ?? '',
    allowH2: false,
    headersTimeout: stallMs,
    bodyTimeout: stallMs,
    connect: { timeout: 10_000 },
    connectTimeout: 10_000,
    // By default a proxy that says nothing at all is waited for for five minutes.
    clientFactory: (origin, proxy) => new Pool(origin, { ...proxy, headersTimeout: stallMs }),
  })
  const { timeIsUp, close } = graceAfter(signal, clock)

  const once = async (post: Post): Promise<Answer> => {
    const given = sendable(await headers().catch(unreadable))
    const answer = await request(post.url, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'user-agent': 'zendesk-connector', ...given, ...post.headers },
      body: post.body,
      signal: timeIsUp,
    })
    return {
      status: answer.statusCode,
      header: (name) => [answer.headers[name] ?? []].flat(),
      text: await beginningOf(answer.body),
    }
  }

  const wait = async (milliseconds: number) => {
    await clock.wait(milliseconds, timeIsUp)
    timeIsUp.throwIfAborted()
  }

  return {
    wait,
    post: async (post, judge) => {
      const since = clock.monotonic()
      for (let attempt = 0; ; attempt += 1) {
        timeIsUp.throwIfAborted()
        const outcome = await once(post).then(judge, (error: unknown) => {
          timeIsUp.throwIfAborted()
          if (error instanceof SinkError) throw error
          return passing(error, host, stallMs)
        })
        if (!isAgain(outcome)) return outcome
        const waitMs = waitBefore(attempt, outcome, random())
        if (clock.monotonic() + waitMs - since > GIVE_UP_MS) throw new SinkError(outcome.message)
        onWait(outcome.message, waitMs)
        await wait(waitMs)
      }
    },
    close: async () => {
      close()
      await agent.destroy()
    },
  }
}

function isAgain(outcome: { readonly kind: string }): outcome is Again {
  return outcome.kind === 'again'
}

/** These belong to the connection or to the batch: nobody else can say them right. */
const notForSecrets = /^(content-.*|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|idempotency-key)$/

/** HeaderFields as the Secret has them, without the line feed that files end with. @throws SinkError naming a key, not its value. */
function sendable(given: HeaderFields): Record<string, string> {
  const clean: Record<string, string> = {}
  for (const [key, content] of Object.entries(given)) {
    const name = key.toLowerCase()
    const value = content.trim()
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || notForSecrets.test(name) || !/^[\t -~]*$/.test(value)) {
      throw new SinkError(`The key ${key} in the Secret of the sink is not a valid header: correct or remove it.`)
    }
    clean[name] = value
  }
  return clean
}

function unreadable(error: unknown): never {
  if (error instanceof SinkError) throw error
  throw new SinkError('The Secret of the sink cannot be read: check that it is there, and secretRef.')
}

async function beginningOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size >= MOST_OF_AN_ANSWER) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
