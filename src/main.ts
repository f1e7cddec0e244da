#!/usr/bin/env node
/** The command line: `operator`, `sync` and `test`. Each command composes its process in a file of its own. */
import { Command, CommanderError, Option } from 'commander'
import { UsageError } from './config.ts'
import { EXIT } from './connector/run.ts'
import { createLogger } from './logger.ts'

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
  .addOption(new Option('--workers <count>', 'connectors worked on side by side').default(20).argParser(positive))
  .action(async (options) => {
    const { runOperator } = await import('./operator-command.ts')
    process.exitCode = await runOperator(options, process.env)
  })

program
  .command('sync')
  .description('Run one sync run; started by the operator, which writes its orders into the environment.')
  .addOption(
    new Option('--kubeconfig <file>', 'kubeconfig to use; default: the cluster that this runs in').env('KUBECONFIG'),
  )
  .action(async (options) => {
    const { runSyncCommand } = await import('./sync-command.ts')
    process.exitCode = await runSyncCommand(options, process.env)
  })

program
  .command('test')
  .description('Test the connections that manifests describe, with no cluster. Exits 0 when all pass, 1 when not.')
  .requiredOption('-f, --filename <file>', 'manifests with a ZendeskConnector and its Secret; - for standard input')
  .option('--client-id <id>', 'identifier of the OAuth client, instead of a Secret among the manifests')
  .option('--client-secret-file <file>', 'file that holds the client’s secret; - for standard input')
  .addOption(
    new Option('-o, --output <format>', 'how the result is printed').choices(['table', 'json']).default('table'),
  )
  .action(async (options) => {
    const { runTestCommand } = await import('./test-command.ts')
    process.exitCode = await runTestCommand(options, process.env)
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
