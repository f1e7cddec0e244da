import { readFileSync } from 'node:fs'
import { ProxyAgent, request } from 'undici'

/** An answer, read to its end. */
type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** The barest client there is, to look at the simulator through its proxy: no retries, no parsing. */
export type Probe = {
  get(path: string, options?: { token?: string; signal?: AbortSignal }): Promise<Reply>
  send(method: string, path: string, body: string, contentType?: string): Promise<Reply>
  /** Mints a token and uses it from then on. */
  signIn(request?: Readonly<Record<string, unknown>>): Promise<string>
  close(): Promise<void>
}

/** Acts as the default client of the account unless told otherwise. */
export function createProbe(world: { proxyUrl: string; caFile: string }, subdomain = 'acme'): Probe {
  const tls = { ca: readFileSync(world.caFile, 'utf8') }
  const dispatcher = new ProxyAgent({ uri: world.proxyUrl, requestTls: tls, allowH2: false })
  const base = `https://${subdomain}.zendesk.com`
  let current: string | undefined

  async function read(answer: Awaited<ReturnType<typeof request>>): Promise<Reply> {
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  async function send(method: string, path: string, body: string, contentType = 'application/json'): Promise<Reply> {
    const headers = { 'content-type': contentType }
    return read(await request(`${base}${path}`, { dispatcher, method: method as 'POST', body, headers }))
  }

  return {
    send,
    async get(path, { token = current, signal } = {}) {
      const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
      return read(await request(`${base}${path}`, { dispatcher, headers, ...(signal ? { signal } : {}) }))
    },
    async signIn(wanted = {}) {
      const client = { client_id: 'zendesk-connector', client_secret: `${subdomain}-secret` }
      const body = { grant_type: 'client_credentials', ...client, scope: 'read', expires_in: 1800, ...wanted }
      const reply = await send('POST', '/oauth/tokens', JSON.stringify(body))
      if (reply.status !== 201) throw new Error(`no token: ${reply.status} ${reply.text}`)
      current = String(JSON.parse(reply.text).access_token)
      return current
    },
    close: () => dispatcher.close(),
  }
}

/** The exact texts of the records in a list, found without parsing their numbers. */
export function recordTexts(text: string, name: string): string[] {
  const start = text.indexOf(`"${name}":[`) + name.length + 4
  const texts: string[] = []
  let depth = 0
  let begin = start
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') {
      if (depth === 0) begin = index
      depth++
    } else if (character === '}' || character === ']') {
      depth--
      if (depth < 0) return texts
      if (depth === 0) texts.push(text.slice(begin, index + 1))
    }
  }
  throw new Error('the list has no end')
}
