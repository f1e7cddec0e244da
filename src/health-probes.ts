/**
 * What the kubelet asks: `/healthz`, where a new process would help when it fails, and `/readyz`. Both answer as the API
 * server's do. Beside them `/log/level`, for who can reach the loopback of the pod: `kubectl port-forward` can.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { LOG_LEVELS } from './config.ts'
import type { LogLevel } from './logger.ts'
import { type BindAddress, type Server, serve } from './serve.ts'

/** undefined: well; otherwise what is wrong, in one sentence without secrets. */
export type Probe = () => string | undefined

export type Probes = {
  readonly healthz: Readonly<Record<string, Probe>>
  readonly readyz: Readonly<Record<string, Probe>>
  readonly logLevel: LogLevel
  /** Told when a probe fails that did not fail before, and when it is well again. */
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void }
}

const LEVEL_PATH = '/log/level'
/** More than any answer to the question. */
const MOST_BYTES = 1024

/** Listens; rejects with a UsageError when it cannot. */
export function serveProbes(at: BindAddress, { healthz, readyz, logLevel, log }: Probes): Promise<Server> {
  const told = new Map<string, string>()
  const tell = (name: string, probe: string, wrong: string | undefined) => {
    const key = `${name}/${probe}`
    if (wrong !== undefined && !told.has(key)) log.warn({ probe: key }, wrong)
    if (wrong === undefined && told.has(key)) log.info({ probe: key }, 'well again')
    if (wrong === undefined) told.delete(key)
    else told.set(key, wrong)
  }
  const asked = (name: string, probes: Readonly<Record<string, Probe>>, isVerbose: boolean): Answer => {
    const results = Object.entries(probes).map(([probe, judge]) => {
      const wrong = judged(judge)
      tell(name, probe, wrong)
      return { wrong, line: wrong === undefined ? `[+]${probe} ok` : `[-]${probe} failed: ${wrong}` }
    })
    const isWell = results.every(({ wrong }) => wrong === undefined)
    if (isWell && !isVerbose) return { status: 200, text: 'ok' }
    const lines = [...results.map(({ line }) => line), `${name} check ${isWell ? 'passed' : 'failed'}`]
    return { status: isWell ? 200 : 500, text: `${lines.join('\n')}\n` }
  }

  return serve(at, '--health-probe-bind-address', async (request, response) => {
    const { pathname, searchParams } = URL.parse(request.url ?? '/', 'http://operator') ?? {}
    const isVerbose = searchParams?.has('verbose') ?? false
    if (pathname === '/healthz') return give(response, asked('healthz', healthz, isVerbose))
    if (pathname === '/readyz') return give(response, asked('readyz', readyz, isVerbose))
    if (pathname === LEVEL_PATH) return give(response, await levelAsked(request, logLevel))
    give(response, { status: 404, text: `Not found: use /healthz, /readyz or ${LEVEL_PATH}.\n` })
  })
}

type Answer = { readonly status: number; readonly text: string }

/** A probe that cannot be answered is no good sign. */
function judged(probe: Probe): string | undefined {
  try {
    return probe()
  } catch {
    return 'the check itself failed: this is a bug'
  }
}

const wanted = z.object({ level: z.enum(LOG_LEVELS) })

async function levelAsked(request: IncomingMessage, level: LogLevel): Promise<Answer> {
  if (!isLoopback(request.socket.remoteAddress)) {
    return { status: 403, text: 'Only allowed from loopback: use kubectl port-forward.\n' }
  }
  if (request.method === 'PUT') {
    const body = wanted.safeParse(await bodyOf(request))
    if (!body.success) return { status: 400, text: `Send {"level":"…"} with one of ${LOG_LEVELS.join(', ')}.\n` }
    level.set(body.data.level)
  } else if (request.method !== 'GET') return { status: 405, text: 'GET shows the level, PUT changes it.\n' }
  return { status: 200, text: `${JSON.stringify({ level: level.get() })}\n` }
}

/** Whether a request came from the machine or pod itself, by the address of its socket. */
export function isLoopback(address = ''): boolean {
  return address === '::1' || /^(?:::ffff:)?127(?:\.\d+){3}$/.test(address)
}

/** undefined: too long, no JSON, or it did not arrive. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  try {
    let text = ''
    for await (const piece of request.setEncoding('utf8')) {
      text += piece
      if (text.length > MOST_BYTES) return undefined
    }
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function give(response: ServerResponse, { status, text }: Answer): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  response.end(text)
}
