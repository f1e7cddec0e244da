/** Reading from one Zendesk account: within the budget, with a token that is renewed, through passing failures. */

import type { Credentials } from '../connector/credentials.ts'
import type { Spent } from '../connector/run.ts'
import { WINDOW_MS } from '../connector/schedule.ts'
import type { StreamName } from '../connector/schema.ts'
import { orAborted } from './aborted.ts'
import { absence, explainForbidden } from './access.ts'
import { type Trouble, ZendeskError } from './errors.ts'
import { createExchange, type ExchangeOptions } from './exchange.ts'
import type { EndpointLimit } from './limits.ts'
import { Again, persist } from './persist.ts'
import { PROBES } from './probes.ts'
import { readToken, requestToken } from './token.ts'
import { judge } from './verdict.ts'
import { createWaits, type WaitsOptions } from './waits.ts'

export type ReadOptions = {
  /** The stream that is read: for the sentence when Zendesk forbids it. */
  readonly stream: StreamName
  readonly limit?: EndpointLimit
  /** Ends the wait for budget, back-off and answer; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal
  /** Zendesk took too long over this page (504, T): `path` is asked for again afterwards and may name a smaller one. */
  readonly onTooLarge?: () => void
}

export type Usage = {
  readonly requests: number
  /** Requests answered with 429. */
  readonly throttled: number
  /** Time spent waiting because Zendesk, or courtesy to other clients, asked for it. */
  readonly throttledMs: number
  /** Attempts that were repeated, by the kind of failure. */
  readonly retries: Readonly<Record<string, number>>
  /** Requests by the status code of their answer; `<error>`: there was none. */
  readonly codes: Readonly<Record<string, number>>
  readonly spent: readonly Spent[]
}

export type ZendeskClient = {
  /**
   * Reads one page of the API: `path` begins with `/api/v2/`. Resolves with the body's bytes of a 200 that is JSON by
   * its content type; tries again by itself through everything that passes.
   * @throws ZendeskError when Zendesk refuses, or when it gave no answer for as long as the run can wait.
   */
  get(path: () => string, options: ReadOptions): Promise<Buffer>
  /** Zendesk's own clock now, from the `Date` of its answers; asks for a token when there was none yet. */
  now(signal: AbortSignal): Promise<Date>
  /** Requests so far, those for tokens included; `spent` those of the last minute, by age. */
  usage(): Usage
  /** What requests wait for just now, for people; undefined: nothing. */
  waiting(): string | undefined
  /** How many requests side by side would use the budget: 1 when the budget, and not latency, is the limit. */
  sideBySide(): number
  /** Forgets its timers. */
  close(): void
}

export type ClientOptions = Omit<ExchangeOptions, 'windowMs' | 'waits'> &
  Pick<WaitsOptions, 'onWait'> & {
    /** Read again at each token, so that a rotated secret is taken up. */
    readonly credentials: () => Promise<Credentials>
    /** From [0, 1). */
    readonly random: () => number
    /** What `requestsPerMinute` and all limits are counted by. Default: a minute. */
    readonly windowMs?: number
  }

/** More than the longest slice of a run; more than 300 and less than 172,800 s (D). */
const TOKEN_SECONDS = 7200
/** Renewed this long before it expires, so that no request is sent with a token that dies on its way. */
const TOKEN_MARGIN_MS = 60_000

type Token = { readonly text: string; readonly goodUntil: number }

export function createClient(options: ClientOptions): ZendeskClient {
  const { endpoint, clock, random, onWait, windowMs = WINDOW_MS } = options
  const { monotonic } = clock
  const waits = createWaits({ monotonic, onWait, onceInMs: windowMs })
  const exchange = createExchange({ ...options, windowMs, waits })
  const retries: Partial<Record<Trouble, number>> = {}
  const onRetry = (trouble: Trouble) => {
    retries[trouble] = (retries[trouble] ?? 0) + 1
  }
  const persistence = { monotonic, random, waits, onRetry }
  // A token is for all: its request must not end because the one reader that asked first has ended.
  const closing = new AbortController()
  let held: Token | undefined
  let minting: Promise<Token> | undefined

  const mint = (): Promise<Token> =>
    persist(
      async () => {
        const answer = await requestToken(exchange.send, await options.credentials(), TOKEN_SECONDS, closing.signal)
        const minted = readToken(answer, endpoint, clock.now(), TOKEN_SECONDS)
        if (minted.kind === 'refused') throw new ZendeskError(minted.reason, minted.message)
        if (minted.kind === 'again') return new Again(minted)
        return { text: minted.token, goodUntil: monotonic() + minted.expiresInMs - TOKEN_MARGIN_MS }
      },
      closing.signal,
      persistence,
    )

  /** One token for all requests in flight: whoever finds none asks for it, the others wait for the same. */
  const token = async (signal: AbortSignal): Promise<Token> => {
    if (held !== undefined && held.goodUntil > monotonic()) return held
    minting ??= mint()
      .then((fresh) => {
        held = fresh
        return fresh
      })
      .finally(() => {
        minting = undefined
      })
    return orAborted(minting, signal)
  }

  const get = (path: () => string, { stream, limit, signal, onTooLarge }: ReadOptions): Promise<Buffer> => {
    let refused = 0
    let absent = 0
    return persist(
      async () => {
        const used = await token(signal)
        const read = (one: string, ofEndpoint?: EndpointLimit) =>
          exchange.send(
            { method: 'GET', path: one, headers: { authorization: `Bearer ${used.text}` }, signal },
            ofEndpoint,
          )
        const answer = await read(path(), limit)
        const verdict = judge(answer, endpoint, clock.now(), limit)
        switch (verdict.kind) {
          case 'good':
            return answer.body
          case 'again':
            if (verdict.trouble === '504') onTooLarge?.()
            return new Again(verdict)
          case 'absent':
            // Once may be a gateway's doing; the connection test has seen that something is there.
            absent += 1
            if (absent < 3) return new Again({ ...passingAbsence, message: verdict.message })
            throw refusal(absence(stream, PROBES[stream], verdict))
          case 'forbidden':
            throw refusal(await explainForbidden(stream, PROBES[stream], (one) => read(one)))
          case 'unauthorized':
            refused += 1
            if (refused > 1) throw refusal(tokenRefused)
            if (held === used) held = undefined
            return new Again(tokenRefused)
        }
      },
      signal,
      persistence,
    )
  }

  return {
    get,
    now: async (signal) => {
      if (exchange.clockOffsetMs() === undefined) await token(signal)
      return new Date(clock.now().getTime() + (exchange.clockOffsetMs() ?? 0))
    },
    usage: () => ({ ...exchange.usage(), throttledMs: waits.throttledMs(), retries: { ...retries } }),
    waiting: waits.now,
    sideBySide: exchange.sideBySide,
    close: () => {
      closing.abort(new Error('the client is closed'))
      exchange.close()
    },
  }
}

const passingAbsence = { reason: 'ZendeskUnavailable', trouble: '404', waitMs: undefined } as const

const tokenRefused = {
  trouble: '401',
  waitMs: 0,
  reason: 'InvalidClient',
  message: 'Zendesk rejects a token that it has just issued: check the OAuth client in Zendesk’s Admin Center.',
} as const

function refusal({ reason, message }: Pick<ZendeskError, 'reason' | 'message'>): ZendeskError {
  return new ZendeskError(reason, message)
}
