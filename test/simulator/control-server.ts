import { createServer, type ServerResponse } from 'node:http'
import { json as readJson } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Account } from './account.ts'
import type { Clock } from './clock.ts'
import { jsonText } from './collections.ts'
import type { FaultOptions } from './faults.ts'
import type { AccountOptions } from './options.ts'
import { listen, portOf } from './proxy.ts'

/** The part of the simulator that other processes reach. */
export type Controlled = {
  readonly clock: Clock
  readonly refusedTargets: readonly string[]
  account(subdomain: string, options?: AccountOptions): Account
  accounts(prefix: string, options?: AccountOptions, faults?: readonly FaultOptions[]): void
  find(subdomain: string): Account | undefined
}

/** A listening control API. */
export type ControlServer = { readonly url: string; stop(): Promise<void> }

/**
 * Calls by name: `POST /<object>/<method>` with a JSON array of arguments, where the object is `simulator`, `clock`,
 * `accounts/<subdomain>` or `accounts/<subdomain>/ledger`. Iterables come as one JSON value per line.
 */
export async function startControlServer(host: string, port: number, simulator: Controlled): Promise<ControlServer> {
  const server = createServer((request, response) => {
    answer(request.url ?? '/').catch((error: unknown) => {
      if (response.headersSent) return void response.destroy()
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
    })

    async function answer(path: string): Promise<void> {
      if (request.method !== 'POST') throw new Error('POST /<object>/<method> with a JSON array of arguments')
      const values: unknown = await readJson(request)
      if (!Array.isArray(values)) throw new Error('the body must be a JSON array of arguments')
      const parts = path.slice(1).split('/').map(decodeURIComponent)
      const method = parts.pop() ?? ''
      const target = objectAt(simulator, parts)
      const callable: unknown = Object.hasOwn(target, method) ? Reflect.get(target, method) : undefined
      if (typeof callable !== 'function') throw new Error(`no method ${method}`)
      // JSON has no `undefined`: an argument left out in the middle arrives as null.
      const result: unknown = callable(...values.map((value: unknown) => value ?? undefined))
      await reply(response, result)
    }
  })
  await listen(server, host, port)
  return {
    url: `http://${host}:${portOf(server)}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function objectAt(simulator: Controlled, parts: readonly string[]): object {
  const [kind, subdomain = '', part] = parts
  if (kind === 'clock') return simulator.clock
  if (kind === 'simulator') {
    return {
      account: (name: string, options?: AccountOptions) => void simulator.account(name, options),
      accounts: simulator.accounts,
      refusedTargets: () => simulator.refusedTargets,
    }
  }
  if (kind !== 'accounts') throw new Error(`no object ${parts.join('/')}`)
  const account = simulator.find(subdomain)
  if (!account) throw new Error(`no account ${subdomain}`)
  return part === 'ledger' ? account.ledger : account
}

async function reply(response: ServerResponse, result: unknown): Promise<void> {
  if (isLazy(result)) {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    return pipeline(
      Iterator.from(result).map((value) => `${jsonText(value)}\n`),
      response,
    )
  }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(jsonText(result ?? null))
}

function isLazy(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Symbol.iterator in value
}
