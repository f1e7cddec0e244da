import type { ServerResponse } from 'node:http'
import type { Answer } from './answers.ts'
import type { Clock } from './clock.ts'
import type { Effect } from './faults.ts'

/** What a fault makes of an answer before it goes out. Faults of delivery leave it as it is. */
export function spoil(answer: Answer, effect: Effect | undefined, clock: Clock): Answer {
  switch (effect?.kind) {
    case 'status': {
      const after = retryAfter(effect, clock)
      const headers = { 'content-type': 'text/plain', ...(after === undefined ? {} : { 'retry-after': after }) }
      const { served: _served, ...rest } = answer
      const body = effect.body ?? `status ${effect.status} on demand\n`
      return { ...rest, status: effect.status, headers: { ...headers, ...effect.headers }, body }
    }
    case 'html': {
      const body = '<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon</body></html>\n'
      return { status: effect.status, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
    }
    case 'redirect':
      return { status: effect.status, headers: { location: effect.location, 'content-type': 'text/html' }, body: '' }
    case 'invalidJson': {
      const { served: _served, ...rest } = answer
      const text = answer.body.toString()
      return { ...rest, body: text.slice(0, Math.floor(text.length / 2)) }
    }
    default:
      return answer
  }
}

/** Whether the whole answer reaches the client, as far as the server is concerned. */
export function arrives(effect: Effect | undefined): boolean {
  if (effect?.kind === 'stall') return effect.seconds !== undefined
  return !(effect?.kind === 'cutOff' || effect?.kind === 'reset')
}

/** Writes the answer, or as much of it as the fault leaves; `hangUp` ends or resets the connection underneath TLS. */
export function deliver(
  response: ServerResponse,
  answer: Answer,
  effect: Effect | undefined,
  clock: Clock,
  hangUp: (reset: boolean) => void,
): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  response.sendDate = false
  const headers = { date: new Date(clock.now()).toUTCString(), ...answer.headers, 'content-length': body.length }
  const half = () => {
    response.writeHead(answer.status, headers)
    response.write(body.subarray(0, Math.floor(body.length / 2)))
  }
  const all = () => {
    if (response.destroyed) return
    if (!response.headersSent) response.writeHead(answer.status, headers)
    response.end(response.headersSent && isHalf(effect) ? body.subarray(Math.floor(body.length / 2)) : body)
  }

  if (effect?.kind === 'stall') {
    if (effect.when === 'during') half()
    if (effect.seconds !== undefined) later(response, effect.seconds * 1000, all)
  } else if (effect?.kind === 'cutOff' || (effect?.kind === 'reset' && effect.when === 'during')) {
    half()
    // After the half has left, so that the client sees it and not just a broken connection.
    response.write('', () => setImmediate(() => hangUp(effect.kind === 'reset')))
  } else if (effect?.kind === 'reset') {
    hangUp(true)
  } else {
    all()
  }
}

/** Runs it after a while, unless the client has gone. */
export function later(response: ServerResponse, milliseconds: number, action: () => void): void {
  const timer = setTimeout(action, milliseconds)
  response.once('close', () => clearTimeout(timer))
}

function isHalf(effect: Effect | undefined): boolean {
  return effect?.kind === 'stall' && effect.when === 'during'
}

function retryAfter(effect: Effect & { kind: 'status' }, clock: Clock): string | undefined {
  if (effect.retryAfterDate !== undefined) return new Date(clock.now() + effect.retryAfterDate * 1000).toUTCString()
  return effect.retryAfter === undefined ? undefined : String(Math.ceil(effect.retryAfter))
}
