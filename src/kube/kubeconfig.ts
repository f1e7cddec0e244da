/** A kubeconfig as access: client-node reads it, exec plugins and all. The only file that loads client-node. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Access } from './access.ts'

/** @throws Error in one sentence, which never quotes the file. */
export function kubeconfigAccess(kubeconfig: string): Access {
  return accessOf(fromFiles([kubeconfig]), kubeconfig)
}

/** A person's own access, as kubectl has it. */
export type PersonalAccess = Access & {
  readonly context: string
  /** That of the context. */
  readonly namespace: string | undefined
}

/** By the files that KUBECONFIG lists, and by `context` instead of the current one. @throws as kubeconfigAccess. */
export function personalAccess(kubeconfigs: readonly string[], context: string | undefined): PersonalAccess {
  const loaded = fromFiles(kubeconfigs, context)
  const current = loaded.config.getCurrentContext()
  const namespace = loaded.config.getContextObject(current)?.namespace
  return { ...accessOf(loaded, kubeconfigs.join(', ')), context: current, namespace }
}

type Loaded = { readonly config: KubeConfig; readonly tokenFile: string | undefined }

function accessOf({ config, tokenFile }: Loaded, kubeconfig: string): Access {
  if (config.getCurrentCluster()?.proxyUrl) throw new Error(`kubeconfig ${kubeconfig}: proxy-url is not supported`)
  const server = config.getCurrentCluster()?.server.replace(/\/$/, '')
  if (!server) throw new Error(`kubeconfig ${kubeconfig}: the current context has no cluster`)
  return {
    server,
    async credentials() {
      const options: RequestOptions = { headers: {} }
      await config.applyToHTTPSOptions(options)
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value)
      if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
      // Each time, as in a pod: client-node would keep a token for a minute, and by the wall clock.
      if (tokenFile !== undefined) headers.authorization = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`
      const { ca, cert, key, servername, rejectUnauthorized } = options
      const given = Object.entries({ ca, cert, key, servername, rejectUnauthorized })
      return { headers, tls: Object.fromEntries(given.filter(([, value]) => value !== undefined)) }
    },
  }
}

/** As kubectl puts them together: of what stands in several files, the first is found. */
function fromFiles(kubeconfigs: readonly string[], context?: string): Loaded {
  const config = new KubeConfig()
  for (const file of kubeconfigs) {
    const one = reading(file, () => {
      const loaded = new KubeConfig()
      loaded.loadFromFile(file)
      return loaded
    })
    config.clusters = [...(config.clusters ?? []), ...one.clusters]
    config.users = [...(config.users ?? []), ...one.users]
    config.contexts = [...(config.contexts ?? []), ...one.contexts]
    config.setCurrentContext(config.getCurrentContext() || one.getCurrentContext())
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      throw new Error(`kubeconfig ${kubeconfigs.join(', ')}: context ${context} does not exist`)
    }
    config.setCurrentContext(context)
  }
  const tokenFiles = kubeconfigs.map((file) => reading(file, () => tokenFileOf(config, file)))
  return { config, tokenFile: tokenFiles.find((file) => file !== undefined) }
}

/** The parser's message quotes the file, which holds keys. */
function reading<T>(kubeconfig: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const why = Reflect.get(Object(error), 'code') === 'ENOENT' ? 'it does not exist' : 'it is not a kubeconfig'
    throw new Error(`kubeconfig ${kubeconfig} cannot be read: ${why}`)
  }
}

const users = z.object({
  users: z.array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() })),
})

/** client-node passes over `tokenFile`, a regular field of a kubeconfig, and then calls anonymously. */
function tokenFileOf(config: KubeConfig, kubeconfig: string): string | undefined {
  const name = config.getCurrentUser()?.name
  const found = users.parse(parse(readFileSync(kubeconfig, 'utf8'))).users.find((user) => user.name === name)
  return found?.user?.tokenFile && resolve(dirname(kubeconfig), found.user.tokenFile)
}
