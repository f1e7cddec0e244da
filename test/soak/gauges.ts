/** What the operator's process holds, as the kernel counts it, and whether that stays as it is. Linux only. */
import { readdir, readFile, readlink } from 'node:fs/promises'

/** One look at a process. */
export type Sample = { readonly rssMb: number; readonly handles: number; readonly sockets: number }
export type Gauge = keyof Sample

/** Medians of the first and the last third. */
export type Trend = { readonly first: number; readonly last: number }

export async function sampleOf(pid: number): Promise<Sample> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const folder = `/proc/${pid}/fd`
  const names = await readdir(folder)
  const targets = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')))
  return {
    rssMb: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024,
    handles: names.length,
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
  }
}

/**
 * How much more the last third may have than the first, in the gauge's unit. A heap is collected when it pays: what a
 * process of a minute holds is where it happened to be, what one of an hour holds is what it keeps.
 */
export function tolerance(gauge: Gauge, first: number, minutes: number): number {
  if (gauge === 'rssMb') return Math.max(16, first * (minutes < 10 ? 0.3 : 0.1))
  return 4
}

export function trendOf(samples: readonly Sample[], gauge: Gauge): Trend {
  const third = Math.ceil(samples.length / 3)
  const values = samples.map((sample) => sample[gauge])
  return { first: median(values.slice(0, third)), last: median(values.slice(-third)) }
}

/** Whether it has not grown beyond the tolerance. */
export function isFlat(gauge: Gauge, { first, last }: Trend, minutes: number): boolean {
  return last <= first + tolerance(gauge, first, minutes)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN) * 10) / 10
}
