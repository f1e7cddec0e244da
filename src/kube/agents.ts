/** How connections to the API server are made, and kept: across calls, and across rotated certificates. */
import { Agent, buildConnector } from 'undici'
import type { TlsMaterial } from './access.ts'

/** One agent as long as CA and client certificate stay what they are: they rotate under a running process. */
export function agentCache(closing: AbortSignal) {
  let agent: Agent | undefined
  let material = ''
  let known: TlsMaterial | undefined
  const agentFor = (tls: TlsMaterial): Agent => {
    if (agent && tls === known) return agent
    known = tls
    const current = JSON.stringify(Object.entries(tls).map(([name, value]) => [name, String(value)]))
    if (agent && current === material) return agent
    // Calls under way may end on the connections that they began on.
    void agent?.close()
    material = current
    // HTTP/2 is off: after a silent stall of its one connection a watch had not recovered after 85 s.
    agent = new Agent({ allowH2: false, connect: connectUntil(closing, tls) })
    return agent
  }
  return { agentFor, close: async () => agent?.destroy() }
}

/**
 * Gives up a connection that is not yet made, which undici would wait for. The signal is let go as soon as it is made: it
 * would hold every connection that there ever was, with 64 KiB of buffer.
 */
function connectUntil(closing: AbortSignal, tls: TlsMaterial): buildConnector.connector {
  return (options, callback) => {
    const connecting = new AbortController()
    const giveUp = () => connecting.abort()
    const { signal } = connecting
    const connect = buildConnector({ ...tls, allowH2: false, keepAlive: true, keepAliveInitialDelay: 30_000, signal })
    closing.addEventListener('abort', giveUp, { once: true })
    if (closing.aborted) giveUp()
    connect(options, (...made) => {
      closing.removeEventListener('abort', giveUp)
      callback(...made)
    })
  }
}
