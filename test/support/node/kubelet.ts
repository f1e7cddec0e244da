/** The real kubelet on a machine of its own, as one node of a cluster. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Authority } from '../certificates.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { until } from '../cluster/control-plane.ts'
import { readKubeconfig, writeKubeconfig } from '../cluster/kubeconfig.ts'
import type { Running } from '../cluster/processes.ts'
import { RUNTIME_ENDPOINT } from './containerd.ts'
import { type Machine, NETWORK } from './machine.ts'

export type KubeletOptions = {
  readonly machine: Machine
  readonly cluster: Cluster
  readonly authority: Authority
  /** Path of the program. */
  readonly program: string
}

/** Starts it and waits until pods may be put onto its node. */
export async function startKubelet({ machine, cluster, authority, program }: KubeletOptions): Promise<Running> {
  const folder = join(machine.folder, 'kubelet')
  const file = (name: string) => join(folder, name)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { server, caPem } = await readKubeconfig(cluster.kubeconfig)
  const client = await authority.issue({
    commonName: `system:node:${machine.name}`,
    organizations: ['system:nodes'],
  })
  const serving = await authority.issue({ commonName: machine.name, ipAddresses: [NETWORK.node] })
  await writeKubeconfig(file('kubeconfig'), { server, caPem, ...client })
  await writeFile(file('ca.crt'), caPem)
  await writeFile(file('serving.crt'), serving.certPem)
  await writeFile(file('serving.key'), serving.keyPem, { mode: 0o600 })
  await writeFile(file('config.json'), JSON.stringify(configuration(file, machine.cgroup)))
  // For logs and exec the API server is a client of the kubelet's.
  await cluster.kubectl(
    ...['create', 'clusterrolebinding', 'kubelet-client', '--clusterrole=system:kubelet-api-admin'],
    '--user=kube-apiserver-kubelet-client',
  )
  const kubelet = machine.start('kubelet', [
    program,
    `--config=${file('config.json')}`,
    `--kubeconfig=${file('kubeconfig')}`,
    `--hostname-override=${machine.name}`,
    `--node-ip=${NETWORK.node}`,
  ])
  await until('The node is ready', [kubelet], () => isReady(cluster, machine.name))
  return kubelet
}

type Node = { spec: { taints?: unknown[] }; status: { conditions?: { type: string; status: string }[] } }

async function isReady({ api }: Cluster, name: string): Promise<boolean> {
  const { spec, status } = await api.request<Node>('GET', `/api/v1/nodes/${name}`)
  const ready = status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true
  return ready && !spec.taints?.length
}

const configuration = (file: (name: string) => string, cgroup: string) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: NETWORK.node,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: file('ca.crt') },
  },
  authorization: { mode: 'Webhook' },
  tlsCertFile: file('serving.crt'),
  tlsPrivateKeyFile: file('serving.key'),
  containerRuntimeEndpoint: RUNTIME_ENDPOINT,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: cgroup,
  failCgroupV1: false,
  failSwapOn: false,
  oomScoreAdj: 0,
  clusterDomain: 'cluster.local',
  // Nobody answers there: pods are told addresses.
  clusterDNS: [NETWORK.host],
  resolvConf: '',
  serializeImagePulls: false,
  // However full the disk of this machine is: it is not the node's to tidy up, and no image could be pulled again.
  imageGCHighThresholdPercent: 100,
  evictionHard: {
    'memory.available': '50Mi',
    'nodefs.available': '0%',
    'nodefs.inodesFree': '0%',
    'imagefs.available': '0%',
  },
})
