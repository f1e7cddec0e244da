/** The objects that a run needs, as manifests. Pure: equal inputs give equal manifests. */
import { EXIT, type RunOrders } from '../connector/run.ts'
import { SLICE_GRACE_SECONDS } from '../connector/schedule.ts'
import {
  type Connector,
  RESYNC_REQUESTED_AT,
  runRequests,
  SYNC_REQUESTED_AT,
  sinkSecretName,
  subdomain,
} from '../connector/schema.ts'
import {
  ACCOUNT_LABEL,
  CHECKPOINT,
  COMPONENT,
  CONNECTOR_LABEL,
  connectorLabel,
  egressName,
  GENERATION,
  MANAGED_BY,
  PROGRAM,
  SINK_SECRET,
  SLOT_LABEL,
  SYNC_CONTAINER,
  syncIdentityName,
} from './names.ts'
import { ownedBy } from './paths.ts'
import { fromTemplate, PLAIN_POD, type PodTemplate } from './pod-template.ts'

/** What all runs of an installation have in common. */
export type RunSettings = {
  readonly image: string
  readonly logLevel: string
  /** PEM; trusted beside the public authorities. */
  readonly caBundle?: string
  /** Without a password: it can be read in each Job. */
  readonly httpsProxy?: string
  readonly noProxy?: string
  /** What the pods of runs have beside what a run needs. */
  readonly pod?: PodTemplate
}

const BASE = '/var/run/zendesk-connector'
const CREDENTIALS_DIR = `${BASE}/credentials`
const SINK_DIR = `${BASE}/sink`
const SINK_SECRET_DIR = `${BASE}/sink-secret`
const CA_DIR = `${BASE}/ca`
const CA_KEY = 'ca.crt'
/** The user and group of the image. */
const USER = 65532

function metadata(connector: Connector, name: string, labels: Readonly<Record<string, string>> = {}) {
  return {
    name,
    namespace: connector.metadata.namespace,
    labels: {
      'app.kubernetes.io/name': PROGRAM,
      [MANAGED_BY]: PROGRAM,
      [CONNECTOR_LABEL]: connectorLabel(connector.metadata.name),
      ...labels,
    },
    ownerReferences: [ownedBy(connector)],
  }
}

/** The identity of the connector's runs, and its one right: its own checkpoint. */
export function identityManifests(connector: Connector, checkpoint: string) {
  const name = syncIdentityName(connector.metadata.name)
  const rbac = 'rbac.authorization.k8s.io'
  return {
    serviceAccount: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: metadata(connector, name),
      automountServiceAccountToken: false,
    },
    role: {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: metadata(connector, name),
      rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [checkpoint], verbs: ['get', 'update'] }],
    },
    roleBinding: {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: metadata(connector, name),
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: connector.metadata.namespace }],
    },
  }
}

/** The checkpoint before the first run: empty. */
export function checkpointManifest(connector: Connector, checkpoint: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(connector, checkpoint, { [COMPONENT]: CHECKPOINT }) }
}

/** The CA bundle that runs trust. */
export function egressManifest(connector: Connector, caBundle: string) {
  const name = egressName(connector.metadata.name)
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(connector, name), data: { [CA_KEY]: caBundle } }
}

