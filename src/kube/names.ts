/** Names and labels of what is made for a connector. Equal inputs give equal names, whoever asks. */
import { createHash } from 'node:crypto'
import { GROUP } from '../connector/schema.ts'

/** Value of `app.kubernetes.io/managed-by`, `app.kubernetes.io/name`, the field manager and the reporting component. */
export const PROGRAM = 'zendesk-connector'
export const MANAGED_BY = 'app.kubernetes.io/managed-by'
/** Which part of a connector's belongings an object is … */
export const COMPONENT = 'app.kubernetes.io/component'
/** … the one that is watched. */
export const CHECKPOINT = 'checkpoint'
/** Name of the connector, cut where it is longer than a label may be. */
export const CONNECTOR_LABEL = `${GROUP}/connector`
/** Subdomain of the Zendesk account: pods of one account are found by it across namespaces. */
export const ACCOUNT_LABEL = `${GROUP}/account`
/** Number of the run. */
export const SLOT_LABEL = `${GROUP}/slot`
/** metadata.generation of the connector that the run's orders were made from. */
export const GENERATION = `${GROUP}/generation`
/** Annotation of a Job: version of the sink's Secret that its run was started with. */
export const SINK_SECRET = `${GROUP}/sink-secret`
/** Name of the container in which a run happens. */
export const SYNC_CONTAINER = 'sync'

/** Name of the Job of one slot: a DNS label of at most 63 characters, another one for a connector created anew. */
export function jobName(connectorName: string, uid: string, slot: number): string {
  // A Job's name becomes a label value and the start of its pods' host names, where dots are not wanted.
  const start = connectorName.replaceAll('.', '-').slice(0, 52).replace(/-+$/, '')
  return `${start}-${hash(`${uid}/${slot}`)}`
}

/** Name of the ConfigMap that holds the checkpoint. */
export const checkpointName = (connectorName: string): string => ownedName(connectorName, 'zendesk-checkpoint')
/** Name of the ServiceAccount, Role and RoleBinding of the connector's runs. */
export const syncIdentityName = (connectorName: string): string => ownedName(connectorName, 'zendesk-sync')
/** Name of the ConfigMap with the CA bundle that runs trust. */
export const egressName = (connectorName: string): string => ownedName(connectorName, 'zendesk-egress')

/** Name of the Event that tells of one reason. */
export const eventName = (connectorName: string, uid: string, reason: string): string =>
  `${connectorName.slice(0, 240).replace(/[-.]+$/, '')}.${hash(`${uid}/${reason}`)}`

/** The connector's name as a label value. */
export const connectorLabel = (connectorName: string): string => cut(connectorName, 63)

function ownedName(connectorName: string, suffix: string): string {
  return `${cut(connectorName, 253 - suffix.length - 1)}-${suffix}`
}

function cut(name: string, longest: number): string {
  if (name.length <= longest) return name
  return `${name.slice(0, longest - 11).replace(/[-.]+$/, '')}-${hash(name)}`
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10)
}
