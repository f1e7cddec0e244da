/** What the commands without a cluster work on: connectors from files, each with its OAuth client. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { UsageError } from './config.ts'
import { KIND } from './connector/schema.ts'
import { type ConnectorManifest, mustBeRight, readManifests, secretOf } from './manifest.ts'
import { readSources } from './manifest-files.ts'

/** The OAuth client, instead of a Secret among the manifests. */
export type ClientOptions = {
  readonly clientId?: string
  /** `-` is standard input. */
  readonly clientSecretFile?: string
}

export type InputOptions = ClientOptions & {
  /** A file or a folder; `-` is standard input. */
  readonly filename: string
}

export type Input = {
  readonly connectors: readonly ConnectorManifest[]
  /** Data of the connector's Secret, or what stands in for it. @throws UsageError when there is neither. */
  dataOf(connector: ConnectorManifest): Readonly<Record<string, string>>
}

/** @throws UsageError in one sentence for each thing that is wrong, never with a value of a Secret. */
export async function readInput(options: InputOptions): Promise<Input> {
  const manifests = readManifests(await readSources([options.filename]))
  const connectors = mustBeRight(manifests)
  if (connectors.length === 0) throw new UsageError(`${nameOf(options.filename)} contains no ${KIND}.`)
  const given = await secretFromOptions(options, [options.filename])
  return {
    connectors,
    dataOf: (connector) => {
      const data = given ?? secretOf(manifests, connector, connector.spec.secretRef.name)?.data
      if (data !== undefined) return data
      throw new UsageError(
        `The Secret ${connector.spec.secretRef.name} of ${connector.name} is not in the manifests: add it, or pass --client-id and --client-secret-file.`,
      )
    },
  }
}

const nameOf = (filename: string) => (filename === '-' ? 'standard input' : filename)

/** Data of a Secret as the options give it; undefined: they do not. @throws UsageError. */
export async function secretFromOptions({ clientId, clientSecretFile }: ClientOptions, filenames: readonly string[]) {
  if (clientId === undefined && clientSecretFile === undefined) return undefined
  if (clientId === undefined || clientSecretFile === undefined) {
    throw new UsageError('--client-id and --client-secret-file must be used together.')
  }
  if (clientSecretFile === '-' && filenames.includes('-')) {
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
