/** The environment, read once and parsed once. Whatever else a process needs comes from its arguments. */
import { z } from 'zod'

const optional = z
  .string()
  .optional()
  .transform((value) => (value === undefined || value === '' ? undefined : value))

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const
const level = z.enum(LOG_LEVELS).default('info')

const proxy = optional.refine((value) => value === undefined || isBareProxy(value), {
  message:
    'must be like http://proxy:3128, without user or password, which every Job would expose; use a proxy that needs none',
})

function isBareProxy(url: string): boolean {
  const { protocol, username, password } = URL.canParse(url)
    ? new URL(url)
    : { protocol: '', username: '', password: '' }
  return /^https?:$/.test(protocol) && username === '' && password === ''
}

const common = {
  LOG_LEVEL: level,
  HTTPS_PROXY: proxy,
  NO_PROXY: optional,
  NODE_EXTRA_CA_CERTS: optional,
}

/** What every command reads. */
export const commonEnvironment = z.object(common)

/** What the operator writes into the sync pod's environment, and the sync pod reads. */
export const syncEnvironment = z.object({
  ...common,
  /** The run's orders as JSON. */
  RUN_ORDERS: z.string().transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'is not JSON' })
      return z.NEVER
    }
  }),
  POD_UID: z.string().min(1),
  /** Folder with one file per key of the Secret; read again at each token. */
  CREDENTIALS_DIR: z.string().min(1),
  /** Folder of the file sink. */
  SINK_DIR: optional,
  /** Folder with one file per key of the sink's Secret; read again at each use. */
  SINK_SECRET_DIR: optional,
})

/** Wrong arguments, environment or input: exit code 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws UsageError naming each variable that is wrong, never with its value. */
export function readEnvironment<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  const result = schema.safeParse({
    ...environment,
    HTTPS_PROXY: environment.HTTPS_PROXY ?? environment.https_proxy,
    NO_PROXY: environment.NO_PROXY ?? environment.no_proxy,
  })
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
  throw new UsageError(`Invalid environment: ${issues.join('; ')}.`)
}
