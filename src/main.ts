#!/usr/bin/env node
/** The command line: `operator`, `sync`, `test` and `status`. Each command composes its process in a file of its own. */
import { Command, CommanderError, Option } from 'commander'
import { UsageError } from './config.ts'
import { EXIT } from './connector/run.ts'
import { createLogger } from './logger.ts'
import { keepMemorySmall } from './memory.ts'

const program = new Command('zendesk-connector')
  .description('Connects Zendesk accounts to security tooling, declaratively.')
  .exitOverride()
  .showHelpAfterError()

program
  .command('operator')
  .description('Run the Kubernetes operator: test connections, start sync runs, write statuses.')
  .addOption(
    new Option('--image <image>', 'image of the sync pods: the same as the operator’s own')
      .env('IMAGE')
      .makeOptionMandatory(),
  )
  .option('--kubeconfig <file>', 'kubeconfig to use; default: the cluster that this runs in')
  .option('--namespace <name...>', 'namespaces to watch; default: all')
  .option('--no-leader-elect', 'write without being elected: for a single replica only')
  .option('--leader-election-id <name>', 'name of the Lease', 'zendesk-connector')
  .option('--leader-election-namespace <name>', 'namespace of the Lease; default: the one that this runs in')
  .addOption(new Option('--metrics-bind-address <address>', 'where /metrics is served; 0: nowhere').default(':8080'))
  .addOption(
    new Option('--health-probe-bind-address <address>', 'where /healthz and /readyz are served; 0: nowhere').default(
      ':8081',
    ),
  )
  .option('--no-per-connector-metrics', 'tell sums in /metrics instead of one series for each connector')
  .addOption(
    new Option('--max-concurrent-tests <count>', 'connection tests at a time, one of each account')
      .default(20)
      .argParser(positive),
  )
  .addOption(
    new Option('--max-concurrent-runs <count>', 'sync runs at a time in the whole cluster, one of each account')
      .default(50)
      .argParser(positive),
  )
  .option(
    '--sync-pod <file>',
    'YAML or JSON: resources of sync pods, where they run, what their image is pulled with, labels and annotations',
  )
  .action(async (options) => {
    keepMemorySmall()
    const { runOperator } = await import('./operator-command.ts')
    process.exitCode = await runOperator(options, process.env)
  })

program
  .command('sync')
  .description(
    'Run sync runs with no cluster, from manifests (-f) into a folder (--out); without -f: the one run whose orders the operator wrote into the environment.',
  )
  .option('-f, --filename <file>', 'manifests with ZendeskConnectors and their Secrets; - for standard input')
  .option('--out <folder>', 'folder for records and checkpoints; the next run goes on from there')
  .option('--connector <name>', 'only this one of the manifests')
  .option('--client-id <id>', 'identifier of the OAuth client, instead of a Secret among the manifests')
  .option('--client-secret-file <file>', 'file that holds the client’s secret; - for standard input')
  .option('--resync', 'take all snapshots anew')
  .addOption(
    new Option('-o, --output <format>', 'how the summary is printed').choices(['table', 'json']).default('table'),
  )
  .option('--quiet', 'no progress, only the summary')
  .addOption(
    new Option('--kubeconfig <file>', 'without -f: kubeconfig to use; default: the cluster that this runs in').env(
      'KUBECONFIG',
    ),
  )
  .action(async (options) => {
    keepMemorySmall()
    if (options.filename === undefined && options.out === undefined) {
      const { runSyncCommand } = await import('./sync-command.ts')
      process.exitCode = await runSyncCommand(options, process.env)
    } else {
      const { filename, out } = options
      if (filename === undefined || out === undefined) throw new UsageError('-f and --out go together.')
      const { runLocalSync } = await import('./local-sync-command.ts')
      process.exitCode = await runLocalSync(options, process.env)
    }
  })

program
  .command('test')
  .description(
    'Test what manifests describe, with no cluster: whether the API server would take them, and whether Zendesk answers. Exits 0 when all is well, 1 when not.',
  )
  .requiredOption(
    '-f, --filename <path...>',
    'manifests with ZendeskConnectors and their Secrets: files, folders with all *.yaml, *.yml, *.json below; - for standard input',
  )
  .option('--offline', 'ask everything but Zendesk')
  .option('--allow-missing-secrets', 'with --offline: a Secret that is not among the manifests is a warning only')
  .option('--client-id <id>', 'identifier of the OAuth client, instead of a Secret among the manifests')
  .option('--client-secret-file <file>', 'file that holds the client’s secret; - for standard input')
  .addOption(
    new Option('-o, --output <format>', 'how the result is printed: github are annotations of a pull request')
      .choices(['table', 'json', 'junit', 'github'])
      .default('table'),
  )
  .action(async (options) => {
    const { runTestCommand } = await import('./test-command.ts')
    process.exitCode = await runTestCommand(options, process.env)
  })

program
  .command('status')
  .description(
    'Show one connector of a cluster: its connection, streams, the run under way, and what comes next. It looks at the cluster of your kubeconfig’s current context, as kubectl does, and changes nothing.',
  )
  .argument('<name>', 'the ZendeskConnector')
  .option('-n, --namespace <name>', 'its namespace; default: the context’s')
  .option('--kubeconfig <file>', 'kubeconfig to use; default: KUBECONFIG, then ~/.kube/config')
  .option('--context <name>', 'context of the kubeconfig; default: the current one')
  .option('-w, --watch', 'follow it until Ctrl-C')
  .addOption(new Option('-o, --output <format>', 'how it is printed').choices(['table', 'json']).default('table'))
  .action(async (name, options) => {
    const { runStatusCommand } = await import('./status-command.ts')
    process.exitCode = await runStatusCommand(name, options, process.env)
  })

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(`${text} is not a count.`)
  return value
}

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  } else if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = EXIT.usage
  } else {
    createLogger('error').error({ error }, 'unexpected error: this is a defect')
    process.exitCode = EXIT.software
  }
}
