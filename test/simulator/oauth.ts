import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'

/** A confidential OAuth client of an account. */
type Client = { readonly clientId: string; readonly clientSecret: string; readonly actingUserId: bigint }

/** An access token that was handed out. */
export type Token = {
  readonly id: number
  readonly value: string
  readonly clientId: string
  readonly userId: bigint
  readonly scopes: readonly string[]
  readonly createdAt: number
  readonly expiresAt: number | null
}

/** What `POST /oauth/tokens` says. */
type Grant =
  | { readonly token: Token; readonly expiresIn: number | undefined }
  | { readonly status: 400 | 401; readonly error: string; readonly description: string }

/** Clients and tokens of one account. */
export type OAuth = {
  setClient(client: Client): void
  removeClient(clientId: string): void
  clients(): Client[]
  rotateSecret(clientId: string, secret: string): void
  grant(request: Readonly<Record<string, unknown>>): Grant
  /** The token, unless it is unknown, expired or revoked. */
  verify(value: string): Token | undefined
  revokeAll(): number
  /** Tokens that still work. */
  tokens(): Token[]
}

const scopePattern = /^(read|write|impersonate|[a-z_]+:(read|write))$/

/** A malformed scope still gets a token, and the token gets nothing (documented by Zendesk). */
export function allows(token: Token, resource: string): boolean {
  if (!token.scopes.every((scope) => scopePattern.test(scope))) return false
  return token.scopes.includes('read') || token.scopes.includes(`${resource}:read`)
}

/** Without clients or tokens. */
export function createOAuth(clock: Clock): OAuth {
  const clients = new Map<string, Client>()
  const tokens = new Map<string, Token>()
  let nextId = 4_200_001

  function prune(): void {
    if (tokens.size < 10_000) return
    for (const [value, token] of tokens) if (expired(token)) tokens.delete(value)
  }
  const expired = (token: Token) => token.expiresAt !== null && token.expiresAt <= clock.now()

  return {
    setClient: (client) => void clients.set(client.clientId, client),
    removeClient: (clientId) => void clients.delete(clientId),
    clients: () => [...clients.values()],
    rotateSecret(clientId, clientSecret) {
      const client = clients.get(clientId)
      if (!client) throw new Error(`no client ${clientId}`)
      clients.set(clientId, { ...client, clientSecret })
    },
    grant(request) {
      if (request.grant_type !== 'client_credentials') {
        return { status: 400, error: 'unsupported_grant_type', description: 'The grant type is not supported.' }
      }
      const client = clients.get(String(request.client_id))
      if (!client || client.clientSecret !== request.client_secret) {
        return { status: 401, error: 'invalid_client', description: 'Client authentication failed.' }
      }
      const expiresIn = request.expires_in === undefined ? undefined : Number(request.expires_in)
      if (expiresIn !== undefined && !(expiresIn > 300 && expiresIn < 172_800)) {
        return { status: 400, error: 'invalid_request', description: 'expires_in must be above 300, below 172800.' }
      }
      prune()
      const now = clock.now()
      const token: Token = {
        id: nextId++,
        value: randomBytes(32).toString('hex'),
        clientId: client.clientId,
        userId: client.actingUserId,
        scopes: String(request.scope ?? 'read')
          .split(/\s+/)
          .filter(Boolean),
        createdAt: now,
        expiresAt: expiresIn === undefined ? null : now + expiresIn * 1000,
      }
      tokens.set(token.value, token)
      return { token, expiresIn }
    },
    verify(value) {
      const token = tokens.get(value)
      return token && !expired(token) ? token : undefined
    },
    revokeAll() {
      const count = tokens.size
      tokens.clear()
      return count
    },
    tokens: () => [...tokens.values()].filter((token) => !expired(token)),
  }
}
