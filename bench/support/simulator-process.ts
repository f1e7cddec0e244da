/** The simulator in a process of its own: what it does must not be counted as the work of a client beside it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Control, connectControl } from '../../test/simulator/control.ts'

export type SimulatorProcess = {
  readonly proxyUrl: string
  /** PEM of the authority that signs `*.zendesk.com`. */
  readonly caFile: string
  readonly control: Control
  stop(): Promise<void>
}

const command = join(import.meta.dirname, '..', '..', 'test', 'simulator', 'command.ts')

/** Resolves when it listens. */
export async function startSimulatorProcess(): Promise<SimulatorProcess> {
  const child = spawn(process.execPath, [command, '--account', 'unused'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const kill = () => void child.kill('SIGTERM')
  process.prependOnceListener('exit', kill)
  const found: Record<string, string> = {}
  for await (const line of createInterface(child.stdout)) {
    const [, name, value] = /^(proxy|CA file|control) +(\S+)$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) found[name] = value
    if (name === 'control') break
  }
  child.stdout.resume()
  const { proxy: proxyUrl, 'CA file': caFile, control } = found
  if (proxyUrl === undefined || caFile === undefined || control === undefined) {
    throw new Error('The simulator did not start: run npm run simulator to see why.')
  }
  return {
    proxyUrl,
    caFile,
    control: connectControl(control),
    stop: async () => {
      kill()
      process.off('exit', kill)
      await exited
    },
  }
}
