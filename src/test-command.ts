/** `zendesk-connector test`: the operator's connection test from manifests, with no cluster. */
import { commonEnvironment, readEnvironment } from './config.ts'
import { readCredentials } from './connector/credentials.ts'
import { type Outcome, outcomeOf } from './connector/outcome.ts'
import { EXIT } from './connector/run.ts'
import type { Check } from './connector/status.ts'
import type { ConnectorManifest } from './manifest.ts'
import { type InputOptions, readInput } from './manifest-input.ts'
import { testAccount } from './test-account.ts'
import { textTable } from './text-table.ts'
import { withSkipped } from './zendesk/connection-test.ts'
import type { Egress } from './zendesk/http.ts'

export type TestOptions = InputOptions & { readonly output: 'table' | 'json' }

type Tested = {
  readonly connector: ConnectorManifest
  readonly checks: readonly Check[]
  readonly outcome: Outcome
}

/** Resolves with the exit code: 0 all passed, 1 one did not. @throws UsageError. */
export async function runTestCommand(options: TestOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const { HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy } = readEnvironment(commonEnvironment, environment)
  const { connectors, dataOf } = await readInput(options)
  const tested: Tested[] = []
  for (const connector of connectors) {
    const checks = await testOne(connector, dataOf(connector), { httpsProxy, noProxy })
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
  const table = textTable([['CHECK', 'RESULT', 'REASON', 'MESSAGE'], ...checks.map(row)])
  const verdict = outcome.kind === 'passed' ? 'Connected' : `Error (${outcome.reason})`
  return `${connector.name}  ${connector.spec.endpoint}: ${verdict}\n\n${table}`
}

function row({ name, result, reason, message }: Check): string[] {
  return [name, result, reason ?? '', message ?? '']
}
