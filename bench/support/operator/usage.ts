/** Who uses the machine's processors: shares of all of them, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

export type Usage = {
  /** Of all processors, 0 to 1. */
  readonly busy: number
  /** Processors in use by the named programs, and by those that they have started and seen end. */
  readonly processors: Readonly<Record<string, number>>
}

const TICKS_PER_SECOND = 100

type Ticks = { readonly all: number; readonly idle: number; readonly of: ReadonlyMap<string, number> }

/** Begins to measure; the function that is returned ends it. `names` tells whose a process is by its command line and id. */
export function startUsage(nameOf: (command: string, pid: number) => string | undefined): () => Usage {
  const before = ticks(nameOf)
  const began = performance.now()
  return () => {
    const after = ticks(nameOf)
    const seconds = (performance.now() - began) / 1000
    const processors = [...after.of].map(([name, spent]): [string, number] => [
      name,
      Math.max(0, spent - (before.of.get(name) ?? 0)) / TICKS_PER_SECOND / seconds,
    ])
    return {
      busy: 1 - (after.idle - before.idle) / (after.all - before.all),
      processors: Object.fromEntries(processors),
    }
  }
}

function ticks(nameOf: (command: string, pid: number) => string | undefined): Ticks {
  const machine = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').map(Number)
  const of = new Map<string, number>()
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    try {
      const name = nameOf(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '), pid)
      if (name === undefined) continue
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // From the third field on; utime, stime, cutime, cstime are fields 14 to 17.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const spent = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
      of.set(name, (of.get(name) ?? 0) + spent)
    } catch {
      // It has ended meanwhile.
    }
  }
  const all = machine.slice(0, 8).reduce((sum, field) => sum + field, 0)
  return { all, idle: (machine[3] ?? 0) + (machine[4] ?? 0), of }
}
