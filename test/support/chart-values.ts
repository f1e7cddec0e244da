/** Values for the chart, as those who render it and those who have it judged want them. */

export const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

const apart = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } }

/** Whatever is off or empty by default, as somebody may want it. */
export const everything = {
  watchNamespaces: ['security', 'sales'],
  httpsProxy: 'http://proxy.example.com:3128',
  noProxy: 'minio.storage.svc',
  caBundle: certificate,
  image: { digest: `sha256:${'0'.repeat(64)}` },
  imagePullSecrets: ['registry'],
  priorityClassName: 'high',
  metrics: {
    perConnector: false,
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    rules: { enabled: true, staleAfterSeconds: 7200, labels: { release: 'prometheus' } },
    dashboard: { enabled: true },
  },
  networkPolicy: { apiServerCIDRs: ['10.0.0.1/32'], metricsFrom: [{ namespaceSelector: {} }, { podSelector: {} }] },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'security', operator: 'Exists' }],
  affinity: { nodeAffinity: {}, podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [apart] } },
  labels: { team: 'platform' },
  annotations: { owner: 'platform' },
  podLabels: { mesh: 'no' },
  podAnnotations: { note: 'x' },
  serviceAccount: { annotations: { cloud: 'role' } },
  sync: {
    resources: { limits: { memory: '512Mi' } },
    imagePullSecrets: ['registry'],
    nodeSelector: { pool: 'batch' },
    tolerations: [{ key: 'batch', operator: 'Exists', effect: 'NoSchedule' }],
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [apart] } },
    priorityClassName: 'batch-low',
    labels: { 'sidecar.istio.io/inject': 'false' },
  },
  extraArgs: ['--leader-election-namespace=zendesk-connector-system'],
}

/** One replica, and nothing that can be left out. */
export const least = {
  replicas: 1,
  crds: { install: false },
  rbac: { aggregate: false },
  networkPolicy: { enabled: false },
}
