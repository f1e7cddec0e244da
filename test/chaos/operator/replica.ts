/**
 * One replica of the operator: a process with a token of its own for the operator's service account, a gate of its own
 * in front of the API server, and, where the clock shall jump, a clock of its own.
 */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Simulator } from '../../simulator/simulator.ts'
import { createAuthority } from '../../support/certificates.ts'
import type { Cluster } from '../../support/cluster/cluster.ts'
import { readKubeconfig, writeKubeconfig } from '../../support/cluster/kubeconfig.ts'
import { type Running, startProcess } from '../../support/cluster/processes.ts'
import { type Gate, openGate } from './gate.ts'

export const SYSTEM = 'zendesk-connector-system'
export const OPERATOR = `system:serviceaccount:${SYSTEM}:zendesk-connector`
/** The image that stands for our own program on the process node. */
export const IMAGE = 'zendesk-connector:dev'
export const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'src', 'main.ts')

/** Where Debian and Fedora put it, whatever the architecture. */
const LIBFAKETIME = ['x86_64-linux-gnu', 'aarch64-linux-gnu', ''].flatMap((folder) =>
  ['/usr/lib', '/usr/lib64', '/usr/local/lib'].map((base) => join(base, folder, 'faketime', 'libfaketime.so.1')),
)

export type Replica = {
  readonly name: string
  readonly process: Running
  readonly gate: Gate
  /** What it writes: JSON lines. */
  readonly log: string
  /** Ids of the tokens it has had: the API server's audit log names them. */
  readonly tokens: ReadonlySet<string>
  signal(signal: NodeJS.Signals): void
  /** Ends it, and resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Gives it another token and makes the old one invalid; resolves when the API server refuses the old one. */
  rotateToken(): Promise<void>
  /** Asks it for its /metrics. */
  metrics(): Promise<Response>
  /** Puts its clock so many seconds off the machine's, and resolves when it goes by that; only with `ownClock`. */
  setClock(seconds: number): Promise<void>
  stop(): Promise<void>
}

export type ReplicaOptions = {
  readonly name: string
  readonly cluster: Cluster
  readonly simulator: Simulator
  readonly ownClock?: boolean
}

export async function startReplica({ name, cluster, simulator, ownClock }: ReplicaOptions): Promise<Replica> {
  const { caPem } = await readKubeconfig(cluster.kubeconfig)
  const authority = await createAuthority(`gate of ${name}`)
  const tls = await authority.issue({ commonName: 'gate', ipAddresses: ['127.0.0.1'] })
  const gate = await openGate({ to: cluster.server, ca: caPem, tls })
  const own = (what: string) => join(cluster.folder, `${what}-${name}`)
  const tokens = new Set<string>()

  let issued = 0
  const nextToken = async () => {
    const secret = `${name}-token-${++issued}`
    const token = await issueToken(cluster, secret)
    tokens.add(idOf(token))
    await writeFile(own('token'), token)
    return { secret, token }
  }
  let current = await nextToken()
  await writeKubeconfig(own('kubeconfig'), {
    server: gate.origin,
    caPem: authority.certPem,
    tokenFile: own('token'),
  })
  const setClock = (seconds: number) => writeFile(own('clock'), seconds < 0 ? `${seconds}` : `+${seconds}`)
  if (ownClock) await setClock(0)

  const command = [process.execPath, PROGRAM, 'operator', '--kubeconfig', own('kubeconfig'), '--image', IMAGE]
  const addresses = ['--metrics-bind-address', '127.0.0.1:0', '--health-probe-bind-address', '127.0.0.1:0']
  const running = startProcess(
    cluster.folder,
    `operator-${name}`,
    [...command, ...addresses, '--leader-election-namespace', SYSTEM],
    {
      PATH: process.env.PATH,
      HTTPS_PROXY: simulator.proxyUrl,
      NODE_EXTRA_CA_CERTS: simulator.caFile,
      ...(ownClock && fakeTime(own('clock'))),
    },
  )

  const log = join(cluster.folder, 'logs', `operator-${name}.log`)
  const metrics = async () => {
    const line = (await linesOf({ log })).find((text) => text.includes('serving /metrics')) ?? '{}'
    const { address } = JSON.parse(line) as { address?: string }
    if (address === undefined) throw new Error(`replica ${name} does not say where it serves /metrics`)
    return fetch(`http://${address}/metrics`)
  }
  const signal = (which: NodeJS.Signals) => void process.kill(running.pid, which)
  const end = async (which: 'SIGTERM' | 'SIGKILL') => {
    if (running.isRunning()) signal(which)
    await running.exited
  }
  return {
    name,
    process: running,
    gate,
    log,
    tokens,
    signal,
    end,
    rotateToken: async () => {
      const old = current
      current = await nextToken()
      await cluster.api.request('DELETE', `/api/v1/namespaces/${SYSTEM}/secrets/${old.secret}`)
      await untilRefused(cluster, old.token)
    },
    metrics,
    setClock: async (seconds) => {
      await setClock(seconds)
      // Its server dates its answers.
      const offset = async () => (Date.parse((await metrics()).headers.get('date') ?? '') - Date.now()) / 1000
      while (Math.abs((await offset()) - seconds) > 5) await delay(100)
    },
    stop: async () => {
      await end('SIGKILL')
      await gate.stop()
    },
  }
}

/** A token that lives as long as its Secret, as that of a pod lives as long as the pod. */
async function issueToken({ api }: Cluster, secret: string): Promise<string> {
  const of = (what: string) => `/api/v1/namespaces/${SYSTEM}/${what}`
  const { metadata } = await api.request<{ metadata: { uid: string } }>('POST', of('secrets'), {
    body: { metadata: { name: secret } },
  })
  const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: secret, uid: metadata.uid }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { boundObjectRef } }
  const path = of('serviceaccounts/zendesk-connector/token')
  const { status } = await api.request<{ status: { token: string } }>('POST', path, { body })
  return status.token
}

function idOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string }
  return claims.jti
}

/** The API server remembers for some seconds whom it has let in. */
async function untilRefused({ api }: Cluster, token: string): Promise<void> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }
  type Review = { status: { authenticated?: boolean } }
  for (;;) {
    const { status } = await api.request<Review>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body })
    if (!status.authenticated) return
    await delay(250)
  }
}

/** @throws Error when libfaketime is not there. */
function fakeTime(clock: string): Record<string, string> {
  const library = LIBFAKETIME.find((path) => existsSync(path))
  if (library === undefined) throw new Error('libfaketime is not there: install it (Debian: apt-get install faketime)')
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

/** Lines that the replica has written so far. */
export async function linesOf(replica: Pick<Replica, 'log'>): Promise<string[]> {
  const text = await readFile(replica.log, 'utf8').catch(() => '')
  return text.split('\n').slice(0, -1)
}