/** The Job of one run. */
export function jobManifest(connector: Connector, orders: RunOrders, settings: RunSettings) {
  const slot = String(orders.slot)
  const labels = { [ACCOUNT_LABEL]: subdomain(orders.endpoint), [SLOT_LABEL]: slot }
  const described = metadata(connector, orders.run, labels)
  const { sync, resync } = runRequests(connector)
  const given = fromTemplate(settings.pod ?? PLAIN_POD)
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...described,
      annotations: {
        [GENERATION]: String(connector.metadata.generation),
        ...(sync !== undefined && { [SYNC_REQUESTED_AT]: sync }),
        ...(resync !== undefined && { [RESYNC_REQUESTED_AT]: resync }),
        ...(orders.sinkSecret !== undefined && { [SINK_SECRET]: orders.sinkSecret }),
      },
    },
    spec: {
      completions: 1,
      backoffLimit: 3,
      podReplacementPolicy: 'Failed',
      activeDeadlineSeconds: orders.sliceSeconds + SLICE_GRACE_SECONDS,
      podFailurePolicy: {
        rules: [
          // First: a pod that is drained may end in any way.
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          {
            action: 'FailJob',
            onExitCodes: {
              containerName: SYNC_CONTAINER,
              operator: 'In',
              values: [EXIT.usage, EXIT.software, EXIT.sink, EXIT.permission, EXIT.fenced],
            },
          },
        ],
      },
      // What is ours comes last.
      template: {
        metadata: { ...given.metadata, labels: { ...given.labels, ...described.labels } },
        spec: { ...given.spec, ...podSpec(connector, orders, settings, given.container) },
      },
    },
  }
}

function podSpec(
  connector: Connector,
  orders: RunOrders,
  settings: RunSettings,
  given: ReturnType<typeof fromTemplate>['container'],
) {
  const mounts = volumesOf(connector, orders, settings)
  return {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 30,
    serviceAccountName: syncIdentityName(connector.metadata.name),
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumes: mounts.map(({ volume }) => volume),
    containers: [
      {
        name: SYNC_CONTAINER,
        image: settings.image,
        imagePullPolicy: given.imagePullPolicy,
        args: ['sync'],
        env: environment(orders, settings),
        resources: given.resources,
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        terminationMessagePolicy: 'File',
        volumeMounts: mounts.map(({ volume, mountPath, readOnly }) => ({ name: volume.name, mountPath, readOnly })),
      },
    ],
  }
}

// Whole Secrets and ConfigMaps, not single keys: a key that is missing is for the run to report, not for the kubelet.
function volumesOf(connector: Connector, { sink }: RunOrders, { caBundle }: RunSettings) {
  const secret = { secretName: connector.spec.secretRef.name, defaultMode: 0o440 }
  const claim = sink.kind === 'file' ? { persistentVolumeClaim: { claimName: sink.claimName } } : undefined
  const sinkSecret = sinkSecretName(connector.spec.sync.sink)
  // One that is missing is for the run to report, too: the kubelet would wait for it without a word.
  const ofSink = { secretName: sinkSecret, defaultMode: 0o440, optional: true }
  const ca = caBundle === undefined ? undefined : { configMap: { name: egressName(connector.metadata.name) } }
  return [
    { volume: { name: 'credentials', secret }, mountPath: CREDENTIALS_DIR, readOnly: true },
    ...(claim ? [{ volume: { name: 'sink', ...claim }, mountPath: SINK_DIR, readOnly: false }] : []),
    ...(sinkSecret
      ? [{ volume: { name: 'sink-secret', secret: ofSink }, mountPath: SINK_SECRET_DIR, readOnly: true }]
      : []),
    ...(ca ? [{ volume: { name: 'ca', ...ca }, mountPath: CA_DIR, readOnly: true }] : []),
  ]
}

function environment(orders: RunOrders, { logLevel, httpsProxy, noProxy, caBundle }: RunSettings) {
  const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } })
  const values = {
    RUN_ORDERS: JSON.stringify(orders),
    CREDENTIALS_DIR,
    SINK_DIR: orders.sink.kind === 'file' ? SINK_DIR : undefined,
    SINK_SECRET_DIR: 'secret' in orders.sink && orders.sink.secret ? SINK_SECRET_DIR : undefined,
    LOG_LEVEL: logLevel,
    HTTPS_PROXY: httpsProxy,
    NO_PROXY: noProxy,
    NODE_EXTRA_CA_CERTS: caBundle === undefined ? undefined : `${CA_DIR}/${CA_KEY}`,
  }
  return [
    { name: 'POD_UID', ...field('metadata.uid') },
    ...Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [{ name, value: literal(value) }],
    ),
  ]
}

// In a variable's value $(NAME) stands for another variable; a displayName may hold one by chance.
function literal(value: string): string {
  return value.replaceAll('$', '$$$$')
}
