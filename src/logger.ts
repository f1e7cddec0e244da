/**
 * Structured logs, one JSON object a line. Names that can hold a secret are blanked whatever the level. The level can be
 * changed while the process runs, for all loggers that were made from one.
 */
import pino, { type Logger } from 'pino'
import type { LOG_LEVELS } from './config.ts'

/** From which level on lines are written. */
export type LogLevel = { get(): string; set(level: (typeof LOG_LEVELS)[number]): void }

const secretNames = ['clientSecret', 'clientId', 'client_secret', 'access_token', 'authorization', 'token', 'data']

export function logLevel(initial: string): LogLevel {
  let level = initial
  return {
    get: () => level,
    set: (changed) => {
      level = changed
    },
  }
}

export function createLogger(
  level: string | LogLevel,
  destination: NodeJS.WritableStream & { fd?: number } = process.stderr,
): Logger {
  const { get } = typeof level === 'string' ? logLevel(level) : level
  return pino(
    {
      // A child of pino's keeps the level that it was made with: so all let everything pass, and this decides.
      level: 'trace',
      hooks: {
        logMethod(given, method, written) {
          if (written >= (pino.levels.values[get()] ?? 0)) method.apply(this, given)
        },
      },
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
      serializers: { error: describeError },
    },
    destination,
  )
}

/** Where an error came from, without its message: that may quote what was read. */
function framesOf({ stack = '' }: Error): string[] {
  return stack.split('\n').filter((line) => line.startsWith('    at '))
}

/** Name, reason and message: our own errors carry no secret; others' messages may, so only their name is told. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error }
  const { reason, code } = error as { reason?: unknown; code?: unknown }
  const own = typeof reason === 'string'
  return {
    name: error.name,
    ...(own ? { reason, message: error.message } : { code, stack: framesOf(error) }),
  }
}
