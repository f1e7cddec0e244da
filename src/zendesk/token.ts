/** Access tokens by the client_credentials grant (since 2025-03-04, confidential clients: D). */
import type { Credentials } from '../connector/credentials.ts'
import type { Reason } from '../connector/reasons.ts'
import type { HttpAnswer, Transport } from './http.ts'
import { parseBody, tokenAnswer, tokenError } from './schemas.ts'
import { judge, type Passing } from './verdict.ts'

/** `read` covers every stream; whether finer scopes cover groups and roles is unproven (zendesk-api.md, I). */
const SCOPE = 'read'

export type Minted =
  | { readonly kind: 'token'; readonly token: string; readonly expiresInMs: number }
  | { readonly kind: 'refused'; readonly reason: Reason; readonly message: string }
  | ({ readonly kind: 'again' } & Passing)

/**
 * One request for a token. `lifetimeSeconds` must be more than 300 and less than 172,800 (D).
 * @throws ZendeskError as Transport does.
 */
export function requestToken(
  send: Transport,
  { clientId, clientSecret }: Credentials,
  lifetimeSeconds: number,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  return send({
    method: 'POST',
    path: '/oauth/tokens',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: SCOPE,
      expires_in: lifetimeSeconds,
    }),
    signal,
  })
}

const refusedClient =
  'Zendesk rejects the OAuth client id and secret: correct clientId (the unique identifier) and clientSecret in the Secret, or generate a new secret in Zendesk’s Admin Center.'

/** Reads the answer of the token endpoint. Its errors are undocumented: RFC 6749 is expected, anything tolerated (I). */
export function readToken(answer: HttpAnswer, endpoint: string, now: Date, lifetimeSeconds: number): Minted {
  const verdict = judge(answer, endpoint, now)
  const error = parseBody(tokenError, answer.body)?.error
  if (error === 'invalid_scope') {
    return {
      kind: 'refused',
      reason: 'InvalidScope',
      message: `Zendesk rejects the scope "${SCOPE}": allow it for the OAuth client in Zendesk’s Admin Center.`,
    }
  }
  if (
    verdict.kind === 'unauthorized' ||
    verdict.kind === 'forbidden' ||
    (answer.status === 400 && error !== undefined)
  ) {
    return { kind: 'refused', reason: 'InvalidClient', message: refusedClient }
  }
  if (verdict.kind === 'absent') return { kind: 'refused', reason: 'AccountNotFound', message: verdict.message }
  if (verdict.kind === 'again') return verdict
  const token = parseBody(tokenAnswer, answer.body)
  if (token === undefined) {
    return {
      kind: 'again',
      reason: 'ZendeskUnavailable',
      message: `${endpoint} sent an unknown response to the token request: check what responds instead of Zendesk.`,
      trouble: 'body',
      waitMs: undefined,
    }
  }
  return { kind: 'token', token: token.access_token, expiresInMs: (token.expires_in ?? lifetimeSeconds) * 1000 }
}
