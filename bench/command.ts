/** `npm run bench -- <name>`: measures, prints a table, and as its last line one JSON object; exits 0 only when the figures hold. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What every file beside this one exports as `bench`. */
type Bench = (args: string[]) => Promise<{ readonly table: string; readonly json: object; readonly good: boolean }>

const about: Readonly<Record<string, string>> = {
  limiter: 'how much of a rate limit is used, and how many requests are refused: real windows, 5 minutes',
  sync: 'records per second of a whole run, beside a bare loop and tap-zendesk, and its memory: about 10 minutes',
  'first-sync':
    'requests and time of a first sync, beside the fewest and the shortest that the limits allow: 5 minutes',
  operator:
    'ten thousand connectors: start, memory, reaction, beside controller-runtime; --growth: 100 and 1,000 as well: 15 minutes',
  'cold-start': 'from the start of the sync process to its first request',
}

const [name = '', ...args] = process.argv.slice(2)
const files = (await readdir(import.meta.dirname, { withFileTypes: true })).filter((entry) => entry.isFile())
const names = files.map((file) => file.name.replace(/\.ts$/, '')).filter((one) => one !== 'command')

// Without this, `exit` listeners would not run, and what a bench has started would stay behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

if (names.includes(name)) {
  const { bench } = (await import(join(import.meta.dirname, `${name}.ts`))) as { bench: Bench }
  const { table, json, good } = await bench(args)
  process.stdout.write(`${table}\n${JSON.stringify(json)}\n`)
  process.exitCode = good ? 0 : 1
} else {
  const isAsked = ['', '-h', '--help'].includes(name)
  if (!isAsked) process.stderr.write(`There is no bench ${name}.\n`)
  const lines = names.map((one) => `  ${one.padEnd(12)} ${about[one] ?? ''}`.trimEnd())
  process.stdout.write(
    `npm run bench -- <name> [options]\n\n${lines.join('\n')}\n\nOptions of one: npm run bench -- <name> --help\n`,
  )
  process.exitCode = isAsked && name !== '' ? 0 : 64
}
