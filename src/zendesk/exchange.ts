/** Every request of a run goes through here: its budgets, Zendesk's own waits, the fence, and the count of what was spent. */
import type { Spent } from '../connector/run.ts'
import { orAborted } from './aborted.ts'
import { type Block, type Budget, createBudget } from './budget.ts'
import type { HttpAnswer, HttpRequest, Transport } from './http.ts'
import { ENDPOINT_LIMITS, type EndpointLimit, statedOfAccount, statedOfEndpoint } from './limits.ts'
import { advisedWait } from './retry-after.ts'
import type { Waits } from './waits.ts'

export type ExchangeOptions = {
  readonly send: Transport
  readonly endpoint: string
  readonly requestsPerMinute: number
  readonly spent: readonly Spent[]
  /** Awaited right before each request is sent: the checkpoint's fence. */
  readonly guard: () => Promise<void>
  /** Asked once more when the request leaves, which can be much later: its connection may have to be made first. Absent: it may. */
  readonly isHeld?: () => boolean
  readonly clock: { readonly now: () => Date; readonly monotonic: () => number }
  /** Zendesk's minute. */
  readonly windowMs: number
  readonly waits: Waits
}

export type Exchange = {
  /** One request in its slot. @throws as Transport does. */
  send(request: HttpRequest, limit?: EndpointLimit): Promise<HttpAnswer>
  usage(): {
    readonly requests: number
    readonly throttled: number
    readonly codes: Readonly<Record<string, number>>
    readonly spent: readonly Spent[]
  }
  /** Zendesk's clock minus ours by its last answer; undefined before the first. */
  clockOffsetMs(): number | undefined
  /** How many requests side by side it takes to use the budget, by how long answers take. */
  sideBySide(): number
  close(): void
}

const MOST_SIDE_BY_SIDE = 8
/** Readers do something with a page before they ask for the next. */
const READING = 1.2
/** With clocks that are farther apart there is hardly a valid certificate: a log read up to such a time would have a hole. */
const MOST_OFFSET_MS = 30 * 24 * 3_600_000
/** Weight of an answer among those before it. */
const NEWEST = 0.1

export function createExchange(options: ExchangeOptions): Exchange {
  const { send, endpoint, requestsPerMinute, spent, guard, isHeld, clock, windowMs, waits } = options
  const { monotonic } = clock
  const spentOn = (name?: string) => spent.filter((one) => one.endpoint === name)

  const account = createBudget({
    rate: () => requestsPerMinute,
    windowMs,
    spent: spentOn(),
    monotonic,
    paced: true,
    onBlock: (block) => waits.hold('', block && told(block, endpoint, (perMinute) => `the budget of ${perMinute}`)),
  })
  const ofEndpoint = ({ endpoint: name, requestsPerMinute: usual }: EndpointLimit) =>
    createBudget({
      // What Zendesk states replaces what we expect: the High Volume add-on shows nowhere else (D).
      rate: (total) => Math.min(total ?? usual, account.limit()),
      windowMs,
      spent: spentOn(name),
      monotonic,
      paced: false,
      onBlock: (block) =>
        waits.hold(name, block && told(block, name, (perMinute) => `Zendesk’s limit of ${perMinute} for ${name}`)),
    })
  const endpoints = new Map<string, Budget>(ENDPOINT_LIMITS.map((limit) => [limit.endpoint, ofEndpoint(limit)]))

  let requests = 0
  let throttled = 0
  const codes: Record<string, number> = {}
  let offsetMs: number | undefined
  let latencyMs: number | undefined

  const budgetOf = (name: string): Budget => {
    const budget = endpoints.get(name)
    if (budget === undefined) throw new Error(`${name} is not among ENDPOINT_LIMITS`)
    return budget
  }

  const note = (answer: HttpAnswer, tookMs: number) => {
    const date = Date.parse(answer.header('date') ?? '')
    const offset = date - clock.now().getTime()
    if (Math.abs(offset) < MOST_OFFSET_MS) offsetMs = offset
    latencyMs = latencyMs === undefined ? tookMs : latencyMs + (tookMs - latencyMs) * NEWEST
    if (answer.status === 429) throttled += 1
  }

  /** Sends in the slots that are held of `own`, the endpoint's budget, and of the account's. */
  const sendNow = async (request: HttpRequest, limit: EndpointLimit | undefined, own: Budget | undefined) => {
    await orAborted(guard(), request.signal)
    requests += 1
    const begin = monotonic()
    const ended = account.sends()
    const ownEnded = own?.sends()
    const answer = await send({ ...request, ...(isHeld && { mayStart: isHeld }) }).catch((error: unknown) => {
      countCode(codes, undefined)
      ended(undefined, undefined)
      ownEnded?.(undefined, undefined)
      throw error
    })
    countCode(codes, answer.status)
    note(answer, monotonic() - begin)
    const stated = statedOfAccount(answer.header)
    const statedOwn = limit && statedOfEndpoint(answer.header, limit)
    if (answer.status !== 429) {
      ended(stated, undefined)
      ownEnded?.(statedOwn, undefined)
      return answer
    }
    // Zendesk says nowhere which limit it was. All that share it wait for as long as it advises.
    const advisedMs = advisedWait(answer, limit?.header, clock.now())
    const isOwn = own !== undefined && (statedOwn?.remaining === 0 || (stated?.remaining ?? 0) > 0)
    ended(stated, !isOwn && stated?.remaining === 0 ? (advisedMs ?? 0) : undefined)
    ownEnded?.(statedOwn, statedOwn?.remaining === 0 ? (advisedMs ?? 0) : undefined)
    if (advisedMs !== undefined) (isOwn ? own : account).hold(advisedMs)
    return answer
  }

  return {
    send: (request, limit) => {
      const { signal } = request
      // Its own limit is the scarcer one: what has waited for it goes before the rest.
      if (limit === undefined) return account.run(() => sendNow(request, undefined, undefined), signal)
      const own = budgetOf(limit.endpoint)
      return own.run(() => account.run(() => sendNow(request, limit, own), signal, true), signal)
    },
    usage: () => ({
      requests,
      throttled,
      codes: { ...codes },
      spent: [...account.spent(), ...[...endpoints].flatMap(spentOf)],
    }),
    clockOffsetMs: () => offsetMs,
    sideBySide: () => {
      const wanted = (account.allowed() / windowMs) * (latencyMs ?? 0) * READING
      return Math.min(MOST_SIDE_BY_SIDE, Math.max(1, Math.ceil(wanted)))
    },
    close: () => {
      account.stop()
      for (const budget of endpoints.values()) budget.stop()
    },
  }
}

/** Counts an answer by its status code; undefined: there was none. */
export function countCode(codes: Record<string, number>, status: number | undefined): void {
  const code = status === undefined ? '<error>' : String(status)
  codes[code] = (codes[code] ?? 0) + 1
}

/** `what`: whose limit it is; `budget`: what is waited for when nobody is to blame. */
function told({ why, allowed, milliseconds, since }: Block, what: string, budget: (perMinute: string) => string) {
  const perMinute = `${allowed} ${allowed === 1 ? 'request' : 'requests'} a minute`
  const sentence = {
    advice: `${what} requires waiting for ${Math.ceil(milliseconds / 1000)} s`,
    courtesy: `other clients use ${what}: ${perMinute} ${allowed === 1 ? 'is' : 'are'} left`,
    budget: budget(perMinute),
  }
  return { what: sentence[why], milliseconds, since, throttled: why !== 'budget' }
}

function spentOf([endpoint, budget]: [string, Budget]): Spent[] {
  return budget.spent().map((one) => ({ ...one, endpoint }))
}
