/** The default StorageClass of a node cluster: each claim gets a folder of the node, which the kubelet prepares for its pods. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Api, ApiError, follow } from '../cluster/api.ts'

type Claim = {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
  }
  readonly spec: {
    readonly volumeName?: string
    readonly accessModes: readonly string[]
    readonly resources: { readonly requests: { readonly storage: string } }
  }
}

const className = 'local'

/** Creates the class, and a volume for each claim until the signal aborts: `<folder>/<namespace>/<claim>`. */
export async function provideLocalStorage(api: Api, node: string, folder: string, signal: AbortSignal): Promise<void> {
  const body = {
    metadata: { name: className, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'Immediate',
  }
  await api.request('POST', '/apis/storage.k8s.io/v1/storageclasses', { body })
  const provide = async (claim: Claim) => {
    const path = join(folder, claim.metadata.namespace, claim.metadata.name)
    // Root's, as a fresh disk is: only the kubelet, told by fsGroup, lets others in.
    await mkdir(path, { recursive: true, mode: 0o755 })
    await api.request('POST', '/api/v1/persistentvolumes', { body: volume(claim, node, path) }).catch((error) => {
      if (!(error instanceof ApiError) || error.status !== 409) throw error
    })
  }
  follow<Claim>(api, '/api/v1/persistentvolumeclaims', signal, {
    changed: (claim) => void (claim.spec.volumeName ? undefined : provide(claim).catch(complain)),
    gone: () => {},
  })
}

const volume = ({ metadata: { name, namespace, uid }, spec }: Claim, node: string, path: string) => ({
  metadata: { name: `local-${uid}` },
  spec: {
    storageClassName: className,
    capacity: { storage: spec.resources.requests.storage },
    accessModes: spec.accessModes,
    persistentVolumeReclaimPolicy: 'Retain',
    local: { path },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }],
      },
    },
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
  },
})

const complain = (error: unknown) => console.error('storage:', error)
