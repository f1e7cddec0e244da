/**
 * etcd, API server, controller manager and scheduler as local processes on free ports of the loopback address. The
 * flags keep them quick to start and quick to react; nothing is kept when they end, so nothing is synced to disk.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Authority, CertificateRequest } from '../certificates.ts'
import { type Api, connect } from './api.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { type Running, startProcess } from './processes.ts'

/** What starting a control plane takes: the built tools, a household's folder and the authority that all trust. */
export type ControlPlaneOptions = {
  readonly tools: string
  readonly folder: string
  readonly authority: Authority
  /** Rules of the audit policy that go before the one for all: see ClusterOptions. */
  readonly auditRules?: readonly object[]
  /** Of the API server. */
  readonly featureGates?: string
  /** Where the API server listens; by default on a free port of the loopback address. */
  readonly listen?: Listen
}

/** An address of this machine. */
export type Listen = { readonly host: string; readonly port: number }

/** A control plane that answers. */
export type ControlPlane = { readonly server: string; readonly admin: Api; readonly parts: readonly Running[] }

// What Jobs, claims, service accounts, namespaces, workloads and a node's health need; the rest would only cost memory.
const controllers = [
  'clusterrole-aggregation-controller',
  'cronjob-controller',
  'deployment-controller',
  'disruption-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'job-controller',
  'namespace-controller',
  'node-lifecycle-controller',
  'persistentvolume-binder-controller',
  'persistentvolume-protection-controller',
  'persistentvolumeclaim-protection-controller',
  'pod-garbage-collector-controller',
  'replicaset-controller',
  'resourcequota-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'statefulset-controller',
  'taint-eviction-controller',
  'ttl-after-finished-controller',
]

const auditPolicy = (rules: readonly object[]) => ({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [...rules, { level: 'Metadata' }],
})

/** The environment of the cluster's own processes: nothing of the developer's kubeconfig, proxy or home is seen. */
export const bareEnvironment = (folder: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: join(folder, 'home'),
  TMPDIR: process.env.TMPDIR ?? '/tmp',
})

