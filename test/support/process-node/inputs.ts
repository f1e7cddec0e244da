/**
 * What a pod needs from the API before it can start, and sees changes of while it runs: its Secrets and ConfigMaps.
 * Each is watched by name, which is all that a node is allowed.
 */
import { type Api, follow } from '../cluster/api.ts'
import type { Container, Keyed, Pod } from './kinds.ts'

/** Why a container cannot be started yet, as a kubelet words it; what it waits for may still come. */
export class NotYet extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** The kinds of object that hold keys with values. */
export type KeyedKind = 'secrets' | 'configmaps'

/** The Secrets and ConfigMaps of one pod, as they are now. */
export type Inputs = {
  /** Resolves when all have been looked up once, whether they exist or not. */
  readonly listed: Promise<unknown>
  /** The values of an object by key, or nothing if it does not exist. */
  read(kind: KeyedKind, name: string): ReadonlyMap<string, Buffer> | undefined
}

/** Watches what the pod refers to, and says when anything about it changes. */
export function watchInputs(api: Api, pod: Pod, signal: AbortSignal, onChange: () => void): Inputs {
  const current = new Map<string, Keyed>()
  const watched = [...references(pod)].map(
    (reference) =>
      new Promise<void>((resolve) => {
        const [kind, name] = reference.split('/')
        const path = `/api/v1/namespaces/${pod.metadata.namespace}/${kind}?fieldSelector=metadata.name%3D${name}`
        follow<Keyed>(api, path, signal, {
          changed(object) {
            current.set(reference, object)
            onChange()
          },
          gone() {
            current.delete(reference)
            onChange()
          },
          listed: resolve,
        })
      }),
  )
  return {
    listed: Promise.all(watched),
    read(kind, name) {
      const object = current.get(`${kind}/${name}`)
      return object && values(object, kind)
    },
  }
}

function values({ data = {}, binaryData = {} }: Keyed, kind: KeyedKind): Map<string, Buffer> {
  const encoding = kind === 'secrets' ? 'base64' : 'utf8'
  const entries = Object.entries(data).map(([key, value]): [string, Buffer] => [key, Buffer.from(value, encoding)])
  for (const [key, value] of Object.entries(binaryData)) entries.push([key, Buffer.from(value, 'base64')])
  return new Map(entries)
}

function references({ spec }: Pod): Set<string> {
  const found = new Set<string>()
  const add = (kind: KeyedKind, name: string | undefined) => name && found.add(`${kind}/${name}`)
  for (const volume of spec.volumes ?? []) {
    add('secrets', volume.secret?.secretName)
    add('configmaps', volume.configMap?.name)
    for (const source of volume.projected?.sources ?? []) {
      add('secrets', source.secret?.name)
      add('configmaps', source.configMap?.name)
    }
  }
  for (const container of spec.containers) addEnvironment(container, add)
  return found
}

function addEnvironment({ env, envFrom }: Container, add: (kind: KeyedKind, name: string | undefined) => void): void {
  for (const { valueFrom } of env ?? []) {
    add('secrets', valueFrom?.secretKeyRef?.name)
    add('configmaps', valueFrom?.configMapKeyRef?.name)
  }
  for (const { secretRef, configMapRef } of envFrom ?? []) {
    add('secrets', secretRef?.name)
    add('configmaps', configMapRef?.name)
  }
}
