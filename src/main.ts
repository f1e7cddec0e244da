#!/usr/bin/env node
/** The command line: `operator`, `sync`, `test` and `status`. Each command composes its process in a file of its own. */
import { Command, CommanderError, Option } from 'commander'
import { UsageError } from './config.ts'
import { EXIT } from './connector/run.ts'
import { createLogger } from './logger.ts'
import { keepMemorySmall } from './memory.ts'

const program = new Command('zendesk-connector')
  .description('Connects Zendesk accounts to security tooling.')
  .exitOverride()
  .showHelpAfterError()

program
  .command('operator')
  .description('Run the Kubernetes operator: test connections, start sync runs, update statuses.')
  .addOption(
    new Option('--image <image>', 'image of the sync pods: that of the operator').env('IMAGE').makeOptionMandatory(),
  )
  .option('--kubeconfig <file>', 'kubeconfig to use; default: in-cluster configuration')
  .option('--namespace <name...>', 'namespaces to watch; default: all')
  .option('--no-leader-elect', 'run without leader election; for a single replica only')
  .option('--leader-election-id <name>', 'name of the Lease', 'zendesk-connector')
  .option('--leader-election-namespace <name>', 'namespace of the Lease; default: that of the pod')
  .addOption(new Option('--metrics-bind-address <address>', 'address to serve /metrics; 0: disabled').default(':8080'))
  .addOption(
    new Option('--health-probe-bind-address <address>', 'address to serve /healthz and /readyz; 0: disabled').default(
      ':8081',
    ),
  )
  .option('--no-per-connector-metrics', 'export sums in /metrics instead of series per connector')
  .addOption(
    new Option('--max-concurrent-tests <count>', 'maximum parallel connection tests; at most one per account')
      .default(20)
      .argParser(positive),
  )
  .addOption(
    new Option('--max-concurrent-runs <count>', 'maximum parallel sync runs in the cluster; at most one per account')
      .default(50)
      .argParser(positive),
  )
  .option(
    '--sync-pod <file>',
    'YAML or JSON file with resources, scheduling, image pull settings, labels and annotations of sync pods',
  )
  .action(async (options) => {
    keepMemorySmall()
    const { runOperator } = await import('./operator-command.ts')
    process.exitCode = await runOperator(options, process.env)
  })

program
  .command('sync')
  .description(
    'Run syncs without a cluster, from manifests (-f) to a folder (--out); without -f: the run that the operator defined in the environment.',
  )
  .option('-f, --filename <file>', 'manifests with ZendeskConnectors and their Secrets; - for standard input')
  .option('--out <folder>', 'folder for records and checkpoints; the next run continues from there')
  .option('--connector <name>', 'run only this connector')
  .option('--client-id <id>', 'identifier of the OAuth client, instead of a Secret in the manifests')
  .option('--client-secret-file <file>', 'file with the client secret; - for standard input')
  .option('--resync', 'retake all snapshots')
  .addOption(new Option('-o, --output <format>', 'format of the summary').choices(['table', 'json']).default('table'))
  .option('--quiet', 'print only the summary, no progress')
  .addOption(
    new Option('--kubeconfig <file>', 'without -f: kubeconfig to use; default: in-cluster configuration').env(
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
      if (filename === undefined || out === undefined) throw new UsageError('-f and --out must be used together.')
      const { runLocalSync } = await import('./local-sync-command.ts')
      process.exitCode = await runLocalSync(options, process.env)
    }
  })

program
  .command('test')
  .description(
    'Test manifests without a cluster: whether the API server would accept them, and whether the connection to Zendesk works. Exits 0 on success, 1 on failure.',
  )
  .requiredOption(
    '-f, --filename <path...>',
    'manifests with ZendeskConnectors and their Secrets: files, or folders (*.yaml, *.yml, *.json, recursive); - for standard input',
  )
  .option('--offline', 'run all checks except those that contact Zendesk')
  .option('--allow-missing-secrets', 'with --offline: only warn about Secrets that are not in the manifests')
  .option('--client-id <id>', 'identifier of the OAuth client, instead of a Secret in the manifests')
  .option('--client-secret-file <file>', 'file with the client secret; - for standard input')
  .addOption(
    new Option('-o, --output <format>', 'format of the result; github: annotations for pull requests')
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
    'Show one connector of a cluster: its connection, streams, active run, and what comes next. Read-only; uses the current context of your kubeconfig, as kubectl does.',
  )
  .argument('<name>', 'name of the ZendeskConnector')
  .option('-n, --namespace <name>', 'namespace; default: that of the context')
  .option('--kubeconfig <file>', 'kubeconfig to use; default: KUBECONFIG, then ~/.kube/config')
  .option('--context <name>', 'kubeconfig context; default: the current one')
  .option('-w, --watch', 'watch until Ctrl-C')
  .addOption(new Option('-o, --output <format>', 'output format').choices(['table', 'json']).default('table'))
  .action(async (name, options) => {
    const { runStatusCommand } = await import('./status-command.ts')
    process.exitCode = await runStatusCommand(name, options, process.env)
  })

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(`${text} is not a positive integer.`)
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
    createLogger('error').error({ error }, 'unexpected error: this is a bug')
    process.exitCode = EXIT.software
  }
}
