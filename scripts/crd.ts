/** The CustomResourceDefinition as a value, made from the zod schema: nothing of it is written by hand twice. */
import { z } from 'zod'
import { GROUP, KIND, PLURAL, spec, VERSION } from '../src/connector/schema.ts'
import { status } from '../src/connector/status.ts'

type Schema = { [key: string]: unknown }

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Keywords that say nothing in a structural schema, or that the API server refuses. */
const refused = new Set(['$schema', 'additionalProperties', 'definitions', 'pattern', 'id', '$id'])

/** zod states the bounds of a safe integer; the API server knows them from the format. */
const isSafeBound = (key: string, value: unknown) =>
  (key === 'minimum' || key === 'maximum') && Math.abs(value as number) === Number.MAX_SAFE_INTEGER

/** JSON Schema as zod writes it → structural schema as apiextensions.k8s.io/v1 wants it. */
function structural(schema: Schema): Schema {
  const result: Schema = {}
  for (const [key, value] of Object.entries(schema)) {
    if (refused.has(key) || isSafeBound(key, value)) continue
    if (key === 'properties' && isSchema(value)) {
      // The API server drops an empty one: kept here, whoever applies the CRD after another would be told of a conflict.
      if (Object.keys(value).length === 0) continue
      result[key] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, structural(one as Schema)]))
    } else if (key === 'items' && isSchema(value)) {
      result[key] = structural(value)
    } else {
      result[key] = value
    }
  }
  if (result.type === 'integer') result.format = 'int64'
  return result
}

function ofZod(schema: z.ZodType): Schema {
  return structural(
    z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', cycles: 'throw', unrepresentable: 'throw' }) as Schema,
  )
}

const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`

const columns = [
  { name: 'Status', type: 'string', jsonPath: '.status.connection', description: 'State of the connection.' },
  { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status'), description: 'Connected and syncing.' },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: condition('Ready', 'reason'),
    description: 'Reason of the condition Ready.',
  },
  {
    name: 'Last-Test',
    type: 'date',
    jsonPath: '.status.connectionTest.lastTime',
    description: 'Last connection test.',
  },
  {
    name: 'Last-Sync',
    type: 'date',
    jsonPath: '.status.sync.lastSuccessTime',
    description: 'Last successful run.',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Endpoint', type: 'string', jsonPath: '.spec.endpoint', priority: 1 },
  { name: 'Suspended', type: 'boolean', jsonPath: '.spec.suspend', priority: 1 },
  { name: 'Message', type: 'string', jsonPath: condition('Ready', 'message'), priority: 1 },
]

/** The definition that `crds/` holds. */
export function customResourceDefinition(): Schema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['zdc'],
        categories: ['cloudapps'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: {
              description: 'Connects one Zendesk account: tests the connection and syncs its users and activities.',
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: ofZod(spec),
                status: { ...ofZod(status), default: { observedGeneration: -1 } },
              },
              'x-kubernetes-validations': [
                {
                  rule: 'self.metadata.name.size() <= 63',
                  message:
                    'metadata.name must have at most 63 characters, because it is a label value of the Jobs and pods',
                },
              ],
            },
          },
        },
      ],
    },
  }
}
