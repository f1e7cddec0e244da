/** Starts and ends runs: a run is a Job, and whatever else it needs is made, or mended, right before it. */
import { z } from 'zod'
import type { RunOrders } from '../connector/run.ts'
import type { Connector } from '../connector/schema.ts'
import type { Cluster } from './cluster.ts'
import { isKubeError, KubeError } from './errors.ts'
import { PROGRAM } from './names.ts'
import { isControlledBy, pathOf } from './paths.ts'
import {
  checkpointManifest,
  egressManifest,
  identityManifests,
  jobManifest,
  type RunSettings,
} from './run-manifests.ts'
import type { Learn } from './view.ts'

type Manifest = { readonly metadata: { readonly name: string; readonly namespace: string } }

const created = z.object({ metadata: z.object({ creationTimestamp: z.iso.datetime() }) })

/**
 * Starts the run `orders.run`; when it was started before, finds it. Returns when its Job was created. Throws KubeError,
 * AlreadyExists when the name of the Job or the checkpoint is taken by something that this connector does not control.
 */
export async function startRun(
  cluster: Cluster,
  learn: Pick<Learn, 'job'>,
  connector: Connector,
  orders: RunOrders,
  settings: RunSettings,
): Promise<{ readonly creationTime: Date }> {
  const { serviceAccount, role, roleBinding } = identityManifests(connector, orders.checkpoint)
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  await Promise.all([
    apply(cluster, '/api/v1', 'serviceaccounts', serviceAccount),
    // In this order: the right to bind a Role is judged by what the Role allows.
    apply(cluster, rbac, 'roles', role).then(() => apply(cluster, rbac, 'rolebindings', roleBinding)),
    createOnce(cluster, '/api/v1', 'configmaps', checkpointManifest(connector, orders.checkpoint), connector),
    settings.caBundle === undefined
      ? undefined
      : apply(cluster, '/api/v1', 'configmaps', egressManifest(connector, settings.caBundle)),
  ])
  const manifest = jobManifest(connector, orders, settings)
  const job = await createOnce(cluster, '/apis/batch/v1', 'jobs', manifest, connector)
  learn.job(job)
  const parsed = created.safeParse(job)
  if (!parsed.success) throw new KubeError('Malformed', 'the API server answered with something that is no Job')
  return { creationTime: new Date(parsed.data.metadata.creationTimestamp) }
}

/**
 * Stops a run, or removes one that has ended: its Job is gone when its pods are. One that is gone already is a success.
 * Throws KubeError.
 */
export async function deleteRun(
  cluster: Cluster,
  learn: Pick<Learn, 'job' | 'noJob'>,
  namespace: string,
  run: string,
): Promise<void> {
  try {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground' }
    learn.job(await cluster.request('DELETE', pathOf('/apis/batch/v1', namespace, 'jobs', run), { body }))
  } catch (error) {
    if (!isKubeError(error, 'NotFound')) throw error
    learn.noJob(namespace, run)
  }
}

async function apply(cluster: Cluster, api: string, plural: string, body: Manifest): Promise<void> {
  const { namespace, name } = body.metadata
  // What was changed by hand is put right: these objects are the operator's.
  const query = { fieldManager: PROGRAM, force: true }
  const contentType = 'application/apply-patch+yaml'
  await cluster.request('PATCH', pathOf(api, namespace, plural, name), { query, body, contentType })
}

async function createOnce(cluster: Cluster, api: string, plural: string, body: Manifest, connector: Connector) {
  const { namespace, name } = body.metadata
  try {
    return await cluster.request('POST', pathOf(api, namespace, plural), { body, query: { fieldManager: PROGRAM } })
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
    const found = await cluster.request('GET', pathOf(api, namespace, plural, name))
    if (isControlledBy(found, connector)) return found
    throw new KubeError('AlreadyExists', `${plural} "${name}" is there and does not belong to this connector`, 409)
  }
}
