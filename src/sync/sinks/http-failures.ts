/** Why no answer came from a collector: the library's code decides, and its text is never shown. */
import type { Again } from './http-answers.ts'
import { SinkError } from './sink.ts'

const untrusted = /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS|ERR_SSL|EPROTO)/

/** @throws SinkError when trying again would not help. */
export function passing(error: unknown, host: string, stallMs: number): Again {
  const code = codeOf(error)
  const again = (message: string): Again => ({ kind: 'again', message })
  if (untrusted.test(code)) {
    throw new SinkError(
      `The TLS certificate of ${host} is not trusted (${code}): add your company's CA with NODE_EXTRA_CA_CERTS, or check what responds there.`,
    )
  }
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return again(`DNS cannot resolve ${host} or the proxy: check url and the cluster's DNS.`)
    case 'ECONNREFUSED':
      return again(`${host} refuses connections: check that the collector is running, and the port in url.`)
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return again(`No connection to ${host} (${code}): check firewall, NetworkPolicy and HTTPS_PROXY.`)
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return again(`${host} sent nothing for ${stallMs / 1000} s: check the collector.`)
    case 'UND_ERR_ABORTED':
      return again(`The proxy refused to connect to ${host}: allow it in the proxy's rules, or add it to NO_PROXY.`)
    default:
      return again(`The connection to ${host} broke (${code}): check the collector and the network in between.`)
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN'
  const { code } = error as { code?: unknown }
  if (typeof code === 'string') return code
  return error.cause instanceof Error ? codeOf(error.cause) : 'UNKNOWN'
}
