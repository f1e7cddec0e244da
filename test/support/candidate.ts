/**
 * A process that stands for election with the product's own modules, and writes while it leads: one ConfigMap after the
 * other, through the fence. It tells what happens as lines of JSON. Tests kill, stop and continue it.
 *
 * Usage: candidate.ts <kubeconfig> <namespace> <lease> <name>
 */
import { setTimeout as delay } from 'node:timers/promises'
import { loadCluster } from '../../src/kube/cluster.ts'
import { campaign } from '../../src/kube/election.ts'
import { isKubeError } from '../../src/kube/errors.ts'
import { fenced } from '../../src/kube/fenced.ts'

/** `at`: milliseconds of the monotonic clock of the process. */
export type Said = {
  readonly what: 'leads' | 'lost' | 'wrote' | 'refused' | 'problem' | 'sees'
  readonly at: number
  readonly text?: string | undefined
}

const [kubeconfig = '', namespace = '', name = '', identity = ''] = process.argv.slice(2)
const say = (what: Said['what'], text?: string) =>
  process.stdout.write(`${JSON.stringify({ what, at: performance.now(), text } satisfies Said)}\n`)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())

const cluster = await loadCluster({ kubeconfig })
let written = 0
while (!stopping.signal.aborted) {
  const leadership = await campaign(cluster, {
    namespace,
    name,
    identity,
    signal: stopping.signal,
    onProblem: (error) => say('problem', String(error)),
    onLeader: (leader) => say('sees', leader),
  }).catch(() => undefined)
  if (leadership === undefined) break
  say('leads')
  leadership.signal.addEventListener('abort', () => say('lost', String(leadership.signal.reason)))
  const guarded = fenced(cluster, leadership)
  // On after the end, to see that nothing gets through any more.
  for (let late = 0; late < 20 && !stopping.signal.aborted; ) {
    const metadata = { name: `${identity}-${written++}`, labels: { writer: identity } }
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata }
    try {
      await guarded.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body })
      say('wrote')
    } catch (error) {
      if (isKubeError(error, 'NotLeader')) say('refused')
      else say('problem', String(error))
    }
    if (leadership.signal.aborted) late++
    await delay(50)
  }
  await leadership.release()
}
await cluster.close()
