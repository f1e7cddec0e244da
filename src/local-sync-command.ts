/** `zendesk-connector sync -f connector.yaml --out DIR`: sync runs with no cluster, into a folder that holds their checkpoints. */
import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { composeRun } from './compose-run.ts'
import { commonEnvironment, readEnvironment } from './config.ts'
import { EXIT } from './connector/run.ts'
import { keyOf } from './connector/schema.ts'
import { type LocalJob, type LocalJobOptions, readJobs } from './local-jobs.ts'
import { asJson, asTable, type LocalRun } from './local-summary.ts'
import { createLogger } from './logger.ts'
import { createProgressBar, type ProgressBar } from './progress-bar.ts'
import { whenStopped } from './stop.ts'
import type { Log } from './sync/run.ts'
import type { Egress } from './zendesk/http.ts'

export type LocalSyncOptions = LocalJobOptions & {
  readonly output: 'table' | 'json'
  /** No progress, only the summary. */
  readonly quiet?: boolean
}

/** Resolves with the exit code: that of the run, see EXIT in connector/run.ts; of several runs the greatest. @throws UsageError. */
export async function runLocalSync(options: LocalSyncOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const config = readEnvironment(commonEnvironment, { LOG_LEVEL: 'warn', ...environment })
  const jobs = await readJobs(options)
  const bar = createProgressBar(process.stderr, {
    terminal: process.stderr.isTTY === true && environment.TERM !== 'dumb',
    now: () => new Date(),
    quiet: options.quiet === true,
  })
  const signal = whenStopped(() => bar.keep('Stopping: publishing what was read, which takes up to ten seconds.\n'))
  const egress = { httpsProxy: config.HTTPS_PROXY, noProxy: config.NO_PROXY }
  const shared = { bar, log: createLogger(config.LOG_LEVEL, above(bar)), signal, egress }

  const runs: LocalRun[] = []
  for (const job of jobs) {
    if (signal.aborted) break
    if (options.quiet !== true) bar.keep(destination(job))
    const run = await runOne(job, shared)
    if (options.output === 'table') process.stdout.write(`${runs.length > 0 ? '\n' : ''}${asTable(run)}`)
    runs.push(run)
  }
  if (options.output === 'json') process.stdout.write(asJson(runs))
  return Math.max(EXIT.ok, ...runs.map(({ exitCode }) => exitCode))
}

function destination({ orders, files, sinkOfManifest }: LocalJob): string {
  return `${orders.connector}: records go to ${files} instead of the manifest's ${sinkOfManifest} sink.\n`
}

type Shared = {
  readonly bar: ProgressBar
  readonly log: Log & { child(fields: object): Log }
  readonly signal: AbortSignal
  readonly egress: Egress
}

async function runOne(job: LocalJob, { bar, signal, egress, ...shared }: Shared): Promise<LocalRun> {
  const { secret, orders, store, sink, files } = job
  const { namespace, connector: name, endpoint, run } = orders
  const log = shared.log.child({ connector: keyOf({ metadata: { namespace, name } }), run })
  const { report, exitCode } = await composeRun(orders, {
    secret: async () => secret,
    egress,
    store,
    sink: async () => sink,
    log,
    pod: randomUUID(),
    signal,
    // The bar tells.
    onWait: (what, milliseconds) => log.info({ waitMs: milliseconds }, what),
    onProgress: (progress) => bar.show(name, progress),
  })
  bar.clear()
  return { name, namespace, endpoint, files, report, exitCode }
}

/** Lines of the log, written so that they do not run into the bar. */
function above(bar: ProgressBar): Writable {
  return new Writable({
    decodeStrings: false,
    write: (lines: string, _encoding, done) => {
      bar.keep(lines)
      done()
    },
  })
}
