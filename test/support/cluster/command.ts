/** `npm run cluster -- …`: a cluster to play with, by name, for as long as the command that started it runs. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { progressOnStderr } from '../go-program.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { bareEnvironment } from './control-plane.ts'
import { clusterNamed, clusters, describe, end, releaseName, takeName } from './registry.ts'
import { DEFAULT_RELEASE, RELEASE_NAMES, type ReleaseName, releaseNamed } from './releases.ts'

type Images = Record<string, readonly string[]>

const project = join(import.meta.dirname, '../../..')
const ownImage: Images = { 'zendesk-connector:dev': [process.execPath, join(project, 'src/main.ts')] }

const program = new Command('npm run cluster --')
  .description('Local Kubernetes clusters that run pods as processes: no Docker, no root, nothing left behind.')
  .showHelpAfterError()
  .enablePositionalOptions()

program
  .command('up')
  .description(
    'start a cluster, and end it again with Ctrl-C or "down"; it knows this project as zendesk-connector:dev',
  )
  .requiredOption('--name <name>', 'what to call it', clusterName)
  .option(
    '--image <image=command>',
    'what an image runs, e.g. shell:1="/bin/sh -c"; may be given often',
    image,
    ownImage,
  )
  .option('--kubernetes <release>', `one of ${RELEASE_NAMES}; without it ${DEFAULT_RELEASE}`, release)
  .action(up)

program
  .command('down')
  .description('end a cluster')
  .requiredOption('--name <name>', 'the cluster')
  .action(async ({ name }: { name: string }) => end(await clusterNamed(name)))

program
  .command('list')
  .description('show the clusters that run')
  .action(async () => {
    for (const { name, kubeconfig = '(being started)' } of await clusters()) console.log(`${name}\t${kubeconfig}`)
  })

program
  .command('kubectl')
  .description('run kubectl against a cluster: npm run cluster -- kubectl --name a -- get pods')
  .requiredOption('--name <name>', 'the cluster')
  .argument('[arguments...]')
  .passThroughOptions()
  .action(async (args: string[], { name }: { name: string }) => {
    const { kubeconfig, kubectlPath, folder } = await clusterNamed(name)
    if (!kubeconfig || !kubectlPath || !folder) throw new Error(`The cluster "${name}" is still being started.`)
    const env = { ...bareEnvironment(folder), TERM: process.env.TERM, EDITOR: process.env.EDITOR }
    const child = spawn(kubectlPath, ['--kubeconfig', kubeconfig, ...args], { stdio: 'inherit', env })
    process.exitCode = await new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
  })

type Wishes = { readonly name: string; readonly image?: Images; readonly kubernetes?: ReleaseName }

async function up({ name, image = {}, kubernetes }: Wishes): Promise<void> {
  const stopped = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopped.resolve())
  await takeName(name)
  try {
    const wishes = { name, images: { ...ownImage, ...image }, ...(kubernetes && { kubernetes }) }
    const starting = startCluster({ ...wishes, onProgress: progressOnStderr() })
    const cluster = await Promise.race([starting, stopped.promise])
    // Whatever has been started ends with this process.
    if (!cluster) return await releaseName(name).then(() => process.exit(130))
    const { folder, kubeconfig, kubectlPath } = cluster
    await describe({ name, pid: process.pid, folder, kubeconfig, kubectlPath })
    console.log(kubeconfig)
    explain(name, cluster)
    await stopped.promise
    await cluster.stop()
  } finally {
    await releaseName(name)
  }
}

function explain(name: string, { kubeconfig, kubectlPath, folder }: Cluster): void {
  console.error(`
The cluster "${name}" runs until Ctrl-C or "npm run cluster -- down --name ${name}". In another shell:

  export KUBECONFIG=${kubeconfig}
  alias kubectl=${kubectlPath}
  kubectl get nodes

Logs and the data of claims are in ${folder}`)
}

function clusterName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/.test(text)) return text
  throw new InvalidArgumentError('A name has up to 32 lower-case letters, digits and dashes.')
}

function release(text: string): ReleaseName {
  try {
    return releaseNamed(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : '')
  }
}

function image(text: string, before: Images = {}): Images {
  const [name, command] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1).trim()]
  if (!text.includes('=') || !name || !command) throw new InvalidArgumentError('Write it as IMAGE=COMMAND.')
  return { ...before, [name]: command.split(/\s+/) }
}

try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  // Not merely an exit code: whatever part of a cluster still runs ends with this process.
  process.exit(1)
}
