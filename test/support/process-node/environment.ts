/** A container's environment and command line, resolved as a kubelet does it. Pure. */
import { type Inputs, type KeyedKind, NotYet } from './inputs.ts'
import type { Container, EnvFrom, EnvVar, Pod } from './kinds.ts'

/** The value of a `fieldRef`. */
export function podField(pod: Pod, path: string): string {
  const { metadata, spec } = pod
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? []
  if (map && key) return metadata[map as 'labels' | 'annotations']?.[key] ?? ''
  const lines = (entries: Readonly<Record<string, string>> = {}) =>
    Object.entries(entries)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join('\n')
  const fields: Record<string, string> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'metadata.labels': lines(metadata.labels),
    'metadata.annotations': lines(metadata.annotations),
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName,
    'status.podIP': '127.0.0.1',
    'status.podIPs': '127.0.0.1',
    'status.hostIP': '127.0.0.1',
  }
  const value = fields[path]
  if (value === undefined) throw new NotYet('CreateContainerConfigError', `field ${path} is not supported here`)
  return value
}

/** All variables that the pod's spec gives a container, on top of those that every container gets. */
export function environment(pod: Pod, container: Container, inputs: Inputs, base: Readonly<Record<string, string>>) {
  const result: Record<string, string> = { ...base }
  for (const source of container.envFrom ?? []) Object.assign(result, allKeys(source, inputs))
  for (const variable of container.env ?? []) {
    const value = variableValue(pod, variable, inputs, result)
    if (value !== undefined) result[variable.name] = value
  }
  return result
}

/** The command line: `command` takes the place of the image's entrypoint, `args` follow. */
export function commandLine(
  container: Container,
  entrypoint: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  return [...(container.command ?? entrypoint), ...(container.args ?? [])].map((word, index) =>
    container.command || index >= entrypoint.length ? expand(word, env) : word,
  )
}

function variableValue(pod: Pod, { name, value, valueFrom }: EnvVar, inputs: Inputs, env: Record<string, string>) {
  if (valueFrom?.fieldRef) return podField(pod, valueFrom.fieldRef.fieldPath)
  if (valueFrom?.secretKeyRef) return keyValue('secrets', valueFrom.secretKeyRef, inputs)
  if (valueFrom?.configMapKeyRef) return keyValue('configmaps', valueFrom.configMapKeyRef, inputs)
  if (valueFrom) throw new NotYet('CreateContainerConfigError', `the source of variable ${name} is not supported here`)
  return expand(value ?? '', env)
}

function keyValue(kind: KeyedKind, ref: { name: string; key: string; optional?: boolean }, inputs: Inputs) {
  const value = valuesOf(kind, ref, inputs)?.get(ref.key)
  if (value || ref.optional) return value?.toString()
  throw new NotYet('CreateContainerConfigError', `couldn't find key ${ref.key} in ${kindName(kind)} ${ref.name}`)
}

function allKeys({ prefix = '', secretRef, configMapRef }: EnvFrom, inputs: Inputs): Record<string, string> {
  const values = [
    ...((secretRef && valuesOf('secrets', secretRef, inputs)) ?? []),
    ...((configMapRef && valuesOf('configmaps', configMapRef, inputs)) ?? []),
  ]
  return Object.fromEntries(values.map(([key, value]) => [prefix + key, value.toString()]))
}

function valuesOf(kind: KeyedKind, { name, optional }: { name: string; optional?: boolean }, inputs: Inputs) {
  const values = inputs.read(kind, name)
  if (values || optional) return values
  throw new NotYet('CreateContainerConfigError', `${kindName(kind)} "${name}" not found`)
}

const kindName = (kind: KeyedKind) => (kind === 'secrets' ? 'secret' : 'configmap')

// $(NAME) stands for a variable, $$ for a dollar sign; what is not known stays as it is.
function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([-._a-zA-Z0-9]+)\)/g, (found, name?: string) =>
    name === undefined ? '$' : (env[name] ?? found),
  )
}
