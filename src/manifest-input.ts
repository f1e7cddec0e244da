/** What the commands without a cluster work on: connectors from a file, each with its OAuth client. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { UsageError } from './config.ts'
import { type ConnectorManifest, readManifests } from './manifest.ts'

export type InputOptions = {
  /** `-` is standard input. */
  readonly filename: string
  /** The OAuth client, instead of a Secret among the manifests. */
  readonly clientId?: string
  readonly clientSecretFile?: string
}

export type Input = {
  readonly connectors: readonly ConnectorManifest[]
  /** Data of the connector's Secret, or what stands in for it. @throws UsageError when there is neither. */
  dataOf(connector: ConnectorManifest): Readonly<Record<string, string>>
}

/** @throws UsageError in one sentence, never with a value of a Secret. */
export async function readInput(options: InputOptions): Promise<Input> {
  const source = options.filename === '-' ? 'standard input' : options.filename
  const manifests = readManifests(await readText(options.filename), source)
  const given = await secretFromOptions(options)
  return {
    connectors: manifests.connectors,
    dataOf: (connector) => {
      const data = given ?? manifests.secretOf(connector)
      if (data !== undefined) return data
      throw new UsageError(
        `The Secret ${connector.spec.secretRef.name} of ${connector.name} is not among the manifests: add it, or give --client-id and --client-secret-file.`,
      )
    },
  }
}

async function secretFromOptions({ filename, clientId, clientSecretFile }: InputOptions) {
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
