/** YAML as a platform team would write it, for tests. */
import { stringify } from 'yaml'

export type ManifestOptions = {
  readonly name?: string
  readonly namespace?: string
  readonly endpoint?: string
  /** Name of the Secret. */
  readonly secret?: string
  readonly annotations?: Readonly<Record<string, string>>
  /** Merged over the spec. */
  readonly spec?: object
}

/** A connector with the stdout sink unless `spec.sync` says otherwise. */
export function connectorYaml(options: ManifestOptions = {}): string {
  const { name = 'acme', namespace = 'security' } = options
  return stringify({
    apiVersion: 'cloudapps.security/v1alpha1',
    kind: 'ZendeskConnector',
    metadata: { name, namespace, ...(options.annotations && { annotations: options.annotations }) },
    spec: {
      endpoint: options.endpoint ?? `${name}.zendesk.com`,
      secretRef: { name: options.secret ?? `${name}-zendesk` },
      sync: { sink: { stdout: {} } },
      ...options.spec,
    },
  })
}

/** A Secret; the default is what the simulator's account of that name accepts. */
export function secretYaml(
  account: string,
  data: Readonly<Record<string, string>> = { clientId: 'zendesk-connector', clientSecret: `${account}-secret` },
  namespace = 'security',
): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${account}-zendesk`, namespace },
    stringData: data,
  })
}

export function claimYaml(name: string, namespace = 'security'): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
}

/** Several documents as one text. */
export function documents(...texts: readonly string[]): string {
  return texts.join('---\n')
}
