/** Faults of the node that a run is on. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { killGroup, type Running } from '../../support/cluster/processes.ts'
import type { Fault, Scene } from './faults.ts'
import { NAMESPACE } from './world.ts'

/** After its node has gone for good, the pod is collected within a minute or so, and the next one waits out its budget. */
const LONGEST_INTERRUPTION = 240_000

export const nodeVanishes: Fault = {
  name: 'node-vanishes',
  what: 'the node of a run dies with its pods and is deleted, as a cloud does it; another node is there',
  mayLog: [],
  strike: async (scene) => {
    const { world, residents } = scene
    const node = await nodeOfRun(scene)
    // The other one first: what is asked for after the strike shall find a node.
    await world.addNode()
    const since = performance.now()
    process.kill(node.running.pid, 'SIGKILL')
    for (const { metadata } of await podsOn(scene, node.name)) await killPod(scene, metadata.uid)
    await world.cluster.api.request('DELETE', `/api/v1/nodes/${node.name}`)
    const next = async () => {
      // The interrupted run itself: another pod goes on with it when the dead one is collected.
      await until(LONGEST_INTERRUPTION, 'the interrupted run has ended well', async () => {
        const { status } = await victim(scene)
        return status.sync.activeRun === undefined && status.sync.lastRun.result === 'Succeeded'
      })
      residents.disturb('victim', false)
      return { since: performance.now() }
    }
    return { since, next }
  },
}

export const nodePaused: Fault = {
  name: 'node-paused',
  what: 'the process node is stopped for 20 s under a run: pods go on, nobody tells how they are',
  mayLog: [],
  strike: async (scene) => {
    const { running } = await nodeOfRun(scene)
    process.kill(running.pid, 'SIGSTOP')
    await delay(20_000)
    process.kill(running.pid, 'SIGCONT')
    scene.residents.disturb('victim', false)
    return { since: performance.now() }
  },
}

/** Starts a run that takes its time, and waits until its pod runs. */
async function nodeOfRun(scene: Scene): Promise<{ readonly name: string; readonly running: Running }> {
  const { world, residents } = scene
  const account = residents.account('victim')
  account.clearFaults()
  account.addFault({ path: 'audit_logs', times: 3, effect: { kind: 'latency', milliseconds: 5_000 } })
  await residents.syncNow('victim')
  residents.disturb('victim', true)
  let node = ''
  await until(60_000, 'the run has a pod', async () => {
    const run = (await victim(scene)).status?.sync?.activeRun?.job
    const pods = run === undefined ? [] : await listPods(scene, `labelSelector=job-name%3D${run}`)
    node = pods.find(({ status }) => status.phase === 'Running')?.spec.nodeName ?? ''
    return node !== ''
  })
  return { name: node, running: world.node(node) }
}

type Pod = { metadata: { uid: string }; spec: { nodeName?: string }; status: { phase: string } }

async function listPods({ world }: Scene, query: string): Promise<Pod[]> {
  return (await world.cluster.api.request<{ items: Pod[] }>('GET', `/api/v1/namespaces/${NAMESPACE}/pods?${query}`))
    .items
}

const podsOn = (scene: Scene, node: string) => listPods(scene, `fieldSelector=spec.nodeName%3D${node}`)

async function killPod({ world }: Scene, uid: string): Promise<void> {
  const pid = await readFile(join(world.cluster.folder, 'pids', `pod.${uid}.sync`), 'utf8').catch(() => '')
  if (pid !== '') killGroup(Number(pid))
}

type Victim = { status: { sync: { activeRun?: { job: string }; lastRun: { result: string } } } }

const victim = ({ world }: Scene) =>
  world.cluster.api.request<Victim>(
    'GET',
    `/apis/cloudapps.security/v1alpha1/namespaces/${NAMESPACE}/zendeskconnectors/victim`,
  )

async function until(milliseconds: number, what: string, holds: () => Promise<boolean>): Promise<void> {
  const giveUp = performance.now() + milliseconds
  while (!(await holds())) {
    if (performance.now() > giveUp) throw new Error(`not within ${milliseconds / 1000} s: ${what}`)
    await delay(250)
  }
}
