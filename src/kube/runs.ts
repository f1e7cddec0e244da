/**
 * Starts and ends runs: a run is a Job, and whatever else it needs is made, or mended, right before it. Each write stands
 * on something that is true only once: a name that is free, or the version that was read just now. So a leader that was
 * frozen, and does not know yet that it leads no more, can break nothing of the next one's.
 */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { RunOrders } from '../connector/run.ts'
import { type Connector, KIND } from '../connector/schema.ts'
import type { Cluster } from './cluster.ts'
import { isKubeError, KubeError } from './errors.ts'
import { PROGRAM } from './names.ts'
import { controllerOf, pathOf } from './paths.ts'
import {
  checkpointManifest,
  egressManifest,
  identityManifests,
  jobManifest,
  type RunSettings,
} from './run-manifests.ts'
import type { Learn, View } from './view.ts'

type Manifest = { readonly metadata: { readonly name: string; readonly namespace: string } }

/** A kind of object that a run needs; `mend`: whether what was changed by hand is put right. */
type Kind = { readonly api: string; readonly plural: string; readonly mend: boolean }

const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const KINDS = {
  serviceAccount: { api: '/api/v1', plural: 'serviceaccounts', mend: true },
  role: { api: RBAC, plural: 'roles', mend: true },
  roleBinding: { api: RBAC, plural: 'rolebindings', mend: true },
  egress: { api: '/api/v1', plural: 'configmaps', mend: true },
  // What stands in it is the run's.
  checkpoint: { api: '/api/v1', plural: 'configmaps', mend: false },
  job: { api: '/apis/batch/v1', plural: 'jobs', mend: false },
} satisfies Record<string, Kind>

/**
 * Starts the run `orders.run`; when it was started before, finds it. Returns when its Job was created. It takes a call for
 * each object that is there and in order, and one for the Job (5, with a CA bundle 6); the first run of a connector takes
 * two for each (9 or 11). Throws KubeError: AlreadyExists when a name is taken by something that is not this connector's,
 * Conflict when it is taken by what a deleted connector of the same name left, or another was quicker: try again.
 */
export async function startRun(
  cluster: Cluster,
  learn: Pick<Learn, 'job'>,
  connector: Connector,
  orders: RunOrders,
  settings: RunSettings,
): Promise<{ readonly creationTime: Date }> {
  const { serviceAccount, role, roleBinding } = identityManifests(connector, orders.checkpoint)
  const have = (kind: Kind, manifest: Manifest) => provide(cluster, kind, manifest, connector)
  await Promise.all([
    have(KINDS.serviceAccount, serviceAccount),
    // In this order: the right to bind a Role is judged by what the Role allows.
    have(KINDS.role, role).then(() => have(KINDS.roleBinding, roleBinding)),
    have(KINDS.checkpoint, checkpointManifest(connector, orders.checkpoint)),
    settings.caBundle === undefined ? undefined : have(KINDS.egress, egressManifest(connector, settings.caBundle)),
  ])
  const job = await createJob(cluster, jobManifest(connector, orders, settings), connector)
  learn.job(job)
  const parsed = created.safeParse(job)
  if (!parsed.success) throw new KubeError('Malformed', 'the API server returned something that is not a Job')
  return { creationTime: new Date(parsed.data.metadata.creationTimestamp) }
}

const created = z.object({ metadata: z.object({ creationTimestamp: z.iso.datetime() }) })

/**
 * Stops a run, or removes one that has ended: its Job is gone when its pods are. One call; none for a run that is not
 * known, or is being deleted already: both are a success. It is deleted in the version that is known from the view, and
 * no other. Throws KubeError: Conflict when it has changed since: look again.
 */
export async function deleteRun(
  cluster: Cluster,
  view: Pick<View, 'learn' | 'jobVersion'>,
  namespace: string,
  run: string,
): Promise<void> {
  const preconditions = view.jobVersion(namespace, run)
  if (preconditions === undefined) return
  try {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground', preconditions }
    view.learn.job(await cluster.request('DELETE', pathOf('/apis/batch/v1', namespace, 'jobs', run), { body }))
  } catch (error) {
    if (!isKubeError(error, 'NotFound')) throw error
    view.learn.noJob(namespace, run)
  }
}

async function createJob(cluster: Cluster, manifest: Manifest, connector: Connector): Promise<unknown> {
  try {
    return await create(cluster, KINDS.job, manifest)
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
    const found = await get(cluster, KINDS.job, manifest)
    if (found === undefined) throw new KubeError('Conflict', 'the Job existed and was deleted again')
    demandOwn(KINDS.job, manifest, found, connector)
    return found
  }
}

/** Makes what is not there, and mends what is not as it should be: in the version that was read, or not at all. */
async function provide(cluster: Cluster, kind: Kind, manifest: Manifest, connector: Connector): Promise<void> {
  const found = await get(cluster, kind, manifest)
  if (found === undefined) {
    await create(cluster, kind, manifest).catch((error: unknown) => {
      if (!isKubeError(error, 'AlreadyExists')) throw error
      throw new KubeError('Conflict', `${kind.plural} "${manifest.metadata.name}" was just created by another process`)
    })
    return
  }
  demandOwn(kind, manifest, found, connector)
  if (!kind.mend || holds(found, manifest)) return
  const body = { ...manifest, metadata: { ...manifest.metadata, ...versionOf(found) } }
  await cluster.request('PATCH', pathTo(kind, manifest), {
    query: { fieldManager: PROGRAM, force: true },
    body,
    contentType: 'application/apply-patch+yaml',
  })
}

const versioned = z.object({ metadata: z.object({ uid: z.string(), resourceVersion: z.string() }) })

function versionOf(found: unknown) {
  const parsed = versioned.safeParse(found)
  if (parsed.success) return parsed.data.metadata
  throw new KubeError('Malformed', 'the API server returned something that is not an object')
}

function demandOwn({ plural }: Kind, { metadata }: Manifest, found: unknown, connector: Connector): void {
  const owner = controllerOf(found)
  if (owner?.uid === connector.metadata.uid) return
  // The garbage collector is on its way. Whoever is wrong about which connector lives must not delete it.
  if (owner?.kind === KIND && owner.name === connector.metadata.name) {
    throw new KubeError('Conflict', `${plural} "${metadata.name}" still belongs to a deleted connector of this name`)
  }
  throw new KubeError('AlreadyExists', `${plural} "${metadata.name}" exists and does not belong to this connector`, 409)
}

/** Whether everything that is wanted stands in what was found; lists must be as long. */
function holds(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(found) && found.length === wanted.length && wanted.every((one, at) => holds(found[at], one))
  }
  if (typeof wanted !== 'object' || wanted === null) return isDeepStrictEqual(found, wanted)
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(wanted).every(([key, value]) => holds(Reflect.get(found, key), value))
}

function create(cluster: Cluster, kind: Kind, manifest: Manifest): Promise<unknown> {
  const { namespace } = manifest.metadata
  const call = { body: manifest, query: { fieldManager: PROGRAM } }
  return cluster.request('POST', pathOf(kind.api, namespace, kind.plural), call)
}

/** undefined: not there. */
async function get(cluster: Cluster, kind: Kind, manifest: Manifest): Promise<unknown> {
  try {
    return await cluster.request('GET', pathTo(kind, manifest))
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined
    throw error
  }
}

function pathTo({ api, plural }: Kind, { metadata: { namespace, name } }: Manifest): string {
  return pathOf(api, namespace, plural, name)
}
