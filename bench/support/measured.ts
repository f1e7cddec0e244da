/** Another process, measured from outside: wall-clock time from spawn to exit, and the most memory it ever held. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'

export type Measured = {
  readonly seconds: number
  /** The kernel's own high-water mark of resident memory (VmHWM), in MiB; NaN where there is no /proc. */
  readonly rssMb: number
  readonly output: string
}

export type MeasuredOptions = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Descriptor of a file that takes standard output; default: it is in the result. */
  readonly outputTo?: number
}

/** The mark only rises, so that the last look before the exit misses no more than what so many ms can add. */
const LOOK_MS = 10

/** @throws Error with the end of what it wrote to standard error, when it fails. */
export async function measured(
  command: string,
  args: readonly string[],
  { env, outputTo }: MeasuredOptions,
): Promise<Measured> {
  const begin = performance.now()
  const child = spawn(command, args, { env, stdio: ['ignore', outputTo ?? 'pipe', 'pipe'] })
  const kill = () => void child.kill('SIGKILL')
  process.prependOnceListener('exit', kill)
  let rssMb = Number.NaN
  const look = setInterval(() => {
    rssMb = highWaterMark(child.pid) ?? rssMb
  }, LOOK_MS)
  try {
    const exit = once(child, 'exit').then(([code]) => ({ code, seconds: (performance.now() - begin) / 1000 }))
    const said = [child.stdout, child.stderr].map((stream) => (stream === null ? '' : text(stream)))
    const [{ code, seconds }, output = '', error = ''] = await Promise.all([exit, ...said])
    if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}: ${(error || output).slice(-2000)}`)
    return { seconds, rssMb, output }
  } finally {
    clearInterval(look)
    process.off('exit', kill)
  }
}

function highWaterMark(pid: number | undefined): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}
