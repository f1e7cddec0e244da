/** What the node tier measures: kept in a file while its tests run, told as a table when all have ended. */
import { appendFile, readFile } from 'node:fs/promises'
import { z } from 'zod'

const figure = z.object({
  what: z.string(),
  value: z.number(),
  unit: z.string(),
  /** What it must not be above. */
  limit: z.number().optional(),
})
export type Figure = z.output<typeof figure>

export async function note(file: string, one: Figure): Promise<void> {
  await appendFile(file, `${JSON.stringify(one)}\n`)
}

/** The table, and all of it in one line of JSON. */
export async function told(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const figures = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => figure.parse(JSON.parse(line)))
  const width = Math.max(...figures.map(({ what }) => what.length))
  const rows = figures.map(({ what, value, unit, limit }) => {
    const promised = limit === undefined ? '' : `  (at most ${limit} ${unit})`
    return `${what.padEnd(width)}  ${String(value).padStart(8)} ${unit}${promised}`
  })
  return [...rows, JSON.stringify({ node: figures })].join('\n')
}
