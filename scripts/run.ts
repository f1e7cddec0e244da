/** Programs of this project's own packages, run where the developer sees them. */
import { spawn } from 'node:child_process'

/** Resolves with the exit code. What it prints goes where ours goes. `env`: beside our own. */
export function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return new Promise<number>((resolve, reject) => {
    const child = spawn('npx', ['--no', '--', command, ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
