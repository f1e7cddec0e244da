/** `zendesk-connector test`: the operator's connection test from manifests, with no cluster. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { commonEnvironment, readEnvironment, UsageError } from './config.ts'
import { readCredentials } from './connector/credentials.ts'
import { type Outcome, outcomeOf } from './connector/outcome.ts'
import { EXIT } from './connector/run.ts'
import type { Check } from './connector/status.ts'
import { type ConnectorManifest, type Manifests, readManifests } from './manifest.ts'
import { testAccount } from './test-account.ts'
import { withSkipped } from './zendesk/connection-test.ts'
import type { Egress } from './zendesk/http.ts'

export type TestOptions = {
  readonly filename: string
  readonly clientId?: string
  readonly clientSecretFile?: string
  readonly output: 'table' | 'json'
}

type Tested = {
  readonly connector: ConnectorManifest
  readonly checks: readonly Check[]
  readonly outcome: Outcome
}

/** Resolves with the exit code: 0 all passed, 1 one did not. @throws UsageError. */
export async function runTestCommand(options: TestOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const { HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy } = readEnvironment(commonEnvironment, environment)
  const source = options.filename === '-' ? 'standard input' : options.filename
  const manifests = readManifests(await readText(options.filename), source)
  const given = await secretFromOptions(options)
  const tested: Tested[] = []
  for (const connector of manifests.connectors) {
    const checks = await testOne(connector, given ?? secretOf(connector, manifests), { httpsProxy, noProxy })
    tested.push({ connector, checks, outcome: outcomeOf(checks) })
  }
  process.stdout.write(options.output === 'json' ? asJson(tested) : tested.map(asTable).join('\n'))
  return tested.every(({ outcome }) => outcome.kind === 'passed') ? EXIT.ok : 1
}

async function testOne(
  { spec }: ConnectorManifest,
  data: Readonly<Record<string, string>>,
  egress: Egress,
): Promise<readonly Check[]> {
  const credentials = readCredentials(spec.secretRef.name, data)
  if ('result' in credentials) return withSkipped([credentials], spec.sync.streams)
  const { checks } = await testAccount(spec, credentials, egress, new AbortController().signal)
  return checks
}

function secretOf(connector: ConnectorManifest, manifests: Manifests): Readonly<Record<string, string>> {
  const data = manifests.secretOf(connector)
  if (data !== undefined) return data
  throw new UsageError(
    `The Secret ${connector.spec.secretRef.name} of ${connector.name} is not among the manifests: add it, or give --client-id and --client-secret-file.`,
  )
}

async function secretFromOptions({ filename, clientId, clientSecretFile }: TestOptions) {
  if (clientId === undefined && clientSecretFile === undefined) return undefined
  if (clientId === undefined || clientSecretFile === undefined) {
    throw new UsageError('--client-id and --client-secret-file go together.')
  }
  if (clientSecretFile === '-' && filename === '-') {
    throw new UsageError('Standard input can be the manifests or the secret, not both.')
  }
  return { clientId, clientSecret: await readText(clientSecretFile) }
}

async function readText(filename: string): Promise<string> {
  if (filename === '-') return text(process.stdin)
  try {
    return await readFile(filename, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${filename} cannot be read (${code}).`)
  }
}

function asJson(tested: readonly Tested[]): string {
  const connectors = tested.map(({ connector, checks, outcome }) => ({
    name: connector.name,
    ...(connector.namespace === undefined ? {} : { namespace: connector.namespace }),
    endpoint: connector.spec.endpoint,
    passed: outcome.kind === 'passed',
    checks,
  }))
  return `${JSON.stringify({ connectors }, null, 2)}\n`
}

function asTable({ connector, checks, outcome }: Tested): string {
  const rows = [['CHECK', 'RESULT', 'REASON', 'MESSAGE'], ...checks.map(row)]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((one) => (one[column] ?? '').length)))
  const lines = rows.map((one) =>
    one
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const verdict = outcome.kind === 'passed' ? 'Connected' : `Error (${outcome.reason})`
  return `${connector.name}  ${connector.spec.endpoint}: ${verdict}\n\n${lines.join('\n')}\n`
}

function row({ name, result, reason, message }: Check): string[] {
  return [name, result, reason ?? '', message ?? '']
}
