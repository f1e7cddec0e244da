import type { ServedPage } from './ledger.ts'

/** An answer before it goes on the wire. */
export type Answer = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Buffer
  /** Records in it, for the ledger. */
  readonly served?: ServedPage
}

/** An answer in JSON. */
export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  }
}

/** A page for people, as balancers and missing accounts send it. */
export function html(status: number, title: string): Answer {
  const body = `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
}

/** Role, plan and scope are told apart nowhere in this answer: as in reality. */
export function forbidden(): Answer {
  const message =
    'You do not have access to this page. Please contact the account owner of this help desk for further help.'
  return json(403, { error: { title: 'Forbidden', message } })
}

/** A bearer token that is unknown, expired or revoked. */
export function invalidToken(): Answer {
  const description = 'The access token provided is expired, revoked, malformed or invalid for other reasons.'
  return json(401, { error: 'invalid_token', error_description: description })
}

/** No credentials where some are needed. */
export function unauthenticated(): Answer {
  return json(401, { error: "Couldn't authenticate you" })
}

/** A parameter that makes no sense. */
export function badRequest(code: string, detail: string): Answer {
  return json(400, { errors: [{ code, title: code.replace(/(?<=[a-z])(?=[A-Z])/g, ' '), detail }] })
}

/** A path Zendesk does not have. */
export function noEndpoint(): Answer {
  return json(404, { error: 'InvalidEndpoint', description: 'Not found' })
}
