/** Structured logs, one JSON object a line. Names that can hold a secret are blanked whatever the level. */
import pino, { type Logger } from 'pino'

const secretNames = ['clientSecret', 'clientId', 'client_secret', 'access_token', 'authorization', 'token', 'data']

export function createLogger(
  level: string,
  destination: NodeJS.WritableStream & { fd?: number } = process.stderr,
): Logger {
  return pino(
    {
      level,
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
