/**
 * What a platform team may say of the pods of runs: where they go, what they are pulled with, what they are called by. What
 * a run is made of (identity, volumes, environment, security, restarts) has no field here, and its labels are its own:
 * whatever is said, a run stays one, and the Pod Security Standard `restricted` takes it.
 */
import { z } from 'zod'
import { GROUP } from '../connector/schema.ts'
import { COMPONENT, MANAGED_BY } from './names.ts'
import { affinity, labelMap, objectName, qualifiedName, toleration, topologySpreadConstraint } from './placement.ts'
import { amountOf } from './quantity.ts'

/** As measured (`npm run bench -- sync`): 110 to 125 MiB whatever the size of the account; values.yaml says more. */
const MEASURED = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } }

/** Labels by which runs are found, or by which an operator's own pods are told from theirs. */
const OWN_LABELS = ['app.kubernetes.io/name', MANAGED_BY, COMPONENT, 'job-name', 'controller-uid']
const OWN_DOMAINS = [GROUP, 'batch.kubernetes.io']
/** Annotations that take a container's confinement away: what `restricted` refuses. */
const CONFINEMENT = /(^|\.)(apparmor|seccomp)\.security\.\w+\.kubernetes\.io\//

const isOwn = (key: string) => OWN_LABELS.includes(key) || OWN_DOMAINS.includes(key.split('/').at(-2) ?? '')
const without = (map: z.ZodType<Record<string, string>>, isTaken: (key: string) => boolean, message: string) =>
  map.superRefine((value, context) => {
    for (const key of Object.keys(value).filter(isTaken)) context.addIssue({ code: 'custom', path: [key], message })
  })

const quantity = z
  .union([z.number().nonnegative().transform(String), z.string()])
  .refine((text) => Number.isFinite(amountOf(text)), 'must be a quantity, such as 100m or 128Mi')
const quantities = z.record(qualifiedName, quantity).optional()
const resources = z
  .strictObject({ requests: quantities, limits: quantities })
  .default({})
  .transform(({ requests, limits }) => ({
    requests: { ...MEASURED.requests, ...requests } as Readonly<Record<string, string>>,
    limits: { ...MEASURED.limits, ...limits } as Readonly<Record<string, string>>,
  }))
  .superRefine(({ requests, limits }, context) => {
    for (const [name, limit] of Object.entries(limits)) {
      const requested = requests[name]
      if (requested === undefined || amountOf(requested) <= amountOf(limit)) continue
      context.addIssue({
        code: 'custom',
        path: ['limits', name],
        message: `must not be less than the request, ${requested}`,
      })
    }
  })

/** A name, or the empty text of a value that nobody has set. */
const optionalName = z.literal('').or(objectName).optional()

/** What may be said. */
export const podTemplate = z.strictObject({
  labels: without(labelMap, isOwn, 'is a label that the operator sets').optional(),
  annotations: without(
    z.record(qualifiedName, z.string()),
    (key) => isOwn(key) || CONFINEMENT.test(key),
    'is not allowed on sync pods',
  ).optional(),
  /** Names of Secrets in the namespace of each connector. */
  imagePullSecrets: z.array(objectName).optional(),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  nodeSelector: labelMap.optional(),
  tolerations: z.array(toleration).optional(),
  affinity: affinity.optional(),
  topologySpreadConstraints: z.array(topologySpreadConstraint).optional(),
  priorityClassName: optionalName,
  runtimeClassName: optionalName,
  resources,
})
export type PodTemplate = z.output<typeof podTemplate>

/** When nothing is said. */
export const PLAIN_POD: PodTemplate = podTemplate.parse({})

/** The template's share of a pod, in the fields of Kubernetes. What is not said has no field. */
export function fromTemplate(template: PodTemplate) {
  const { labels, annotations, imagePullSecrets, imagePullPolicy, resources, ...placement } = template
  return {
    labels,
    metadata: said({ annotations }),
    spec: said({ imagePullSecrets: imagePullSecrets?.map((name) => ({ name })), ...placement }),
    container: { imagePullPolicy, resources },
  }
}

/** Without the fields that are not there, or empty. */
function said(fields: object): object {
  const isSaid = (value: unknown) => value !== undefined && value !== '' && Object.keys(Object(value)).length > 0
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isSaid(value)))
}
