/** A controller as a process of its own: when it knows all connectors, and what it takes of the machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { clockMs } from './figures.ts'

export type Program = {
  readonly pid: number
  /** Seconds from its start to the line that says how many connectors it knows; rejects when it says another number. */
  knows(connectors: number): Promise<number>
  /** Seconds from its start until it acts: it is the leader, and has listed anew what runs there are. */
  leads(): Promise<number>
  /** The most resident memory that it ever had (VmHWM), in MiB. */
  peakMb(): number
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>
}

export type ProgramOptions = {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where all that it writes goes. */
  readonly log: string
}

/** Starts it. It ends with this process at the latest. */
export function startProgram({ command: [command = '', ...args], env, log }: ProgramOptions): Program {
  const began = clockMs()
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = () => void child.kill('SIGKILL')
  process.prependOnceListener('exit', kill)
  const exited = once(child, 'exit')
  const written = createWriteStream(log, { flags: 'a' })
  const ready = Promise.withResolvers<{ connectors: number; seconds: number }>()
  ready.promise.catch(() => {})
  const leading = Promise.withResolvers<number>()
  leading.promise.catch(() => {})
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(written, { end: false })
    createInterface(stream).on('line', (line) => {
      if (last.push(line) > 100) last.splice(0, 50)
      const found = /"connectors":(\d+)/.exec(line)?.[1]
      const seconds = (clockMs() - began) / 1000
      if (found !== undefined) ready.resolve({ connectors: Number(found), seconds })
      if (found !== undefined && line.includes('"leading"')) leading.resolve(seconds)
    })
  }
  const last: string[] = []
  exited.then(([code, signal]) => {
    const error = new Error(`${command} ended with ${code ?? signal}:\n${last.slice(-20).join('\n')}`)
    ready.reject(error)
    leading.reject(error)
  })
  return {
    pid: child.pid ?? 0,
    async knows(expected) {
      const { connectors, seconds } = await ready.promise
      if (connectors !== expected) throw new Error(`${command} knows ${connectors} connectors, not ${expected}`)
      return seconds
    },
    leads: () => leading.promise,
    peakMb: () => memoryOf(child.pid ?? 0, 'VmHWM'),
    async stop() {
      child.kill('SIGTERM')
      process.off('exit', kill)
      await exited
      written.end()
    },
  }
}

/** A line of /proc/<pid>/status, in MiB; NaN where there is none. */
function memoryOf(pid: number, name: 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
}
