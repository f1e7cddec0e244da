/** `npm run chaos`: the sync process killed and hindered in every way, and that nothing is lost, repeated or changed by it. */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { runChaos } from './chaos.ts'
import { figuresOf, isGood, tablesOf } from './report.ts'

const program = new Command('npm run chaos --')
  .description(
    'Kills sync processes with -9 at chosen moments and plays faults to them, on a real API server and against the simulator; then compares what arrived, byte for byte. 200 and 200 take about ten minutes.',
  )
  .option('--kills <count>', 'at least so many, a tenth of them in each phase', wholeNumber, 200)
  .option('--faults <count>', 'at least so many', wholeNumber, 200)
  .option(
    '--lanes <count>',
    'connectors side by side, each with its account; default: one for five kills, at most 40',
    wholeNumber,
  )
  .option('--seed <number>', 'for data, moments and choices; the same seed gives the same ones', wholeNumber)
  .option('--seconds <count>', 'longest time for it', wholeNumber, 2400)
  .option('--hurry', 'nobody waits out a dead one’s minute in order to be killed: as in npm test', false)
  .option('--folder <path>', 'keep logs and sinks there')
  .addHelpText(
    'after',
    '\nThe last line is JSON. Exits 0 only when all was done that was asked for and nothing was found wrong.',
  )

type Flags = {
  kills: number
  faults: number
  lanes?: number
  seed?: number
  seconds: number
  hurry: boolean
  folder?: string
}

const flags = program.parse().opts<Flags>()
const lanes = flags.lanes ?? Math.min(40, Math.max(6, Math.ceil(flags.kills / 5)))
const seed = flags.seed ?? Math.floor(Math.random() * 1_000_000)
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

console.log(
  `To do it again: npm run chaos -- --kills ${flags.kills} --faults ${flags.faults} --lanes ${lanes} --seed ${seed}`,
)
const outcome = await runChaos({
  ...flags,
  folder: flags.folder && resolve(flags.folder),
  lanes,
  seed,
  sinks: ['file', 's3', 'file', 's3', 'http'],
  say: (line) => console.log(line),
  signal: stopping.signal,
})
console.log(`\n${tablesOf(outcome)}\n`)
console.log(JSON.stringify(figuresOf(outcome)))
process.exit(isGood(outcome) ? 0 : 1)

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed')
  return Number(text)
}
