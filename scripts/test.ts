/** `npm test`: everything that must hold before a change lands, with one line of totals at the end. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { prepareMachine, toldSkipped } from '../test/support/node/requirements.ts'
import { run } from './run.ts'

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
if (values.help) {
  console.log(
    'npm test: types, style, unused code, then all tests. Parts: npm run check, test:unit, test:cluster, test:node (on Linux, as root).',
  )
  process.exit(0)
}

const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numFailedTestSuites: z.number(),
})

let passed = 0
let failed = 0
for (const [command = '', ...args] of [['tsc', '--noEmit'], ['biome', 'check'], ['knip']]) {
  const good = (await run(command, args)) === 0
  console.log(`${good ? 'passed' : 'FAILED'}: ${command}`)
  if (good) passed += 1
  else failed += 1
}

let skipped = 0
const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-test-'))

/** Runs the tests of some projects and counts them. */
async function count(...projects: readonly string[]): Promise<void> {
  const file = join(folder, `${projects.join('-')}.json`)
  const chosen = projects.map((project) => `--project=${project}`)
  const code = await run('vitest', ['run', ...chosen, '--reporter=default', '--reporter=json', `--outputFile=${file}`])
  // Where vitest itself came to grief there is no report.
  const totals = await readFile(file, 'utf8').then(
    (text) => report.parse(JSON.parse(text)),
    () => undefined,
  )
  passed += totals?.numPassedTests ?? 0
  skipped += totals?.numPendingTests ?? 0
  // A file that cannot be loaded has no failed test; vitest's own exit code still knows.
  const unloaded = code === 0 ? 0 : Math.max(1, totals?.numFailedTestSuites ?? 0)
  failed += totals?.numFailedTests || unloaded
}

await count('layers', 'unit', 'cluster')
const unfit = await prepareMachine(console.log).catch((error: Error) => error.message)
if (unfit === undefined) await count('node')
await rm(folder, { recursive: true })

if (unfit !== undefined) console.log(toldSkipped(unfit))
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
process.exitCode = failed === 0 ? 0 : 1
