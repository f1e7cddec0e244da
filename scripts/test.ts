/** `npm test`: everything that must hold before a change lands, with one line of totals at the end. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
if (values.help) {
  console.log(
    'npm test: types, style, unused code, then all tests. Parts: npm run check, test:unit, test:cluster. On a real node: npm run test:node.',
  )
  process.exit(0)
}

/** Resolves with the exit code. Its output goes where ours goes. */
function run(command: string, ...args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['--no', '--', command, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
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
  const good = (await run(command, ...args)) === 0
  console.log(`${good ? 'passed' : 'FAILED'}: ${command}`)
  if (good) passed += 1
  else failed += 1
}

const folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-test-'))
const file = join(folder, 'report.json')
const code = await run(
  'vitest',
  'run',
  '--project=!node',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${file}`,
)
const totals = report.parse(JSON.parse(await readFile(file, 'utf8')))
await rm(folder, { recursive: true })
passed += totals.numPassedTests
// A file that cannot be loaded has no failed test; vitest's own exit code still knows.
failed += totals.numFailedTests === 0 && code !== 0 ? Math.max(1, totals.numFailedTestSuites) : totals.numFailedTests

const skipped = totals.numPendingTests === 0 ? '' : `, ${totals.numPendingTests} skipped`
console.log(`${passed} passed, ${failed} failed${skipped}`)
process.exitCode = failed === 0 ? 0 : 1
