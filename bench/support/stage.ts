/**
 * What benches of whole runs stand on: a simulator, the program as it is shipped, and a folder that is removed in the
 * end.
 */
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../../scripts/bundle.ts'
import type { AccountOptions } from '../../test/simulator/options.ts'
import { connectorYaml, documents, secretYaml } from '../../test/support/manifests.ts'
import { type SimulatorProcess, startSimulatorProcess } from './simulator-process.ts'

export type Stage = {
  readonly simulator: SimulatorProcess
  readonly folder: string
  /** Path of the program. */
  readonly program: string
  /** Environment of a process that reaches Zendesk as companies do, and starts as in the image. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Writes the manifest of a connector to the account of that name, which is made; resolves with its path. */
  connector(name: string, account: AccountOptions, spec: object): Promise<string>
}

export async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-bench-'))
  // What still runs in it is killed, but may not be gone yet.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  process.once('exit', remove)
  const simulator = await startSimulatorProcess()
  try {
    await bundle(join(folder, 'program'))
    return await work({
      simulator,
      folder,
      program: join(folder, 'program', 'main.js'),
      env: {
        PATH: process.env.PATH,
        HTTPS_PROXY: simulator.proxyUrl,
        NODE_EXTRA_CA_CERTS: simulator.caFile,
        NODE_COMPILE_CACHE: join(folder, 'cache'),
      },
      connector: async (name, account, spec) => {
        await simulator.control.account(name, account)
        const file = join(folder, `${name}.yaml`)
        await writeFile(file, documents(secretYaml(name), connectorYaml({ name, spec })))
        return file
      },
    })
  } finally {
    await simulator.stop()
    process.off('exit', remove)
    remove()
  }
}
