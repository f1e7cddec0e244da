/**
 * `npm run demo`: the whole way from YAML to records, on a real API server, as a person would want to watch it. It shows
 * only what kubectl and the sink show; anything that does not come within its time ends the demo as failed.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { parseAllDocuments, stringify } from 'yaml'
import { type Stage, startStage } from '../support/stage.ts'
import { showRecords } from './records.ts'
import { follow, followTable, say, title } from './telling.ts'

const USERS = 3_000
const ACTIVITIES = 4_000
const examples = join(import.meta.dirname, '..', '..', 'examples')

const program = new Command('demo')
  .description('Brings up a cluster, a Zendesk and the operator on this machine, and shows what they do.')
  .option('--keep', 'leave everything running until Ctrl-C, and print kubectl lines to play with')
  .parse()
const { keep } = program.opts<{ keep?: true }>()

const begin = performance.now()
title('A Kubernetes control plane, a Zendesk and the operator start on this machine')
const stage = await startStage({ name: 'demo', judged: false })
let stopped = false
const stop = async () => {
  if (stopped) return
  stopped = true
  await stage.stop()
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(130)))
}

try {
  await tell(stage)
  say('')
  say(`All of this took ${((performance.now() - begin) / 1000).toFixed(0)} s.`)
  if (keep) await playGround(stage)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  say(`The operator's log ends with:\n${(await readFile(stage.operatorLog, 'utf8').catch(() => '')).slice(-2000)}`)
  process.exitCode = 1
} finally {
  await stop()
  say('Everything is stopped and cleaned up.')
}

async function tell(on: Stage): Promise<void> {
  on.simulator.account('acme', {
    users: { count: USERS },
    activities: { lastSevenDays: ACTIVITIES, perEarlierDay: 100 },
  })
  on.simulator.account('globex', { activities: { lastSevenDays: 250 } })
  await on.startOperator()
  say(
    `kubernetes ${(await on.cluster.kubectl('version')).match(/Server Version: (\S+)/)?.[1]}, at ${on.cluster.server}`,
  )

  title('A platform team applies two connectors and their Secrets: examples/, one with a wrong secret')
  say('$ kubectl apply -f examples/')
  await on.apply(await exampleWith('globex-zendesk', 'not-the-secret'))
  const table = followTable(on)
  await on.until('acme', ({ status }) => status?.connection === 'Connected')
  await on.until('globex', ({ status }) => status?.conditions?.some(isWrongSecret))
  await table.stop()

  title('What is wrong with globex? The message says it')
  say('$ kubectl get zdc globex -o wide')
  say(await on.cluster.kubectl('get', 'zdc', 'globex', '-n', 'security', '-o', 'wide'))
  say('$ kubectl apply -f examples/    # with the right secret')
  const repaired = followTable(on)
  await on.apply(await exampleWith('globex-zendesk', 'globex-secret'))
  const repair = performance.now()
  await on.until('globex', ({ status }) => status?.connection === 'Connected')
  await repaired.stop()
  say(
    `Connected ${((performance.now() - repair) / 1000).toFixed(1)} s after the Secret was repaired; nothing was restarted.`,
  )

  title('Meanwhile a sync pod reads users and seven days of activities, within the budget')
  await watchRun(on, 'acme')
  await on.until('globex', ({ status }) => status?.sync?.lastSuccessTime !== undefined, { seconds: 60 })
  say(await on.cluster.kubectl('get', 'zdc,jobs,pods', '-n', 'security'))
  const { ledger } = on.simulator.find('acme') ?? {}
  say(
    `acme's Zendesk saw at most ${ledger?.maxInAnyWindow(60_000)} requests in any 60 s (the spec allows 200), and answered ${ledger?.tooManyRequests()} times with 429.`,
  )

  title('What kubectl describe tells')
  const described = await on.cluster.kubectl('describe', 'zdc', 'acme', '-n', 'security')
  say(described.slice(described.indexOf('Events:')))

  title('The records')
  await showRecords(on, { users: USERS, activities: ACTIVITIES })
}

function isWrongSecret({ type, reason }: { readonly type: string; readonly reason: string }): boolean {
  return type === 'Ready' && reason === 'InvalidClient'
}

/** Follows a connector's run by its pod's log until it has ended well. */
async function watchRun(on: Stage, name: string): Promise<void> {
  const { status: begun } = await on.until(name, ({ status }) => status?.sync?.lastStartTime !== undefined)
  const job = begun.sync.activeRun?.job ?? begun.sync.lastRun.id
  say(`$ kubectl logs -f job/${job}`)
  const args = ['logs', '-f', `job/${job}`, '-n', 'security', '--pod-running-timeout=30s']
  const log = follow(on, args, (line) => /"progress":"([^"]+)"/.exec(line)?.[1]?.replace(/^/, `${name}: `))
  await on.until(name, ({ status }) => status?.sync?.lastSuccessTime !== undefined, { seconds: 60 })
  await log.stop()
  const { status } = await on.get(name)
  const { records, requests, startTime, endTime } = status.sync.lastRun
  const seconds = (Date.parse(endTime) - Date.parse(startTime)) / 1000
  say(`${name}: ${records} records with ${requests} requests in ${seconds.toFixed(0)} s.`)
}

/** All examples as one text, with another client secret in one of the Secrets. */
async function exampleWith(secret: string, clientSecret: string): Promise<string> {
  const texts = await Promise.all(
    ['namespace', 'secrets', 'file-sink', 'stdout-sink'].map((name) =>
      readFile(join(examples, `${name}.yaml`), 'utf8'),
    ),
  )
  return texts
    .flatMap((text) => parseAllDocuments(text))
    .map((document) => {
      const object = document.toJS() as { kind: string; metadata: { name: string }; stringData?: object }
      if (object.kind === 'Secret' && object.metadata.name === secret) {
        object.stringData = { ...object.stringData, clientSecret }
      }
      return stringify(object)
    })
    .join('---\n')
}

async function playGround(on: Stage): Promise<void> {
  title('Everything goes on until Ctrl-C. In another terminal:')
  say(`export KUBECONFIG=${on.cluster.kubeconfig}`)
  say(`alias k=${on.cluster.kubectlPath}`)
  say('k get zdc -n security -o wide -w')
  say('k describe zdc acme -n security')
  say('k annotate zdc acme -n security --overwrite cloudapps.security/sync-requested-at="$(date)"    # sync now')
  say('k annotate zdc acme -n security --overwrite cloudapps.security/test-requested-at="$(date)"    # test now')
  say(`curl -X POST ${on.simulator.controlUrl}/    # the Zendesk's control API: npm run simulator -- --help`)
  say(`tail -f ${on.operatorLog}`)
  await once(process, 'SIGINT')
}
