/**
 * A bare client for the Kubernetes API: JSON in, JSON out, as the server sends it. Tests and the process node look at
 * the cluster through it, so that what they see does not depend on the client library that the product uses.
 */
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { readKubeconfig } from './kubeconfig.ts'

/** An answer that is not a success. */
export class ApiError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** What is asked for beside the path: a body, and how a PATCH is meant. */
export type Call = { readonly body?: unknown; readonly contentType?: string }

/** One user's access to one API server. */
export type Api = {
  readonly server: string
  request<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, call?: Call): Promise<T>
  /** The lines of a watch as they arrive; ends when the server ends it. */
  watch<T>(path: string, signal: AbortSignal): AsyncGenerator<{ type: string; object: T }>
  close(): Promise<void>
}

/** Opens a connection with a kubeconfig that a test cluster wrote. */
export async function connect(kubeconfig: string): Promise<Api> {
  const { server, caPem: ca, certPem: cert, keyPem: key } = await readKubeconfig(kubeconfig)
  const dispatcher = new Agent({ connect: { ca, cert, key }, allowH2: false, bodyTimeout: 0, headersTimeout: 30_000 })
  return {
    server,
    async request<T>(method: string, path: string, { body, contentType = 'application/json' }: Call = {}) {
      const options = { dispatcher, method: method as 'GET', headers: { 'content-type': contentType } }
      const sent = body === undefined ? {} : { body: JSON.stringify(body) }
      const answer = await request(server + path, { ...options, ...sent })
      const text = await answer.body.text()
      if (answer.statusCode >= 300) throw new ApiError(answer.statusCode, `${method} ${path}: ${text}`)
      return (text.startsWith('{') ? JSON.parse(text) : text) as T
    },
    async *watch<T>(path: string, signal: AbortSignal) {
      const answer = await request(server + path, { dispatcher, signal })
      if (answer.statusCode >= 300) throw new ApiError(answer.statusCode, await answer.body.text())
      for await (const line of createInterface({ input: answer.body })) {
        if (line) yield JSON.parse(line) as { type: string; object: T }
      }
    },
    close: () => dispatcher.destroy(),
  }
}

type Listed = { readonly metadata: { readonly uid: string; readonly resourceVersion: string } }

/** What a follower is told: an object as it is now, its end, and that all there were have been told. */
export type Follower<T> = { changed(object: T): void; gone(object: T): void; listed?(): void }

/** Lists and watches a collection until the signal aborts, through errors and lost connections. */
export async function follow<T extends Listed>(api: Api, path: string, signal: AbortSignal, follower: Follower<T>) {
  const known = new Map<string, T>()
  const withQuery = (query: string) => `${path}${path.includes('?') ? '&' : '?'}${query}`
  let pause = 25
  while (!signal.aborted) {
    try {
      const list = await api.request<{ items: T[]; metadata: { resourceVersion: string } }>('GET', path)
      const uids = new Set(list.items.map((item) => item.metadata.uid))
      for (const [uid, object] of known) if (!uids.has(uid)) forget(known, uid, () => follower.gone(object))
      for (const item of list.items) {
        known.set(item.metadata.uid, item)
        follower.changed(item)
      }
      follower.listed?.()
      pause = 25
      let from = list.metadata.resourceVersion
      for (;;) {
        const events = api.watch<T>(withQuery(`watch=true&allowWatchBookmarks=true&resourceVersion=${from}`), signal)
        for await (const { type, object } of events) {
          if (type === 'ERROR') throw new Error('the watch has expired')
          from = object.metadata.resourceVersion
          if (type === 'DELETED') forget(known, object.metadata.uid, () => follower.gone(object))
          else if (type !== 'BOOKMARK') follower.changed(known.set(object.metadata.uid, object) && object)
        }
      }
    } catch {
      pause = Math.min(pause * 2, 2_000)
      await delay(pause, undefined, { signal }).catch(() => {})
    }
  }
}

function forget(known: Map<string, unknown>, uid: string, tell: () => void): void {
  known.delete(uid)
  tell()
}
