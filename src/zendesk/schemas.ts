/** The few fields of Zendesk's answers that we act on; everything else is let through unread. */
import { z } from 'zod'
import { outsideText } from '../connector/text.ts'
import { parseRecord } from './pages.ts'

/** `POST /oauth/tokens` (D; expiry fields can be missing: D/T). */
export const tokenAnswer = z.object({
  // What a header can carry.
  access_token: z.string().regex(/^[!-~]+$/),
  expires_in: z.number().nullish(),
})

/** An RFC 6749 error, which the token endpoint is expected to send (I). */
export const tokenError = z.object({ error: z.string() })

/** `GET /api/v2/users/me`: 200 for anonymous callers too, then with a null id (D). */
export const meAnswer = z.object({
  user: z.object({
    // It comes into the status: digits, whatever stands there, and all of them.
    id: z.union([z.int(), z.string().regex(/^\d{1,20}$/)]).nullish(),
    role: outsideText(64).nullish(),
    active: z.boolean().nullish(),
    suspended: z.boolean().nullish(),
  }),
})

/** `GET /api/v2/oauth/tokens/current` (D). */
export const currentTokenAnswer = z.object({ token: z.object({ scopes: z.array(z.string()) }) })

/** Parses a body as JSON and by a schema; undefined when it is neither. */
export function parseBody<T>(schema: z.ZodType<T>, body: Buffer): T | undefined {
  try {
    return schema.safeParse(parseRecord(body.toString())).data
  } catch {
    return undefined
  }
}
