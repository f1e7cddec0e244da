/** Fields that no schema knows: kubectl refuses them, where the operator lets them pass, as they may be a newer one's. */
import { z } from 'zod'
import { spec } from './connector/schema.ts'
import type { FieldPath } from './documents.ts'

/** As much of a JSON Schema as is looked at. */
type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema }

/** Of metadata: what Kubernetes knows. */
const METADATA = [
  'name',
  'generateName',
  'namespace',
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
]

const anything: Schema = {}

let made: Schema | undefined
/** Of a connector's manifest; made when it is first asked for. */
function ofConnector(): Schema {
  made ??= {
    properties: {
      apiVersion: anything,
      kind: anything,
      metadata: { properties: Object.fromEntries(METADATA.map((name) => [name, anything])) },
      spec: z.toJSONSchema(spec, { io: 'input' }) as Schema,
      // The API server passes over it.
      status: anything,
    },
  }
  return made
}

/** Paths of the fields of a connector's manifest that do not exist. */
export function unknownFields(manifest: unknown): readonly FieldPath[] {
  return unknownIn(manifest, ofConnector(), [])
}

function unknownIn(value: unknown, { properties, items }: Schema, path: FieldPath): FieldPath[] {
  if (Array.isArray(value)) {
    return items === undefined ? [] : value.flatMap((one, index) => unknownIn(one, items, [...path, index]))
  }
  if (typeof value !== 'object' || value === null || properties === undefined) return []
  return Object.entries(value).flatMap(([name, one]) => {
    const inside = [...path, name]
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined
    return known === undefined ? [inside] : unknownIn(one, known, inside)
  })
}
