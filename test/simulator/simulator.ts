import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority, type KeyPair } from '../support/certificates.ts'
import { type Account, type AccountState, createAccount } from './account.ts'
import { type Clock, createClock } from './clock.ts'
import { startControlServer } from './control-server.ts'
import type { FaultOptions } from './faults.ts'
import { createLedger, type Ledger } from './ledger.ts'
import type { AccountOptions } from './options.ts'
import { type Decision, startProxy } from './proxy.ts'
import { serve } from './server.ts'

/** A Zendesk of our own: any client that can use a proxy and trust a CA can be run against it. */
export type Simulator = {
  readonly proxyUrl: string
  /** PEM of the authority that signs `*.zendesk.com`; gone after `stop`. */
  readonly caFile: string
  /** For other processes: see control.ts. */
  readonly controlUrl: string
  readonly clock: Clock
  /** Makes an account; one of that name is replaced, ledger and all. */
  account(subdomain: string, options?: AccountOptions): Account
  /** All accounts whose names begin so: each is made, with these faults, when it is first asked for. */
  accounts(prefix: string, options?: AccountOptions, faults?: readonly FaultOptions[]): void
  find(subdomain: string): Account | undefined
  /** Targets, other than Zendesk's, that clients asked the proxy for. */
  readonly refusedTargets: readonly string[]
  /** Requests to accounts that do not exist. */
  readonly strangers: Ledger
  stop(): Promise<void>
}

/** Where to listen; free ports on 127.0.0.1 unless told otherwise. */
export type SimulatorOptions = { readonly host?: string; readonly proxyPort?: number; readonly controlPort?: number }

const zendesk = /^([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.zendesk\.com:443$/i

/** Starts proxy, TLS and control API; there are no accounts yet. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', proxyPort = 0, controlPort = 0 } = options
  const clock = createClock()
  const accounts = new Map<string, AccountState>()
  const patterns = new Map<string, (subdomain: string) => AccountState>()
  const strangers = createLedger(false)
  const refusedTargets: string[] = []
  // A tunnel is known by the client's port, which the TLS socket on top of it shows as well.
  const tunnels = new Map<number, { readonly socket: Socket; readonly subdomain: string }>()

  const folder = await mkdtemp(join(tmpdir(), 'zendesk-simulator-'))
  const caFile = join(folder, 'ca.pem')
  const authority = await createAuthority('Zendesk simulator CA')
  const stranger = await createAuthority('Some other CA')
  const names = { commonName: '*.zendesk.com', dnsNames: ['*.zendesk.com'] }
  const tls = {
    right: tlsServer(await authority.issue(names)),
    authority: tlsServer(await stranger.issue(names)),
    name: tlsServer(await authority.issue({ commonName: 'zendesk.invalid', dnsNames: ['zendesk.invalid'] })),
  }
  await writeFile(caFile, authority.certPem)

  function tlsServer(pair: KeyPair): Server {
    const server = createServer({ cert: pair.certPem, key: pair.keyPem, ALPNProtocols: ['http/1.1'] })
    server.keepAliveTimeout = 300_000
    server.on('request', (request, response) => {
      const tunnel = tunnels.get(request.socket.remotePort ?? 0)
      if (!tunnel) return void request.destroy()
      const { socket, subdomain } = tunnel
      const hangUp = (reset: boolean) => void (reset ? socket.resetAndDestroy() : socket.destroy())
      const incoming = { request, response, subdomain, hangUp }
      serve(incoming, stateOf(subdomain), strangers, clock).catch((error: unknown) => {
        // The client left while its body was read; anything else is a fault of ours and must not pass unseen.
        if (!request.destroyed) process.emitWarning(error instanceof Error ? error : String(error))
        hangUp(true)
      })
    })
    return server
  }

  function make(subdomain: string, accountOptions: AccountOptions): AccountState {
    const state = createAccount(subdomain, accountOptions, clock, () => closeConnections(subdomain))
    accounts.set(subdomain, state)
    return state
  }

  function stateOf(subdomain: string): AccountState | undefined {
    const known = accounts.get(subdomain)
    if (known !== undefined) return known
    for (const [prefix, makeOne] of patterns) if (subdomain.startsWith(prefix)) return makeOne(subdomain)
    return undefined
  }

  function decide(target: string, socket: Socket): Decision {
    const subdomain = zendesk.exec(target)?.[1]?.toLowerCase()
    if (!subdomain) {
      refusedTargets.push(target)
      return { kind: 'refuse', status: 403 }
    }
    const effect = stateOf(subdomain)?.faults.forConnection()
    if (effect?.kind === 'down') return { kind: 'hangUp' }
    if (effect?.kind === 'refuseConnect') return { kind: 'refuse', status: effect.status }
    const server = effect?.kind === 'wrongCertificate' ? tls[effect.of] : tls.right
    return {
      kind: 'tunnel',
      accept() {
        const port = socket.remotePort ?? 0
        tunnels.set(port, { socket, subdomain })
        socket.once('close', () => tunnels.delete(port))
        server.emit('connection', socket)
      },
    }
  }

  function closeConnections(subdomain: string): void {
    for (const tunnel of tunnels.values()) if (tunnel.subdomain === subdomain) tunnel.socket.destroy()
  }

  const proxy = await startProxy(host, proxyPort, decide)
  const simulator = {
    proxyUrl: `http://${host}:${proxy.port}`,
    caFile,
    clock,
    refusedTargets,
    strangers,
    account: (subdomain: string, accountOptions: AccountOptions = {}) => make(subdomain, accountOptions).account,
    accounts(prefix: string, accountOptions: AccountOptions = {}, faults: readonly FaultOptions[] = []) {
      patterns.set(prefix, (subdomain) => {
        const state = make(subdomain, accountOptions)
        for (const fault of faults) state.faults.add(fault)
        return state
      })
    },
    find: (subdomain: string) => stateOf(subdomain)?.account,
  }
  const control = await startControlServer(host, controlPort, simulator)
  return {
    ...simulator,
    controlUrl: control.url,
    async stop() {
      await Promise.all([proxy.stop(), control.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
