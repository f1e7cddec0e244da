/**
 * Starts processes from inside a container, one for each line of its standard input, and tells on a line of its standard
 * output when each began and ended: what it takes to enter the container is not part of it. Times are milliseconds of
 * the machine's monotonic clock, which all processes share.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

/** What is to be started. */
export type Order = { readonly command: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>> }

/** What became of it; `log` is its standard error. */
export type Started = {
  readonly began: number
  readonly ended: number
  readonly code: number | string | null
  readonly log: string
}

const monotonic = () => Number(process.hrtime.bigint()) / 1e6

for await (const line of createInterface({ input: process.stdin })) {
  const { command, env }: Order = JSON.parse(line)
  const [file, ...args] = command
  const began = monotonic()
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const log = text(child.stderr)
  const code = await new Promise<Started['code']>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? signal))
  })
  const started: Started = { began, ended: monotonic(), code, log: await log }
  process.stdout.write(`${JSON.stringify(started)}\n`)
}
