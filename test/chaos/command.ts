/** `npm run chaos`: sync processes, or the operator, killed and hindered in every way; then what must hold is compared. */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { ChaosOptions } from './chaos.ts'

const program = new Command('npm run chaos --').description(
  'Kills and hinders sync processes (the default), or the operator, on a real API server and against the simulator.',
)
const stopping = new AbortController()

program
  .command('sync', { isDefault: true })
  .description(
    'Kills sync processes with -9 at chosen moments and plays faults to them; then compares what arrived, byte for byte. 200 and 200 take about ten minutes.',
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
  .action(chaosOfSync)

program
  .command('operator')
  .description(
    'Two replicas of the operator, and faults of API server, etcd, network, credentials, clock, replicas and nodes, one after the other. After each the state must be right within 60 s. About ten minutes.',
  )
  .option('--only <name...>', 'these faults alone; --list names them')
  .option('--list', 'name the faults', false)
  .option('--folder <path>', 'keep logs and the audit log there')
  .option('--seed <number>', 'for choices; the same seed gives the same ones', wholeNumber)
  .addHelpText(
    'after',
    '\nThe last line is JSON: {faults:[{name, recoveredSeconds, duplicateJobs, writesByStaleLeader}]}. Exits 0 only when all hold.',
  )
  .action(chaosOfOperator)

type SyncFlags = Pick<ChaosOptions, 'kills' | 'faults' | 'seconds' | 'hurry' | 'folder'> & {
  readonly lanes?: number
  readonly seed?: number
}

async function chaosOfSync(flags: SyncFlags): Promise<void> {
  const { runChaos } = await import('./chaos.ts')
  const { figuresOf, isGood, tablesOf } = await import('./report.ts')
  const lanes = flags.lanes ?? Math.min(40, Math.max(6, Math.ceil(flags.kills / 5)))
  const seed = flags.seed ?? anySeed()
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
}

type OperatorFlags = {
  readonly only?: readonly string[]
  readonly list: boolean
  readonly folder?: string
  readonly seed?: number
}

async function chaosOfOperator({ only, list, folder, seed = anySeed() }: OperatorFlags): Promise<void> {
  const { FAULTS } = await import('./operator/faults.ts')
  if (list) {
    console.log(FAULTS.map(({ name, what }) => `${name}: ${what}`).join('\n'))
    return
  }
  const unknown = only?.find((name) => !FAULTS.some((fault) => fault.name === name))
  if (unknown !== undefined) program.error(`no fault is named ${unknown}; --list names them`)
  const { isGood, runOperatorChaos } = await import('./operator/run.ts')
  const { figuresOf, tableOf } = await import('./operator/report.ts')
  const faults = FAULTS.filter(({ name }) => only === undefined || only.includes(name))
  const say = (line: string) => console.log(line)
  const results = await runOperatorChaos({
    faults,
    seed,
    say,
    folder: folder && resolve(folder),
    signal: stopping.signal,
  })
  console.log(`\n${tableOf(results)}\n`)
  console.log(JSON.stringify(figuresOf(results)))
  process.exit(results.length === faults.length && results.every(isGood) ? 0 : 1)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
await program.parseAsync()

function anySeed(): number {
  return Math.floor(Math.random() * 1_000_000)
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed')
  return Number(text)
}
