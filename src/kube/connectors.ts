/** Connectors as the API server has them: their status is written, and never anything else of them. */
import { isDeepStrictEqual } from 'node:util'
import { type Connector, connector as schema } from '../connector/schema.ts'
import type { Status } from '../connector/status.ts'
import type { Cluster } from './cluster.ts'
import { isKubeError, KubeError } from './errors.ts'
import { connectorPath } from './paths.ts'
import type { Learn } from './view.ts'

/**
 * Makes `status` the connector's status, and resolves with the connector as it is then: what is written next must be
 * written to that. undefined: it is gone, or another of the same name has taken its place. Makes no call when nothing
 * differs, one otherwise.
 *
 * It is written over the version that was read. Where only others' part of the object has changed since (a spec, a label),
 * it is read once more and written over that. Throws KubeError: Conflict when somebody else wrote the status meanwhile,
 * or the object changes too fast: look again.
 */
export async function patchStatus(
  cluster: Cluster,
  learn: Pick<Learn, 'connector'>,
  connector: Connector,
  status: Status,
): Promise<Connector | undefined> {
  if (isDeepStrictEqual(asServed(status), asServed(connector.status))) return connector
  const write = async (version: string) => {
    const answer = await put(cluster, connector, status, version)
    learn.connector(answer)
    return parse(answer)
  }
  try {
    return await write(connector.metadata.resourceVersion)
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined
    // Invalid is the answer to a uid that is not the object's, and to a status that breaks the schema.
    if (!isKubeError(error, 'Conflict', 'Invalid')) throw error
    const now = await read(cluster, learn, connector)
    if (now?.metadata.uid !== connector.metadata.uid) return undefined
    if (error.reason === 'Invalid' || !isDeepStrictEqual(asServed(now.status), asServed(connector.status))) throw error
    return await write(now.metadata.resourceVersion)
  }
}

/**
 * Makes sure that the connector still is what it was when it was looked at: one call. To be asked right before a step that
 * no precondition guards. Throws KubeError: Conflict when it has changed, or is gone.
 */
export async function demandUnchanged(
  cluster: Cluster,
  learn: Pick<Learn, 'connector'>,
  connector: Connector,
): Promise<void> {
  const now = await read(cluster, learn, connector)
  // A version is one object's alone: another of the same name has another one.
  if (now?.metadata.resourceVersion === connector.metadata.resourceVersion) return
  throw new KubeError('Conflict', 'the connector has changed since it was read')
}

async function put(cluster: Cluster, connector: Connector, status: Status, version: string): Promise<unknown> {
  // The operator is the only writer, so the status is put in place as a whole. A merge patch would have to know each
  // key that must go, also those of a status that could not be parsed and counts as none.
  const body = [
    // A test and no mere mention: the status subresource passes over a uid that is not the object's.
    { op: 'test', path: '/metadata/uid', value: connector.metadata.uid },
    // No test: the answer to this one says Conflict.
    { op: 'replace', path: '/metadata/resourceVersion', value: version },
    { op: 'add', path: '/status', value: asServed(status) },
  ]
  const path = `${connectorPath(connector)}/status`
  return cluster.request('PATCH', path, { body, contentType: 'application/json-patch+json' })
}

/** undefined: not there. */
async function read(
  cluster: Cluster,
  learn: Pick<Learn, 'connector'>,
  connector: Connector,
): Promise<Connector | undefined> {
  try {
    const found = await cluster.request('GET', connectorPath(connector))
    learn.connector(found)
    return parse(found)
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined
    throw error
  }
}

function parse(answer: unknown): Connector {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new KubeError('Malformed', 'the API server returned something that is not a connector')
}

/** As the API server would serve it: keys that are undefined are not there. */
function asServed(status: Status | undefined): unknown {
  return status && JSON.parse(JSON.stringify(status))
}
