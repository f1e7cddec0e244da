/** The Node object and its Lease: what tells the scheduler that this machine takes pods, and that it is alive. */
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { type Api, ApiError } from '../cluster/api.ts'

const renewEvery = 10_000
const leaseSeconds = 40

/** Registers the node; the port is where the API server asks for logs. */
export async function registerNode(api: Api, name: string, port: number): Promise<void> {
  const now = new Date().toISOString()
  const { gitVersion } = await api.request<{ gitVersion: string }>('GET', '/version')
  const capacity = { cpu: '64', memory: '256Gi', pods: '500', 'ephemeral-storage': '100Gi' }
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  })
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': process.platform,
    'kubernetes.io/arch': process.arch === 'x64' ? 'amd64' : process.arch,
  }
  const status = {
    capacity,
    allocatable: capacity,
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    conditions: [
      condition('Ready', 'True', 'KubeletReady'),
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
    ],
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '',
      osImage: `processes on ${hostname()}`,
      containerRuntimeVersion: `process://${process.version}`,
      kubeletVersion: gitVersion,
      kubeProxyVersion: '',
      operatingSystem: process.platform,
      architecture: process.arch,
    },
  }
  const body = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, status }
  await api.request('POST', '/api/v1/nodes', { body }).catch(ignoreConflict)
}

/** Renews the node's Lease until the signal aborts. */
export async function keepLease(api: Api, name: string, signal: AbortSignal): Promise<void> {
  const collection = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  const spec = () => ({
    holderIdentity: name,
    leaseDurationSeconds: leaseSeconds,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  })
  const contentType = 'application/merge-patch+json'
  const renew = async () => {
    try {
      await api.request('PATCH', `${collection}/${name}`, { body: { spec: spec() }, contentType })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      await api.request('POST', collection, { body: { metadata: { name }, spec: spec() } })
    }
  }
  while (!signal.aborted) {
    const renewed = await renew().then(
      () => true,
      () => false,
    )
    await delay(renewed ? renewEvery : 500, undefined, { signal }).catch(() => {})
  }
}

function ignoreConflict(error: unknown): void {
  if (!(error instanceof ApiError) || error.status !== 409) throw error
}
