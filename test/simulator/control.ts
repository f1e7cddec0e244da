import { request } from 'undici'
import type { Account } from './account.ts'
import type { Clock } from './clock.ts'
import type { FaultOptions } from './faults.ts'
import type { Ledger } from './ledger.ts'
import type { AccountOptions } from './options.ts'

/** The methods of an object of the simulator, called from another process. */
type Remote<T> = {
  readonly [Name in keyof T as T[Name] extends (...values: never) => unknown ? Name : never]: T[Name] extends (
    ...values: infer Values
  ) => infer Result
    ? (...values: Values) => RemoteResult<Result>
    : never
}
/** Lists and values come at once; what is lazy here is lazy there. */
type RemoteResult<Result> = Result extends string | readonly unknown[]
  ? Promise<Result>
  : Result extends Iterable<infer Item>
    ? AsyncIterable<Item>
    : Promise<Result>

/** An account in another process: what `Account` does, asynchronously. */
export type RemoteAccount = Remote<Account> & { readonly subdomain: string; readonly ledger: Remote<Ledger> }

/** A simulator in another process. */
export type Control = {
  readonly clock: Remote<Clock>
  /** Makes an account, or replaces it. */
  account(subdomain: string, options?: AccountOptions): Promise<RemoteAccount>
  /** All accounts whose names begin so: each is made when it is first asked for. */
  accounts(prefix: string, options?: AccountOptions, faults?: readonly FaultOptions[]): Promise<void>
  /** One that exists; its methods fail if it does not. */
  find(subdomain: string): RemoteAccount
  refusedTargets(): Promise<readonly string[]>
}

/** These give their items one by one. */
const lazyMethods: ReadonlySet<string> = new Set(['users', 'activities', 'accessLogs', 'served'])

/** Everything tests can do in the simulator's process, from outside of it. */
export function connectControl(controlUrl: string): Control {
  const find = (subdomain: string): RemoteAccount => {
    const path = `accounts/${encodeURIComponent(subdomain)}`
    const ledger = remote<Remote<Ledger>>(controlUrl, `${path}/ledger`)
    return remote<RemoteAccount>(controlUrl, path, { subdomain, ledger })
  }
  return {
    clock: remote<Remote<Clock>>(controlUrl, 'clock'),
    find,
    async account(subdomain, options = {}) {
      await call(controlUrl, 'simulator/account', [subdomain, options])
      return find(subdomain)
    },
    async accounts(prefix, options = {}, faults = []) {
      await call(controlUrl, 'simulator/accounts', [prefix, options, faults])
    },
    refusedTargets: () => call(controlUrl, 'simulator/refusedTargets', []) as Promise<readonly string[]>,
  }
}

/** Turns each property into a call; the methods' names are the wire's names, so there is no list to keep in step. */
function remote<T>(controlUrl: string, path: string, properties: Record<string, unknown> = {}): T {
  return new Proxy(properties, {
    get(target, name) {
      // `then` would make it look like a promise to `await`.
      if (typeof name !== 'string' || name === 'then') return undefined
      if (Object.hasOwn(target, name)) return target[name]
      const invoke = lazyMethods.has(name) ? callLazily : call
      return (...values: unknown[]) => invoke(controlUrl, `${path}/${name}`, values)
    },
  }) as T
}

async function post(controlUrl: string, path: string, values: readonly unknown[]) {
  // Ids are digits in a string: JSON numbers would lose the last of them.
  const body = JSON.stringify(values, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))
  const answer = await request(`${controlUrl}/${path}`, { method: 'POST', body, bodyTimeout: 0 })
  if (answer.statusCode !== 200) throw new Error(`simulator, ${path}: ${await answer.body.text()}`)
  return answer.body
}

async function call(controlUrl: string, path: string, values: readonly unknown[]): Promise<unknown> {
  const body = await post(controlUrl, path, values)
  return (await body.json()) ?? undefined
}

async function* callLazily(controlUrl: string, path: string, values: readonly unknown[]): AsyncGenerator<unknown> {
  const body = await post(controlUrl, path, values)
  body.setEncoding('utf8')
  // Not node:readline: it also breaks lines at U+2028, which JSON strings may contain.
  let rest = ''
  for await (const chunk of body) {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line)
  }
}
