/** Writes the status of connectors: never anything else of them. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Connector } from '../connector/schema.ts'
import type { Status } from '../connector/status.ts'
import type { Cluster } from './cluster.ts'
import { isKubeError } from './errors.ts'
import { connectorPath } from './paths.ts'
import type { Learn } from './view.ts'

/**
 * Makes `status` the connector's status; makes no call when it is already. False: the connector is gone, or another of
 * the same name has taken its place. Throws KubeError.
 */
export async function patchStatus(
  cluster: Cluster,
  learn: Pick<Learn, 'connector'>,
  connector: Connector,
  status: Status,
): Promise<boolean> {
  // As the API server would serve it: keys that are undefined are not there.
  const after: unknown = JSON.parse(JSON.stringify(status))
  if (isDeepStrictEqual(after, connector.status)) return true
  // The operator is the only writer, so the status is put in place as a whole. A merge patch would have to know each
  // key that must go, also those of a status that could not be parsed and counts as none.
  const body = [
    // A test and no mere mention: the status subresource passes over a uid that is not the object's.
    { op: 'test', path: '/metadata/uid', value: connector.metadata.uid },
    { op: 'add', path: '/status', value: after },
  ]
  try {
    learn.connector(
      await cluster.request('PATCH', `${connectorPath(connector)}/status`, {
        body,
        contentType: 'application/json-patch+json',
      }),
    )
    return true
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return false
    // The answer to a failed test looks like that to a status which breaks the schema.
    if (isKubeError(error, 'Invalid') && !(await isThere(cluster, connector))) return false
    throw error
  }
}

const identified = z.object({ metadata: z.object({ uid: z.string() }) })

async function isThere(cluster: Cluster, connector: Connector): Promise<boolean> {
  try {
    const found = identified.safeParse(await cluster.request('GET', connectorPath(connector)))
    return found.data?.metadata.uid === connector.metadata.uid
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return false
    throw error
  }
}
