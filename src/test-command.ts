/** `zendesk-connector test`: manifests in, verdict out, with no cluster: what the operator would say of them. */

import { testAccount } from './account-test.ts'
import { commonEnvironment, readEnvironment, UsageError } from './config.ts'
import { readCredentials } from './connector/credentials.ts'
import { EXIT } from './connector/run.ts'
import { KIND, type Spec } from './connector/schema.ts'
import type { Check } from './connector/status.ts'
import { readManifests } from './manifest.ts'
import { readSources } from './manifest-files.ts'
import { type ClientOptions, secretFromOptions } from './manifest-input.ts'
import { type Examination, type Examined, preflight } from './preflight.ts'
import { type Format, inFormat, isGood } from './preflight-report.ts'
import { withSkipped } from './zendesk/connection-test.ts'
import type { Egress } from './zendesk/http.ts'

export type TestOptions = ClientOptions & {
  /** Files and folders; `-` is standard input. */
  readonly filename: readonly string[]
  readonly output: Format
  /** Zendesk is not asked. */
  readonly offline?: boolean
  /** A Secret that is not among the manifests is a warning. */
  readonly allowMissingSecrets?: boolean
}

/** Accounts that are tested at a time. */
const AT_A_TIME = 10

/** Resolves with the exit code: 0 all passed, 1 one did not. @throws UsageError. */
export async function runTestCommand(options: TestOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const { HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy } = readEnvironment(commonEnvironment, environment)
  const { offline = false, allowMissingSecrets = false } = options
  if (allowMissingSecrets && !offline) {
    throw new UsageError('--allow-missing-secrets requires --offline: testing Zendesk needs the Secret.')
  }
  const manifests = readManifests(await readSources(options.filename))
  const { problems, connectors } = manifests
  if (connectors.length === 0 && problems.every(({ level }) => level !== 'error')) {
    throw new UsageError(`${options.filename.map(nameOf).join(', ')}: no ${KIND} found.`)
  }
  const secret = await secretFromOptions(options, options.filename)
  const examined = preflight(manifests, {
    ...(secret !== undefined && { secret }),
    missingSecrets: allowMissingSecrets ? 'warning' : 'error',
  })
  const found = { problems, offline, connectors: offline ? examined : await tested(examined, { httpsProxy, noProxy }) }
  process.stdout.write(inFormat(options.output, found))
  return isGood(found) ? EXIT.ok : 1
}

const nameOf = (filename: string) => (filename === '-' ? 'standard input' : filename)

/** Accounts side by side, connectors of one account one after another: its budget is shared. */
async function tested(connectors: readonly Examined[], egress: Egress): Promise<readonly Examined[]> {
  const results = new Map<Examined, Examined>()
  const accounts = Map.groupBy(connectors, (one) => one.spec?.endpoint).values()
  const worker = async () => {
    for (const ofAccount of accounts) {
      for (const one of ofAccount) results.set(one, await withConnectionTest(one, egress))
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))
  return connectors.map((one) => results.get(one) ?? one)
}

async function withConnectionTest(one: Examined, egress: Egress): Promise<Examined> {
  const { spec } = one
  if (spec === undefined) return one
  const before = one.checks.filter(({ name }) => name !== 'Secret')
  const checks = await connectionTest(one, spec, egress)
  return { ...one, checks: [...before, ...checks] }
}

async function connectionTest(one: Examined, spec: Spec, egress: Egress): Promise<Examination[]> {
  const credentials = one.secret && readCredentials(spec.secretRef.name, one.secret)
  if (credentials !== undefined && !('result' in credentials)) {
    const { checks } = await testAccount(spec, credentials, egress, new AbortController().signal)
    return checks.map((check) => asExamination(check, one))
  }
  const secret = one.checks.find(({ name }) => name === 'Secret')
  return withSkipped([], spec.sync.streams).map(({ name, result }) =>
    secret?.name === name ? untestable(secret, one) : { name, result, remarks: [] },
  )
}

/** A Secret that cannot be read is no failure of the manifests, but there is nothing to ask Zendesk with. */
function untestable(secret: Examination, { place }: Examined): Examination {
  if (secret.reason === 'SecretKeyMissing') return secret
  const why = secret.remarks[0] ?? { message: 'Its Secret cannot be read.', place }
  const message = `${why.message.replace(/\.$/, '')}; to test it now use --client-id and --client-secret-file, to skip Zendesk use --offline.`
  return {
    ...secret,
    result: 'Failed',
    reason: 'SecretNotFound',
    remarks: [{ level: 'error', message, place: why.place }],
  }
}

function asExamination({ name, result, reason, message }: Check, one: Examined): Examination {
  const level = result === 'Passed' ? 'warning' : 'error'
  const remarks = message === undefined ? [] : [{ level, message, place: one.placeOf(name) } as const]
  return { name, result, ...(reason !== undefined && { reason }), remarks }
}
