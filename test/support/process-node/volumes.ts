/**
 * A pod's volumes as folders. Secrets, ConfigMaps and projections are swapped in whole, through the `..data` link that
 * a kubelet uses too, so that a reader never sees half of a change.
 */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Api, ApiError } from '../cluster/api.ts'
import { podField } from './environment.ts'
import { type Inputs, type KeyedKind, NotYet } from './inputs.ts'
import type { FieldItem, Item, Pod, Projection, Volume } from './kinds.ts'

/** A file of a volume. */
export type VolumeFile = { readonly content: Buffer; readonly mode: number }

/** What filling a pod's volumes takes. */
export type VolumeContext = {
  readonly api: Api
  readonly pod: Pod
  readonly inputs: Inputs
  readonly folder: string
  /** What each folder was last filled with, so that nothing is written when nothing differs. */
  readonly written: Map<string, string>
  token(audience: string | undefined, seconds: number | undefined): Promise<string>
}

/** Where a volume's data is on this machine, and whether containers may write there. */
export type MadeVolume = { readonly path: string; readonly readOnly: boolean }

/** Makes or brings up to date one volume; throws `NotYet` while something it needs is missing. */
export async function makeVolume(volume: Volume, context: VolumeContext): Promise<MadeVolume> {
  const path = join(context.folder, 'volumes', volume.name)
  if (volume.hostPath) return { path: volume.hostPath.path, readOnly: false }
  if (volume.persistentVolumeClaim) {
    const { claimName, readOnly = false } = volume.persistentVolumeClaim
    return { path: await claimFolder(claimName, context), readOnly }
  }
  if (volume.emptyDir) {
    await mkdir(path, { recursive: true })
    await chmod(path, 0o777)
    return { path, readOnly: false }
  }
  await swapFiles(path, await volumeFiles(volume, context), context.written)
  return { path, readOnly: true }
}

async function claimFolder(name: string, { api, pod }: VolumeContext): Promise<string> {
  type Claim = { spec: { volumeName?: string } }
  type PersistentVolume = { spec: { hostPath?: { path: string } } }
  const get = <T>(path: string) =>
    api.request<T>('GET', path).catch((error: unknown) => {
      if (error instanceof ApiError) throw new NotYet('ContainerCreating', `claim ${name}: ${error.message}`)
      throw error
    })
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/persistentvolumeclaims/${name}`
  const { volumeName } = (await get<Claim>(path)).spec
  if (!volumeName) throw new NotYet('ContainerCreating', `claim ${name} is not bound`)
  const { hostPath } = (await get<PersistentVolume>(`/api/v1/persistentvolumes/${volumeName}`)).spec
  if (!hostPath) throw new NotYet('ContainerCreating', `volume ${volumeName} is not on this machine`)
  return hostPath.path
}

async function volumeFiles(volume: Volume, context: VolumeContext): Promise<Map<string, VolumeFile>> {
  const { secret, configMap, downwardAPI, projected } = volume
  if (!secret && !configMap && !downwardAPI && !projected) {
    throw new NotYet('ContainerCreating', `the kind of volume ${volume.name} is not supported here`)
  }
  const mode = (secret ?? configMap ?? downwardAPI ?? projected)?.defaultMode ?? 0o644
  const sources: readonly Projection[] = projected?.sources ?? [
    {
      ...(secret && { secret: { ...secret, name: secret.secretName } }),
      ...(configMap && { configMap }),
      ...(downwardAPI && { downwardAPI }),
    },
  ]
  const files = new Map<string, VolumeFile>()
  for (const source of sources) {
    if (source.secret) addKeys(files, 'secrets', source.secret, mode, context.inputs)
    if (source.configMap) addKeys(files, 'configmaps', source.configMap, mode, context.inputs)
    for (const item of source.downwardAPI?.items ?? []) files.set(item.path, fieldFile(context.pod, item, mode))
    if (source.serviceAccountToken) {
      const { path, audience, expirationSeconds } = source.serviceAccountToken
      files.set(path, { content: Buffer.from(await context.token(audience, expirationSeconds)), mode })
    }
  }
  return files
}

type KeySource = { readonly name: string; readonly items?: readonly Item[]; readonly optional?: boolean }

function addKeys(files: Map<string, VolumeFile>, kind: KeyedKind, source: KeySource, mode: number, inputs: Inputs) {
  const values = inputs.read(kind, source.name)
  if (!values && source.optional) return
  if (!values) throw new NotYet('ContainerCreating', `${kind} "${source.name}" not found`)
  const items: readonly Item[] = source.items ?? [...values.keys()].map((key) => ({ key, path: key }))
  for (const item of items) {
    const content = values.get(item.key)
    if (content) files.set(item.path, { content, mode: item.mode ?? mode })
    else if (!source.optional) throw new NotYet('ContainerCreating', `${kind} "${source.name}" has no key ${item.key}`)
  }
}

function fieldFile(pod: Pod, { fieldRef, mode: own, path }: FieldItem, mode: number): VolumeFile {
  if (!fieldRef) throw new NotYet('ContainerCreating', `the source of file ${path} is not supported here`)
  return { content: Buffer.from(podField(pod, fieldRef.fieldPath)), mode: own ?? mode }
}

async function swapFiles(
  folder: string,
  files: ReadonlyMap<string, VolumeFile>,
  written: Map<string, string>,
): Promise<void> {
  const fingerprint = JSON.stringify(
    [...files].map(([path, file]) => [path, file.mode, file.content.toString('base64')]),
  )
  if (written.get(folder) === fingerprint) return
  await mkdir(folder, { recursive: true })
  const before = await readlink(join(folder, '..data')).catch(() => undefined)
  const now = `..${randomUUID()}`
  for (const [path, { content, mode }] of files) {
    const file = join(folder, now, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    await chmod(file, mode)
  }
  await mkdir(join(folder, now), { recursive: true })
  await symlink(now, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  const names = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path))
  const present = (await readdir(folder)).filter((name) => !name.startsWith('..'))
  for (const name of present) if (!names.has(name)) await rm(join(folder, name))
  for (const name of names) if (!present.includes(name)) await symlink(join('..data', name), join(folder, name))
  if (before) await rm(join(folder, before), { recursive: true, force: true })
  written.set(folder, fingerprint)
}
