/** The default StorageClass: each claim gets a folder of its own below the cluster's, which tests can look into. */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Api, ApiError, follow } from '../cluster/api.ts'
import type { Meta } from './kinds.ts'

type Claim = {
  readonly metadata: Meta
  readonly spec: {
    readonly storageClassName?: string
    readonly volumeName?: string
    readonly accessModes: readonly string[]
    readonly resources: { readonly requests?: { readonly storage?: string } }
  }
}

const className = 'standard'

/** Creates the StorageClass and provides for its claims until the signal aborts. */
export async function provideStorage(api: Api, clusterFolder: string, signal: AbortSignal): Promise<void> {
  const body = {
    metadata: { name: className, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'cloudapps.security/process-node',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
  }
  await api.request('POST', '/apis/storage.k8s.io/v1/storageclasses', { body }).catch(ignoreConflict)
  const provide = async (claim: Claim) => {
    const { metadata, spec } = claim
    if (spec.storageClassName !== className || spec.volumeName || metadata.deletionTimestamp) return
    const folder = join(clusterFolder, 'claims', metadata.namespace, metadata.name)
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o777)
    await api.request('POST', '/api/v1/persistentvolumes', { body: persistentVolume(claim, folder) })
  }
  follow<Claim>(api, '/api/v1/persistentvolumeclaims', signal, {
    changed: (claim) => void provide(claim).catch(ignoreConflict).catch(complain),
    gone: ({ metadata, spec }) => {
      if (spec.storageClassName !== className) return
      const folder = join(clusterFolder, 'claims', metadata.namespace, metadata.name)
      const path = `/api/v1/persistentvolumes/${volumeName(metadata)}`
      void rm(folder, { recursive: true, force: true })
        .then(() => api.request('DELETE', path))
        .catch(complain)
    },
  })
}

const volumeName = ({ uid }: Meta) => `pvc-${uid}`

const persistentVolume = ({ metadata, spec }: Claim, path: string) => ({
  metadata: { name: volumeName(metadata) },
  spec: {
    storageClassName: className,
    capacity: { storage: spec.resources.requests?.storage ?? '1Gi' },
    accessModes: spec.accessModes,
    persistentVolumeReclaimPolicy: 'Retain',
    hostPath: { path },
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...nameOf(metadata) },
  },
})

const nameOf = ({ name, namespace, uid }: Meta) => ({ name, namespace, uid })

function ignoreConflict(error: unknown): void {
  if (!(error instanceof ApiError) || error.status !== 409) throw error
}

const complain = (error: unknown) => console.error('storage:', error)
