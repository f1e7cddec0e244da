/**
 * Who we are to which API server: a kubeconfig named by its path, or the service account of the pod we run in.
 * `~/.kube/config` and `KUBECONFIG` are never looked at.
 */
import { readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { z } from 'zod'

/** What a connection needs; certificates rotate under a running process. */
export type TlsMaterial = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>

export type Access = {
  /** `https://host:port`, with a path where the API server stands behind one; no slash at the end. */
  readonly server: string
  /** What the next call must carry. Tokens and certificates in files are read again as they change. */
  credentials(): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly tls: TlsMaterial }>
}

/** Throws when neither a kubeconfig is named nor a service account is there, or the kubeconfig cannot be used. */
export function loadAccess(kubeconfig: string | undefined): Access {
  const config = kubeconfig === undefined ? serviceAccount() : fromFile(kubeconfig)
  const server = config.getCurrentCluster()?.server.replace(/\/$/, '')
  if (!server) throw new Error(`kubeconfig ${kubeconfig}: the current context names no cluster`)
  return {
    server,
    async credentials() {
      const options: RequestOptions = { headers: {} }
      await config.applyToHTTPSOptions(options)
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value)
      if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
      const { ca, cert, key, servername, rejectUnauthorized } = options
      const given = Object.entries({ ca, cert, key, servername, rejectUnauthorized })
      return { headers, tls: Object.fromEntries(given.filter(([, value]) => value !== undefined)) }
    },
  }
}

function serviceAccount(): KubeConfig {
  if (!process.env.KUBERNETES_SERVICE_HOST) {
    throw new Error('no cluster: name a kubeconfig, or run in a pod (KUBERNETES_SERVICE_HOST is not set)')
  }
  const config = new KubeConfig()
  config.loadFromCluster()
  return config
}

function fromFile(kubeconfig: string): KubeConfig {
  const config = new KubeConfig()
  try {
    config.loadFromFile(kubeconfig)
    addTokenFile(config, kubeconfig)
  } catch (error) {
    // The parser's message quotes the file, which holds keys.
    const why = Reflect.get(Object(error), 'code') === 'ENOENT' ? 'it is not there' : 'it is not a kubeconfig'
    throw new Error(`kubeconfig ${kubeconfig} cannot be read: ${why}`)
  }
  if (config.getCurrentCluster()?.proxyUrl) throw new Error(`kubeconfig ${kubeconfig}: proxy-url is not supported`)
  return config
}

const users = z.object({
  users: z.array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() })),
})

// client-node passes over `tokenFile`, a regular field of a kubeconfig, and then calls anonymously.
function addTokenFile(config: KubeConfig, kubeconfig: string): void {
  const current = config.getCurrentUser()
  const found = users.parse(parse(readFileSync(kubeconfig, 'utf8'))).users.find(({ name }) => name === current?.name)
  if (!current || !found?.user?.tokenFile) return
  const tokenFile = resolve(dirname(kubeconfig), found.user.tokenFile)
  Object.assign(current, { authProvider: { name: 'tokenFile', config: { tokenFile } } })
}
