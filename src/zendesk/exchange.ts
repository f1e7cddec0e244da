/** Every request of a run goes through here: limits, Zendesk's own waits, the fence, and the count of what was spent. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Spent } from '../connector/run.ts'
import { WINDOW_MS } from '../connector/schedule.ts'
import type { HttpAnswer, HttpRequest, Transport } from './http.ts'
import { createLimiter, type Limiter } from './limiter.ts'
import { ENDPOINT_LIMITS, type EndpointLimit } from './limits.ts'
import { advisedWait } from './retry-after.ts'

export type ExchangeOptions = {
  readonly send: Transport
  readonly requestsPerMinute: number
  readonly spent: readonly Spent[]
  /** Awaited right before each request is sent: the checkpoint's fence. */
  readonly guard: () => Promise<void>
  readonly clock: { readonly now: () => Date; readonly monotonic: () => number }
}

export type Exchange = {
  /** One request in its slot. @throws as Transport does. */
  send(request: HttpRequest, limit?: EndpointLimit): Promise<HttpAnswer>
  usage(): { readonly requests: number; readonly throttled: number; readonly spent: readonly Spent[] }
  /** Zendesk's clock minus ours by its last answer; undefined before the first. */
  clockOffsetMs(): number | undefined
  close(): void
}

export function createExchange({ send, requestsPerMinute, spent, guard, clock }: ExchangeOptions): Exchange {
  const limiterOf = (limit: number, endpoint?: string) =>
    createLimiter({
      limit,
      windowMs: WINDOW_MS,
      spent: spent.filter((one) => one.endpoint === endpoint),
      monotonic: clock.monotonic,
    })
  const account = limiterOf(requestsPerMinute)
  const endpoints = new Map<string, Limiter>(
    ENDPOINT_LIMITS.map(({ endpoint, requestsPerMinute: limit }) => [endpoint, limiterOf(limit, endpoint)]),
  )
  const heldUntil = new Map<string, number>()
  let requests = 0
  let throttled = 0
  let offsetMs: number | undefined

  const limiterOfEndpoint = (endpoint: string): Limiter => {
    const limiter = endpoints.get(endpoint)
    if (limiter === undefined) throw new Error(`${endpoint} is not among ENDPOINT_LIMITS`)
    return limiter
  }

  const untilOpen = async (scope: string, signal: AbortSignal) => {
    for (;;) {
      const waitMs = (heldUntil.get(scope) ?? 0) - clock.monotonic()
      if (waitMs <= 0) return
      await delay(waitMs, undefined, { signal })
    }
  }

  /** A 429 with advice closes the gate for all that share the limit: the endpoint's own if that is used up. */
  const heed = (answer: HttpAnswer, limit: EndpointLimit | undefined) => {
    throttled += 1
    const waitMs = advisedWait(answer.header, limit?.header, clock.now())
    if (waitMs === undefined) return
    const ownLimit = limit?.header !== undefined && /remaining=0\b/.test(answer.header(limit.header) ?? '')
    const scope = ownLimit ? limit.endpoint : ''
    heldUntil.set(scope, Math.max(heldUntil.get(scope) ?? 0, clock.monotonic() + waitMs))
  }

  return {
    send: (request, limit) => {
      const { signal } = request
      const inSlot = async () => {
        if (limit !== undefined) await untilOpen(limit.endpoint, signal)
        await untilOpen('', signal)
        await guard()
        requests += 1
        const answer = await send(request)
        const date = Date.parse(answer.header('date') ?? '')
        if (Number.isFinite(date)) offsetMs = date - clock.now().getTime()
        if (answer.status === 429) heed(answer, limit)
        return answer
      }
      const inAccount = () => account.run(inSlot, signal)
      return limit === undefined ? inAccount() : limiterOfEndpoint(limit.endpoint).run(inAccount, signal)
    },
    usage: () => ({ requests, throttled, spent: [...account.spent(), ...[...endpoints].flatMap(spentOf)] }),
    clockOffsetMs: () => offsetMs,
    close: () => {
      account.stop()
      for (const limiter of endpoints.values()) limiter.stop()
    },
  }
}

function spentOf([endpoint, limiter]: [string, Limiter]): Spent[] {
  return limiter.spent().map((one) => ({ ...one, endpoint }))
}
