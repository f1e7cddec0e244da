import { z } from 'zod'

/**
 * What a test may say about an account. Checked at the door, because a misspelt option of a simulator shows as a wrong
 * result somewhere else. Ids are digits in a string (or a bigint), so that they cross the control API unharmed.
 */
const id = z.union([z.string().regex(/^\d+$/), z.int().nonnegative(), z.bigint()]).transform((value) => BigInt(value))

/** Requests per minute of a whole account: https://developer.zendesk.com/api-reference/introduction/rate-limits/ */
export const planLimits = {
  team: 200,
  growth: 400,
  professional: 400,
  enterprise: 700,
  'enterprise-plus': 2500,
} as const

const limitFields = {
  /** Requests in a window; default: the plan's. */
  requests: z.int().positive().optional(),
  kind: z.enum(['fixed', 'sliding']).default('fixed'),
  windowMs: z.number().positive().default(60_000),
  /** Requests to incremental exports in a window. */
  incremental: z.int().positive().default(20),
  /** Requests to the access log in a window. */
  accessLogs: z.int().positive().default(50),
}

/** Limits of an account, as `setLimit` takes them. */
export const limitSchema = z.strictObject(limitFields)

const usersSchema = z.strictObject({
  /** The first one is the admin that the default client acts as. */
  count: z.int().positive().default(25),
  firstId: id.default(360_000_000_001n),
  /** The users were last updated at moments spread over this many days. */
  days: z.number().positive().default(400),
  /** How many of them are deleted, the first of these permanently. */
  deleted: z.int().nonnegative().default(2),
  /** Pages of the incremental export hold no more than so many, whatever is asked for. */
  exportPageSize: z.int().min(1).max(1000).default(1000),
  /** So many users at the end of a page of the incremental export come again on the next. */
  repeatAtBoundaries: z.int().nonnegative().default(0),
})

const activitiesSchema = z.strictObject({
  days: z.number().positive().default(40),
  /** Exactly so many in the seven days before the account is made (none within an hour of that edge). */
  lastSevenDays: z.int().nonnegative().default(200),
  perEarlierDay: z.int().nonnegative().default(10),
  /** Start above 2^53 to catch a client that reads ids as doubles. */
  firstId: id.default(5_100_000_000_001n),
  /** So many neighbours share a second. */
  sharing: z.int().positive().default(7),
})

/** An account, every part optional. */
export const accountSchema = z.strictObject({
  plan: z.enum(['team', 'growth', 'professional', 'enterprise', 'enterprise-plus']).default('enterprise'),
  limit: limitSchema.prefault({}),
  /** Default: `zendesk-connector` with the secret `<subdomain>-secret`, acting as the first user. */
  clients: z
    .array(z.strictObject({ clientId: z.string(), clientSecret: z.string(), actingUserId: id.optional() }))
    .optional(),
  users: usersSchema.prefault({}),
  activities: activitiesSchema.prefault({}),
  /** Only accounts with the ADPP add-on have an access log: absent means 403. */
  accessLogs: z
    .strictObject({ count: z.int().nonnegative(), days: z.number().positive().max(90).default(7) })
    .optional(),
  groups: z.int().nonnegative().default(3),
  groupMemberships: z.int().nonnegative().default(5),
  customRoles: z.int().nonnegative().default(4),
  /** Control characters, quotes, emoji, 5,000 characters, lone surrogates in some records. */
  hostileStrings: z.boolean().default(false),
  /** Keep the exact text of every record version served. Costs memory: off for large populations. */
  recordServed: z.boolean().default(false),
  /** `users/count` never says more than this, as Zendesk's estimate. */
  countCap: z.int().positive().default(100_000),
  /** Pages that are kept so that they need not be made again, in bytes. */
  pageCacheBytes: z
    .int()
    .nonnegative()
    .default(32 * 2 ** 20),
  seed: z.int().default(1),
})

/** What `account(subdomain, options)` takes. */
export type AccountOptions = z.input<typeof accountSchema>
/** The same with its defaults. */
export type AccountSettings = z.output<typeof accountSchema>
/** What `setLimit` takes. */
export type LimitOptions = z.input<typeof limitSchema>

/** An id as tests give it. */
export type Id = string | bigint

/** A moment as tests give it: milliseconds since 1970 or an ISO date. */
export type Moment = number | string

/** Whole seconds since 1970; a lower bound rounds up. */
export function toSeconds(moment: Moment, round = Math.floor): number {
  const milliseconds = typeof moment === 'number' ? moment : Date.parse(moment)
  if (!Number.isFinite(milliseconds)) throw new Error(`not a moment: ${moment}`)
  return round(milliseconds / 1000)
}
