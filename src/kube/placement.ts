/**
 * The fields by which Kubernetes is told where a pod may run, as far as they are known today. Stricter than the API server,
 * which passes over a field that it does not know: a rule that is misspelt would keep no pod from anywhere.
 */
import { z } from 'zod'

const PART = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const NAME = new RegExp(`^${PART}(\\.${PART})*$`)
const WORD = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** Name of an object such as a PriorityClass. */
export const objectName = z.string().max(253).regex(NAME, "must be lower-case letters, digits, '-' and '.'")

function isKey(key: string): boolean {
  const [name = '', domain, ...more] = key.split('/').toReversed()
  return more.length === 0 && name.length <= 63 && WORD.test(name) && (domain === undefined || NAME.test(domain))
}

/** Key of a label or an annotation, or name of a resource: `name`, or `domain/name`. */
export const qualifiedName = z.string().refine(isKey, 'must be a name, or domain/name')
const labelValue = z
  .string()
  .refine((text) => text === '' || (text.length <= 63 && WORD.test(text)), 'must be a label value')
/** Labels, or what selects by them. */
export const labelMap = z.record(qualifiedName, labelValue)

const requirement = <const Operator extends string>(operators: readonly Operator[]) =>
  z.strictObject({ key: qualifiedName, operator: z.enum(operators), values: z.array(z.string()).optional() })
const bySet = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

const labelSelector = z.strictObject({
  matchLabels: labelMap.optional(),
  matchExpressions: z.array(requirement(bySet)).optional(),
})

const weight = z.int().min(1).max(100)
const nodeTerm = z.strictObject({
  matchExpressions: z.array(requirement([...bySet, 'Gt', 'Lt'])).optional(),
  matchFields: z.array(requirement([...bySet, 'Gt', 'Lt'])).optional(),
})
const nodeAffinity = z.strictObject({
  requiredDuringSchedulingIgnoredDuringExecution: z
    .strictObject({ nodeSelectorTerms: z.array(nodeTerm).min(1) })
    .optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z.array(z.strictObject({ weight, preference: nodeTerm })).optional(),
})

const podTerm = z.strictObject({
  labelSelector: labelSelector.optional(),
  topologyKey: qualifiedName,
  namespaces: z.array(objectName).optional(),
  namespaceSelector: labelSelector.optional(),
  matchLabelKeys: z.array(qualifiedName).optional(),
  mismatchLabelKeys: z.array(qualifiedName).optional(),
})
const podAffinity = z.strictObject({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(podTerm).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(z.strictObject({ weight, podAffinityTerm: podTerm }))
    .optional(),
})

export const affinity = z.strictObject({
  nodeAffinity: nodeAffinity.optional(),
  podAffinity: podAffinity.optional(),
  podAntiAffinity: podAffinity.optional(),
})

export const toleration = z
  .strictObject({
    key: qualifiedName.optional(),
    operator: z.enum(['Exists', 'Equal']).optional(),
    value: labelValue.optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
    tolerationSeconds: z.int().optional(),
  })
  .refine(({ key, operator }) => key !== undefined || operator === 'Exists', {
    path: ['operator'],
    message: 'must be Exists if there is no key',
  })
  .refine(({ operator, value }) => operator !== 'Exists' || !value, {
    path: ['value'],
    message: 'must not be set with the operator Exists',
  })
  .refine(({ effect, tolerationSeconds }) => tolerationSeconds === undefined || effect === 'NoExecute', {
    path: ['effect'],
    message: 'must be NoExecute if tolerationSeconds is set',
  })

const policy = z.enum(['Honor', 'Ignore'])
export const topologySpreadConstraint = z.strictObject({
  maxSkew: z.int().min(1),
  topologyKey: qualifiedName,
  whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
  labelSelector: labelSelector.optional(),
  minDomains: z.int().min(1).optional(),
  nodeAffinityPolicy: policy.optional(),
  nodeTaintsPolicy: policy.optional(),
  matchLabelKeys: z.array(qualifiedName).optional(),
})
