import { z } from 'zod'
import { mix } from './random.ts'

/** Faults on demand: rules that tests put in a queue, matched against each request (or connection) of an account. */

const seconds = z.number().nonnegative()
const effectSchema = z.discriminatedUnion('kind', [
  /** An answer with this status; Retry-After in seconds or as an HTTP date that far ahead. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(200).max(599),
    retryAfter: seconds.optional(),
    retryAfterDate: seconds.optional(),
    body: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
  }),
  /** A page for people where JSON is due. */
  z.strictObject({ kind: z.literal('html'), status: z.int().default(200) }),
  /** The real answer, cut in the middle: content-length promises more, then the connection ends. */
  z.strictObject({ kind: z.literal('cutOff') }),
  /** The real answer without its end, complete as far as HTTP can tell. */
  z.strictObject({ kind: z.literal('invalidJson') }),
  /** The connection is reset, before the first byte or after half of them. */
  z.strictObject({ kind: z.literal('reset'), when: z.enum(['before', 'during']).default('before') }),
  /** Not a byte for so many seconds, or for ever; `during`: after half of the answer. */
  z.strictObject({
    kind: z.literal('stall'),
    seconds: seconds.optional(),
    when: z.enum(['before', 'during']).default('before'),
  }),
  /** The real answer, later. */
  z.strictObject({ kind: z.literal('latency'), milliseconds: z.number().nonnegative() }),
  z.strictObject({ kind: z.literal('redirect'), location: z.string(), status: z.int().default(302) }),
  /** The acting user of the request's token changes role, then the request is answered. */
  z.strictObject({ kind: z.literal('demote'), role: z.enum(['agent', 'end-user']).default('agent') }),
  z.strictObject({ kind: z.literal('revokeTokens') }),
  /** The proxy refuses CONNECT. */
  z.strictObject({ kind: z.literal('refuseConnect'), status: z.int().default(403) }),
  /** TLS with a certificate of an unknown authority, or of ours for another name. */
  z.strictObject({ kind: z.literal('wrongCertificate'), of: z.enum(['authority', 'name']).default('authority') }),
  /** The proxy closes the account's connections without a word. */
  z.strictObject({ kind: z.literal('down') }),
])

/** A rule: which requests, how often, what happens. */
const faultSchema = z.strictObject({
  method: z.string().optional(),
  /** A regular expression over path and query. */
  path: z.string().optional(),
  /** Lets so many matching requests pass first. */
  after: z.int().nonnegative().default(0),
  /** Then strikes so often; default: until cleared. */
  times: z.int().positive().optional(),
  /** Then strikes with this probability, the same requests each time the test runs. */
  probability: z.number().min(0).max(1).default(1),
  effect: effectSchema,
})

/** What `addFault` takes. */
export type FaultOptions = z.input<typeof faultSchema>
/** What happens. */
export type Effect = z.output<typeof effectSchema>
/** How a rule stands. */
export type FaultState = {
  readonly id: number
  readonly kind: Effect['kind']
  readonly matched: number
  readonly struck: number
}

const connectionKinds: ReadonlySet<string> = new Set(['refuseConnect', 'wrongCertificate', 'down'])
/** These change the world or the time and let the request go on. */
const passingKinds: ReadonlySet<string> = new Set(['latency', 'demote', 'revokeTokens'])

/** Whether the effect is on a connection rather than on a request. */
export function onConnection(kind: string): boolean {
  return connectionKinds.has(kind)
}

/** The rules of one account, in the order they were added. */
export type Faults = {
  add(options: FaultOptions): number
  remove(id: number): void
  clear(): void
  states(): FaultState[]
  /** What this request suffers: any number of passing effects, then at most one that decides its answer. */
  forRequest(method: string, path: string): Effect[]
  forConnection(): Effect | undefined
}

/** No rules. */
export function createFaults(seed: number): Faults {
  type Rule = z.output<typeof faultSchema> & { id: number; matched: number; struck: number; pattern: RegExp }
  let rules: Rule[] = []
  let nextId = 1

  function strikes(rule: Rule): boolean {
    if (rule.times !== undefined && rule.struck >= rule.times) return false
    rule.matched++
    if (rule.matched <= rule.after) return false
    if (mix(seed + rule.id, rule.matched) / 2 ** 32 >= rule.probability) return false
    rule.struck++
    return true
  }

  return {
    add(options) {
      const rule = faultSchema.parse(options)
      rules.push({ ...rule, id: nextId, matched: 0, struck: 0, pattern: new RegExp(rule.path ?? '') })
      return nextId++
    },
    remove(id) {
      rules = rules.filter((rule) => rule.id !== id)
    },
    clear() {
      rules = []
    },
    states: () => rules.map(({ id, effect, matched, struck }) => ({ id, kind: effect.kind, matched, struck })),
    forRequest(method, path) {
      const effects: Effect[] = []
      for (const rule of rules) {
        if (onConnection(rule.effect.kind) || (rule.method && rule.method !== method)) continue
        if (!rule.pattern.test(path) || !strikes(rule)) continue
        effects.push(rule.effect)
        if (!passingKinds.has(rule.effect.kind)) break
      }
      return effects
    },
    forConnection() {
      return rules.find((rule) => onConnection(rule.effect.kind) && strikes(rule))?.effect
    },
  }
}
