/**
 * The library by which Flux, kpt and others tell whether an object is done: the real one, in a Go program that is built
 * once. What the operator says must mean there what it means to us.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type GoProgram, goProgram, progressOnStderr } from './go-program.ts'

const kstatus: GoProgram = {
  name: 'kstatus',
  title: 'kstatus v0.37.2',
  purpose: 'the judge of statuses',
  duration: 'a minute',
  source: join(import.meta.dirname, 'kstatus'),
  main: '.',
  variables: {},
  oldestGo: { major: 1, minor: 24 },
  aliases: [],
}

export type Kstatus = 'InProgress' | 'Failed' | 'Current' | 'Terminating' | 'NotFound' | 'Unknown'

/** Builds the program where it is missing. */
export const buildKstatus = (): Promise<string> => goProgram(kstatus, progressOnStderr())

/** What kstatus makes of each of these objects, in their order. @throws Error when it cannot read one. */
export async function kstatusOf(objects: readonly object[]): Promise<Kstatus[]> {
  if (objects.length === 0) return []
  const child = spawn(join(await buildKstatus(), kstatus.name), { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  child.stdin.on('error', () => undefined)
  child.stdin.end(objects.map((object) => `${JSON.stringify(object)}\n`).join(''))
  const [out, problem, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  if (code !== 0) throw new Error(`kstatus: ${problem.trim()}`)
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { status: Kstatus }).status)
}
