/** A kubeconfig as access: client-node reads it, exec plugins and all. The only file that loads client-node. */
import { readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Access } from './access.ts'

/** @throws Error in one sentence, which never quotes the file. */
export function kubeconfigAccess(kubeconfig: string): Access {
  const config = fromFile(kubeconfig)
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