/** Starts a control plane and waits until it serves and its controllers work. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { tools, folder, authority, auditRules = [] } = options
  const [etcdPort, peerPort, freePort = 0] = await freePorts(3)
  const { host, port } = options.listen ?? { host: '127.0.0.1', port: freePort }
  const server = `https://${host}:${port}`
  const file = (name: string) => join(folder, name)
  await Promise.all(['certificates', 'kubeconfigs', 'home'].map((name) => mkdir(file(name), { recursive: true })))
  await writeCertificates(folder, authority, server)
  await writeFile(file('audit-policy.json'), JSON.stringify(auditPolicy(auditRules)))
  const etcdUrl = `https://127.0.0.1:${etcdPort}`
  const certificate = (name: string) => ({
    cert: file(`certificates/${name}.crt`),
    key: file(`certificates/${name}.key`),
  })
  const ca = file('certificates/ca.crt')
  const start = (name: string, flags: Record<string, string>) =>
    startProcess(
      folder,
      name,
      [join(tools, name), ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)],
      bareEnvironment(folder),
    )

  const etcd = start('etcd', {
    'data-dir': file('etcd'),
    'listen-client-urls': etcdUrl,
    'advertise-client-urls': etcdUrl,
    'listen-peer-urls': `http://127.0.0.1:${peerPort}`,
    'initial-advertise-peer-urls': `http://127.0.0.1:${peerPort}`,
    'initial-cluster': `default=http://127.0.0.1:${peerPort}`,
    'cert-file': certificate('etcd').cert,
    'key-file': certificate('etcd').key,
    'client-cert-auth': 'true',
    'trusted-ca-file': ca,
    'unsafe-no-fsync': 'true',
    'log-level': 'warn',
  })
  const apiServer = start('kube-apiserver', {
    'etcd-servers': etcdUrl,
    'etcd-cafile': ca,
    'etcd-certfile': certificate('etcd').cert,
    'etcd-keyfile': certificate('etcd').key,
    'bind-address': host,
    'advertise-address': '127.0.0.1',
    'secure-port': String(port),
    'tls-cert-file': certificate('apiserver').cert,
    'tls-private-key-file': certificate('apiserver').key,
    'client-ca-file': ca,
    'kubelet-certificate-authority': ca,
    'kubelet-client-certificate': certificate('kubelet-client').cert,
    'kubelet-client-key': certificate('kubelet-client').key,
    'kubelet-preferred-address-types': 'InternalIP,Hostname',
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction,OwnerReferencesPermissionEnforcement',
    'endpoint-reconciler-type': 'none',
    'service-cluster-ip-range': '10.96.0.0/16',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': file('certificates/service-accounts.pub'),
    'service-account-signing-key-file': file('certificates/service-accounts.key'),
    'audit-policy-file': file('audit-policy.json'),
    'audit-log-path': file('audit.log'),
    ...(options.featureGates !== undefined && { 'feature-gates': options.featureGates }),
  })
  const admin = await connect(file('kubeconfigs/admin'))
  await until('The API server is ready', [etcd, apiServer], async () => {
    await admin.request('GET', '/readyz')
    return true
  })
  const controllerManager = start('kube-controller-manager', {
    kubeconfig: file('kubeconfigs/controller-manager'),
    controllers: controllers.join(','),
    'use-service-account-credentials': 'true',
    'service-account-private-key-file': file('certificates/service-accounts.key'),
    'root-ca-file': ca,
    'leader-elect': 'false',
    'secure-port': '0',
    'kube-api-qps': '2000',
    'kube-api-burst': '4000',
  })
  const scheduler = start('kube-scheduler', {
    kubeconfig: file('kubeconfigs/scheduler'),
    'leader-elect': 'false',
    'secure-port': '0',
    'kube-api-qps': '2000',
    'kube-api-burst': '4000',
  })
  const parts = [etcd, apiServer, controllerManager, scheduler]
  await until('The controllers work', parts, async () => {
    await admin.request('GET', '/api/v1/namespaces/default/serviceaccounts/default')
    await admin.request('GET', '/api/v1/namespaces/default/configmaps/kube-root-ca.crt')
    return true
  })
  return { server, admin, parts }
}

async function writeCertificates(folder: string, authority: Authority, server: string): Promise<void> {
  const write = (name: string, text: string) =>
    writeFile(join(folder, 'certificates', name), text, { mode: name.endsWith('.key') ? 0o600 : 0o644 })
  const here = { dnsNames: ['localhost', 'kubernetes.default.svc'], ipAddresses: ['127.0.0.1', '10.96.0.1'] }
  const issue = async (name: string, request: CertificateRequest) => {
    const { certPem, keyPem } = await authority.issue(request)
    await Promise.all([write(`${name}.crt`, certPem), write(`${name}.key`, keyPem)])
  }
  const kubeconfig = async (name: string, request: CertificateRequest) => {
    const access = { server, caPem: authority.certPem, ...(await authority.issue(request)) }
    await writeKubeconfig(join(folder, 'kubeconfigs', name), access)
  }
  const tokens = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await Promise.all([
    write('ca.crt', authority.certPem),
    write('service-accounts.key', tokens.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    write('service-accounts.pub', tokens.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    issue('etcd', { commonName: 'etcd', ...here }),
    issue('apiserver', { commonName: 'kube-apiserver', ...here }),
    issue('kubelet-client', { commonName: 'kube-apiserver-kubelet-client' }),
    kubeconfig('admin', { commonName: 'admin', organizations: ['system:masters'] }),
    kubeconfig('controller-manager', { commonName: 'system:kube-controller-manager' }),
    kubeconfig('scheduler', { commonName: 'system:kube-scheduler' }),
  ])
}

/** Polls until the condition holds; says which part ended, and with which last words, when one did. */
export async function until(what: string, parts: readonly Running[], holds: () => Promise<boolean>): Promise<void> {
  const giveUp = Date.now() + 90_000
  let last: unknown
  const noted = (error: unknown) => {
    last = error
    return false
  }
  while (!(await holds().catch(noted))) {
    const ended = parts.find((part) => !part.isRunning())
    if (ended) throw new Error(`${ended.name} ended while the cluster was started:\n${ended.lastLines()}`)
    if (Date.now() > giveUp) throw new Error(`"${what}" was not so after 90 s`, { cause: last })
    await delay(25)
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.on('error', reject).listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address ? address.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
