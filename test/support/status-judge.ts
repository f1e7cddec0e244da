/**
 * Judges all that was said about connectors in a cluster, at its end: by laws, by kstatus, and by the health checks for
 * Argo CD and Flux.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './cluster/cluster.ts'
import { judgeHealth } from './gitops.ts'
import { judge, told } from './status-laws.ts'
import { type Life, lastVersions, livesIn } from './statuses.ts'

type Listed = { items: { metadata: { uid: string; resourceVersion: string; namespace: string; name: string } }[] }

/** @throws Error with the way that led to each status that is not right, or when the record is not whole. */
export async function judgeStatuses(cluster: Pick<Cluster, 'api' | 'auditLog'>): Promise<void> {
  const lives = await wholeRecord(cluster)
  const violations = await judge(lives)
  if (violations.length > 0) throw new Error(`Statuses were not right:\n${told(violations, lives)}`)
  const ill = await judgeHealth(lives.flatMap(({ versions }) => versions.map(({ raw }) => raw)))
  if (ill.length > 0) throw new Error(`Argo CD or Flux would not show what is so:\n${ill.join('\n')}`)
}

/** The record, once it tells of the last version of every connector that is still there. */
async function wholeRecord({ api, auditLog }: Pick<Cluster, 'api' | 'auditLog'>): Promise<Life[]> {
  const path = '/apis/cloudapps.security/v1alpha1/zendeskconnectors'
  const deadline = performance.now() + 5000
  for (;;) {
    const { items } = await api.request<Listed>('GET', path)
    const lives = await livesIn(auditLog)
    const known = lastVersions(lives)
    const missing = items.filter(({ metadata }) => known.get(metadata.uid) !== metadata.resourceVersion)
    if (missing.length === 0) return lives
    if (performance.now() > deadline) {
      const names = missing.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
      throw new Error(`The record of statuses is not whole: the audit log lacks versions of ${names.join(', ')}.`)
    }
    await delay(50)
  }
}
