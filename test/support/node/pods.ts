/** Pods as their API object tells of them, and what the audit log tells of when they were put onto the node. */
import { readFile } from 'node:fs/promises'
import { vi } from 'vitest'
import { z } from 'zod'
import type { Cluster } from '../cluster/cluster.ts'

const ended = z.object({ exitCode: z.number(), reason: z.string().optional(), message: z.string().optional() })
const state = z.object({ running: z.object({}).optional(), terminated: ended.optional() })
const pod = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  spec: z.object({ containers: z.array(z.object({ image: z.string() })) }),
  status: z.object({
    phase: z.string(),
    containerStatuses: z.array(z.object({ containerID: z.string().optional(), state })).default([]),
  }),
})
export type Pod = z.output<typeof pod>

/** A connector's sync pods that are there, the oldest first. */
export async function syncPods(cluster: Cluster, connector: string, namespace = 'security'): Promise<Pod[]> {
  const selector = `cloudapps.security/connector=${connector},batch.kubernetes.io/job-name`
  const by = '--sort-by=.metadata.creationTimestamp'
  const printed = await cluster.kubectl('get', 'pods', '-n', namespace, '-l', selector, by, '-o', 'json')
  return z.object({ items: z.array(pod) }).parse(JSON.parse(printed)).items
}

export const isRunning = ({ status }: Pod): boolean => status.containerStatuses.some((one) => one.state.running)

/** Waits for a sync pod whose container runs. */
export async function runningSyncPod(cluster: Cluster, connector: string, namespace = 'security'): Promise<Pod> {
  return vi.waitUntil(async () => (await syncPods(cluster, connector, namespace)).find(isRunning), {
    timeout: 150_000,
    interval: 100,
  })
}

const binding = z.object({
  verb: z.literal('create'),
  objectRef: z.object({ resource: z.literal('pods'), subresource: z.literal('binding'), name: z.string() }),
  requestReceivedTimestamp: z.string(),
})

/** When the scheduler put a pod onto its node, in milliseconds since 1970: the pod itself tells whole seconds only. */
export async function scheduledAt(cluster: Cluster, name: string): Promise<number> {
  const lines = (await readFile(cluster.auditLog, 'utf8')).split('\n').filter((line) => line.includes('"binding"'))
  for (const line of lines) {
    const parsed = binding.safeParse(JSON.parse(line))
    if (parsed.success && parsed.data.objectRef.name === name) return Date.parse(parsed.data.requestReceivedTimestamp)
  }
  throw new Error(`The audit log does not tell when ${name} was scheduled.`)
}
