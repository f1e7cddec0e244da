/** `npm run test:cluster`: the tests on a real API server, of whichever Kubernetes is asked for. */
import { parseArgs } from 'node:util'
import {
  chosenRelease,
  DEFAULT_RELEASE,
  RELEASE_NAMES,
  RELEASE_VARIABLE,
  releaseNamed,
} from '../test/support/cluster/releases.ts'
import { run } from './run.ts'

const help = `npm run test:cluster -- [--kubernetes RELEASE] [what vitest takes]: the tests on a real API server.

  --kubernetes RELEASE   one of ${RELEASE_NAMES}; without it ${DEFAULT_RELEASE}. The first time it is built, which takes minutes.

Anything else is handed to vitest: npm run test:cluster -- --kubernetes 1.37 test/cluster/chart.test.ts -t "dry run"`

const args = process.argv.slice(2)
const options = { kubernetes: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
const { values, tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true })

try {
  if (values.help) console.log(help)
  else process.exitCode = await runTests()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/** Resolves with vitest's exit code. */
function runTests(): Promise<number> {
  const asked = values.kubernetes
  const release = asked === undefined ? chosenRelease() : releaseNamed(typeof asked === 'string' ? asked : '')
  return run('vitest', ['run', '--project', 'cluster', ...others()], { [RELEASE_VARIABLE]: release })
}

function others(): string[] {
  const ours = new Set<number>()
  for (const token of tokens) {
    if (token.kind !== 'option' || token.name !== 'kubernetes') continue
    ours.add(token.index)
    if (!token.inlineValue) ours.add(token.index + 1)
  }
  return args.filter((_, index) => !ours.has(index))
}
