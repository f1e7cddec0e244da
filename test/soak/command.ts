/** `npm run soak`: one operator under churn, its watches cut at random. */
import { Command, InvalidArgumentError } from 'commander'
import { figuresOf, tablesOf } from './report.ts'
import { ACTED_ON_WITHIN, isGood, runSoak } from './soak.ts'

const { minutes, seed } = new Command('npm run soak --')
  .description(
    `Connectors are created, changed, deleted and their secrets rotated while the operator's watches are cut at random: each change must be acted on within ${ACTED_ON_WITHIN} s, and memory, handles and sockets must stay flat.`,
  )
  .option('--minutes <count>', 'how long', positive, 60)
  .option('--seed <number>', 'for choices and moments', positive, Math.floor(Math.random() * 1_000_000))
  .addHelpText('after', '\nThe last line is JSON. Exits 0 only when all of it holds.')
  .parse()
  .opts<{ minutes: number; seed: number }>()

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
console.log(`To do it again: npm run soak -- --minutes ${minutes} --seed ${seed}`)
const outcome = await runSoak({ minutes, seed, say: (line) => console.log(line), signal: stopping.signal })
console.log(`\n${tablesOf(outcome)}\n`)
console.log(JSON.stringify(figuresOf(outcome)))
process.exit(isGood(outcome) && !stopping.signal.aborted ? 0 : 1)

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed')
  return value
}
