/** Where objects stand in the API, and whose they are. */
import { z } from 'zod'
import { type Connector, GROUP, KIND, PLURAL, VERSION } from '../connector/schema.ts'

/** API version of connectors, as manifests and references name it. */
export const API_VERSION = `${GROUP}/${VERSION}`

/** Path of a collection in a namespace, or of one object in it. `api` is `/api/v1`, `/apis/batch/v1` … */
export function pathOf(api: string, namespace: string, plural: string, name?: string): string {
  const parts = [api, 'namespaces', encodeURIComponent(namespace), plural]
  return [...parts, ...(name === undefined ? [] : [encodeURIComponent(name)])].join('/')
}

/** Path of a connector. */
export function connectorPath({ metadata }: Connector): string {
  return pathOf(`/apis/${API_VERSION}`, metadata.namespace, PLURAL, metadata.name)
}

/** Makes the connector the controller of an object: that is deleted with it, and belongs to no one else. */
export function ownedBy({ metadata }: Connector) {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  } as const
}

const owned = z.object({
  metadata: z.object({
    ownerReferences: z
      .array(z.object({ kind: z.string(), name: z.string(), uid: z.string(), controller: z.boolean().default(false) }))
      .default([]),
  }),
})

/** The one owner that an object belongs to; undefined: nobody's, or not readable. */
export function controllerOf(raw: unknown) {
  return owned.safeParse(raw).data?.metadata.ownerReferences.find(({ controller }) => controller)
}
