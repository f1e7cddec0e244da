/** The checkpoint as the sync pod reads and writes it: one ConfigMap, changed only from the version that was read. */
import { z } from 'zod'
import { CHECKPOINT_KEY, type Checkpoint } from '../connector/run.ts'
import type { Cluster } from './cluster.ts'
import { KubeError } from './errors.ts'
import { parseCheckpoint } from './kept.ts'
import { pathOf } from './paths.ts'

/** A checkpoint and the version it is of; none before the connector's first run. */
export type StoredCheckpoint = { readonly checkpoint: Checkpoint | undefined; readonly resourceVersion: string }

export type CheckpointStore = {
  /** Throws KubeError: NotFound when the connector is gone, Malformed when it cannot be read. */
  read(): Promise<StoredCheckpoint>
  /** Throws KubeError: Conflict when `resourceVersion` is no longer the latest. */
  write(checkpoint: Checkpoint, resourceVersion: string): Promise<{ readonly resourceVersion: string }>
}

const configMap = z.object({
  // What we do not own is carried along: labels and owners are the operator's.
  metadata: z.looseObject({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).default({}),
})
type Metadata = z.output<typeof configMap>['metadata']

/** Each call ends after 8 seconds: a run must know in time that it does not hold the checkpoint any more. */
export function checkpointStore(
  cluster: Cluster,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): CheckpointStore {
  const path = pathOf('/api/v1', namespace, 'configmaps', name)
  let known: Metadata | undefined

  async function call(method: 'GET' | 'PUT', body?: unknown) {
    const answer = await cluster.request(method, path, { body, timeoutMilliseconds: 8_000 })
    const parsed = configMap.safeParse(answer)
    if (!parsed.success) throw new KubeError('Malformed', 'the API server returned something that is not a ConfigMap')
    const { managedFields: _, ...metadata } = parsed.data.metadata
    known = metadata
    return parsed.data
  }

  return {
    async read() {
      const { metadata, data } = await call('GET')
      try {
        return { checkpoint: parseCheckpoint(data[CHECKPOINT_KEY]), resourceVersion: metadata.resourceVersion }
      } catch {
        throw new KubeError('Malformed', `ConfigMap ${name} contains an unreadable checkpoint`)
      }
    },
    async write(checkpoint, resourceVersion) {
      const metadata = { ...(known ?? (await call('GET')).metadata), resourceVersion }
      const data = { [CHECKPOINT_KEY]: JSON.stringify(checkpoint) }
      const written = await call('PUT', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
      return { resourceVersion: written.metadata.resourceVersion }
    },
  }
}
