/** The chart as helm renders it: it installs what deploy/ installs, and explains whatever a linter may find. */
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { PLAIN_POD, podTemplate } from '../../src/kube/pod-template.ts'
import { certificate, everything, least } from '../support/chart-values.ts'
import {
  buildHelm,
  CHART,
  helm,
  kubeScore,
  type Manifest,
  manifestsIn,
  rendered,
  renderedText,
} from '../support/helm.ts'

beforeAll(buildHelm, 900_000)

const variants: Readonly<Record<string, object>> = {
  'as it is': {},
  'with everything switched on': everything,
  'with one replica and nothing optional': least,
}

const deployed = async () => {
  const files = await Promise.all(
    ['rbac', 'operator'].map((name) => readFile(join(CHART, '..', '..', 'deploy', `${name}.yaml`), 'utf8')),
  )
  return manifestsIn(files.join('---\n'))
}
const isHook = ({ metadata }: Manifest) => metadata.annotations?.['helm.sh/hook'] !== undefined
const one = (manifests: readonly Manifest[], kind: string, name = 'zendesk-connector') => {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found.length !== 1) throw new Error(`${kind} ${name} is there ${found.length} times`)
  return found[0] as Manifest
}
const rolesOf = (manifests: readonly Manifest[]) =>
  manifests.filter(({ kind, ...rest }) => /^(Cluster)?Role$/.test(kind) && !isHook({ kind, ...rest } as Manifest))

describe.each(Object.entries(variants))('%s', (_name, values) => {
  test('helm has nothing to say against it', async () => {
    const said = await helm(['lint', '--strict', CHART, '--values', '-'], JSON.stringify(values))
    expect(said).toContain('0 chart(s) failed')
  })

  test('kube-score finds nothing that the chart does not explain, or that was chosen', async () => {
    const chosen = 'replicas' in values ? ['pod-networkpolicy', 'deployment-replicas'] : []
    expect(await kubeScore(await renderedText(values))).toEqual(chosen)
  })

  test('no name is there twice, and every object says whose it is', async () => {
    const manifests = await rendered(values)
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
    for (const { metadata } of manifests) {
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/instance': 'zendesk-connector' })
      // The operator lists what it manages by this label: what Helm manages must not be among it.
      expect(metadata.labels?.['app.kubernetes.io/managed-by']).not.toBe('zendesk-connector')
    }
  })

  test('nobody is given escalate, bind, impersonate or a wildcard', async () => {
    const text = JSON.stringify(rolesOf(await rendered(values)).map(({ rules }) => rules))
    expect(text).not.toMatch(/"(?:escalate|bind|impersonate|\*)"/)
  })
})

test('the operator’s pods are those of deploy/', async () => {
  const ours = one(await rendered(), 'Deployment').spec
  const theirs = one(await deployed(), 'Deployment').spec
  const comparable = ({ replicas, strategy, template: { spec } }: Manifest['spec']) => {
    const [{ args, env, image, ...container }] = spec.containers
    const { runAsGroup: _, ...securityContext } = spec.securityContext
    const [{ labelSelector: __, ...spread }] = spec.topologySpreadConstraints
    const { terminationGracePeriodSeconds, serviceAccountName } = spec
    const { imagePullPolicy: ___, volumeMounts: ____, ...rest } = container
    const own = { terminationGracePeriodSeconds, serviceAccountName, securityContext, spread }
    return { replicas, strategy, own, container: rest, image, command: args[0], env: env[0] }
  }
  expect(comparable(ours)).toEqual(comparable(theirs))
  const budget = (manifests: Manifest[]) => one(manifests, 'PodDisruptionBudget').spec.maxUnavailable
  expect(budget(await rendered())).toBe(budget(await deployed()))
})

test('the operator’s rights are those of deploy/', async () => {
  const manifests = await rendered()
  for (const kind of ['ClusterRole', 'Role']) {
    expect(one(manifests, kind).rules).toEqual(one(await deployed(), kind).rules)
  }
})

test('with watchNamespaces there is a Role in each, and no right of the operator beyond them', async () => {
  const manifests = await rendered({ watchNamespaces: ['security', 'sales'] })
  const { rules } = one(await rendered(), 'ClusterRole')
  const roles = manifests.filter(
    ({ kind, metadata }) => kind === 'Role' && metadata.name === 'zendesk-connector-watched',
  )
  expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['security', 'sales'])
  for (const role of roles) expect(role.rules).toEqual(rules)
  expect(manifests.filter(({ kind }) => kind === 'ClusterRoleBinding')).toEqual([])
  expect(manifests.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name)).toEqual([
    'zendesk-connector-view',
    'zendesk-connector-edit',
  ])
  const { args } = one(manifests, 'Deployment').spec.template.spec.containers[0]
  expect(args).toEqual(expect.arrayContaining(['--namespace=security', '--namespace=sales']))
})

test('the operator’s own namespace may be among them', async () => {
  const manifests = await rendered({ watchNamespaces: ['zendesk-connector-system'] })
  const names = manifests.filter(({ kind }) => kind === 'Role').map(({ metadata }) => metadata.name)
  expect(new Set(names).size).toBe(names.length)
})

test('docs/permissions.md tells of each right, and of no other', async () => {
  const text = await readFile(join(CHART, '..', '..', 'docs', 'permissions.md'), 'utf8')
  const told = new Set<string>()
  let resources: string[] = []
  for (const [, what = '', verbs = ''] of text.matchAll(/^\| (`[^|]*|) *\| ([a-z, ]+) \| [A-Z]/gm)) {
    if (what !== '') resources = [...what.matchAll(/`([a-z/]+)`/g)].map(([, name = '']) => name)
    for (const resource of resources) for (const verb of verbs.trim().split(', ')) told.add(`${verb} ${resource}`)
  }
  type Rule = { resources: string[]; verbs: string[] }
  const rules: Rule[] = (await deployed()).filter(({ kind }) => /Role$/.test(kind)).flatMap((role) => role.rules)
  const granted = rules.flatMap(({ resources: all, verbs }) =>
    all.flatMap((one) => verbs.map((verb) => `${verb} ${one}`)),
  )
  expect([...told].sort()).toEqual([...new Set(granted)].sort())
})

test('the CRD is the generated one, upgraded with the release and kept when it goes', async () => {
  const crd = one(await rendered(), 'CustomResourceDefinition', 'zendeskconnectors.cloudapps.security')
  expect(crd.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
  expect(crd.spec).toEqual(parse(await readFile(join(CHART, '../../crds/zendeskconnectors.yaml'), 'utf8')).spec)
  const unkept = await rendered({ crds: { keep: false } })
  expect(one(unkept, crd.kind, crd.metadata.name).metadata.annotations).toBeUndefined()
  const without = await rendered({ crds: { install: false } })
  expect(without.filter(({ kind }) => kind === crd.kind)).toEqual([])
})

test('proxy and authorities reach the operator, and the way to the proxy is open', async () => {
  const manifests = await rendered(everything)
  const { containers, volumes } = one(manifests, 'Deployment').spec.template.spec
  const env = Object.fromEntries(
    containers[0].env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  )
  expect(env).toMatchObject({
    HTTPS_PROXY: everything.httpsProxy,
    NO_PROXY: everything.noProxy,
    NODE_EXTRA_CA_CERTS: '/etc/zendesk-connector/ca/ca.crt',
  })
  const mounted = (name: string) => volumes.find((volume: { name: string }) => volume.name === name).configMap.name
  expect(one(manifests, 'ConfigMap', mounted('ca')).data['ca.crt']).toBe(certificate)
  const ways = one(manifests, 'NetworkPolicy').spec.egress
  expect(ways.at(-1)).toEqual({ ports: [{ port: 3128, protocol: 'TCP' }] })
  const named = await rendered({ caBundleConfigMap: { name: 'company', key: 'root.pem' } })
  const pod = one(named, 'Deployment').spec.template.spec
  expect(pod.volumes).toContainEqual({ name: 'ca', configMap: { name: 'company' } })
  expect(JSON.stringify(pod.containers)).toContain('/etc/zendesk-connector/ca/root.pem')
})

describe('what is said of sync pods', () => {
  /** What the operator makes of the file that its pods are given. */
  const given = async (values: object) => {
    const manifests = await rendered(values)
    const { metadata, spec } = one(manifests, 'Deployment').spec.template
    const [{ args, volumeMounts }] = spec.containers
    const [, file = ''] = /^--sync-pod=(.+)$/.exec(args.find((arg: string) => arg.startsWith('--sync-pod'))) ?? []
    const mount = volumeMounts.find(({ mountPath }: { mountPath: string }) => mountPath === dirname(file))
    expect(mount).toMatchObject({ readOnly: true })
    const { configMap } = spec.volumes.find(({ name }: { name: string }) => name === mount.name)
    const text = one(manifests, 'ConfigMap', configMap.name).data[basename(file)]
    return {
      checksum: metadata.annotations['checksum/sync-pod'],
      said: parse(text),
      pod: podTemplate.parse(parse(text)),
    }
  }

  test('is nothing but what was measured, unless somebody says more', async () => {
    const { said, pod } = await given({})
    expect(Object.keys(said).sort()).toEqual(['imagePullPolicy', 'resources'])
    expect(pod).toEqual(PLAIN_POD)
  })

  test('reaches the operator to the letter, and a change of it makes new pods of the operator', async () => {
    const { said, checksum } = await given({ ...everything, image: { pullPolicy: 'Always' } })
    const resources = { requests: PLAIN_POD.resources.requests, limits: { memory: '512Mi' } }
    expect(said).toEqual({ ...everything.sync, resources, imagePullPolicy: 'Always' })
    expect((await given({})).checksum).not.toBe(checksum)
    expect((await given({ logLevel: 'debug' })).checksum).toBe((await given({})).checksum)
  })
})

test.each([
  ['a value that does not exist', { watchNamespace: 'security' }],
  ['a proxy with a password', { httpsProxy: 'http://me:secret@proxy:3128' }],
  ['a private key among the authorities', { caBundle: `${certificate}-----BEGIN PRIVATE KEY-----` }],
  ['a namespace that is none', { watchNamespaces: ['Security Team'] }],
  ['no replicas', { replicas: 0 }],
  ['a digest that is none', { image: { digest: 'latest' } }],
  ['another identity for sync pods', { sync: { serviceAccountName: 'admin' } }],
  ['an effect of a toleration that is none', { sync: { tolerations: [{ operator: 'Exists', effect: 'NoScheduel' }] } }],
  ['an affinity to nothing', { sync: { affinity: { nodeAffinty: {} } } }],
])('helm refuses %s', async (_name, values) => {
  await expect(rendered(values)).rejects.toThrow(/don't meet the specifications of the schema/)
})

test('the schema knows each value of values.yaml, and no other', async () => {
  type Schema = { properties?: Record<string, Schema> }
  const values = parse(await readFile(join(CHART, 'values.yaml'), 'utf8'))
  const schema: Schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8'))
  const compare = (at: string, value: Record<string, unknown>, { properties = {} }: Schema) => {
    const named = Object.keys(properties).filter((name) => name !== 'global')
    expect(named.sort(), at).toEqual(Object.keys(value).sort())
    for (const [name, inner] of Object.entries(properties)) {
      if (inner.properties) compare(`${at}.${name}`, value[name] as Record<string, unknown>, inner)
    }
  }
  compare('values', values, schema)
})

test('the selectors match the operator’s pods and never a run’s', async () => {
  const manifests = await rendered(everything)
  const pod = one(manifests, 'Deployment').spec.template.metadata.labels
  const run = { 'app.kubernetes.io/name': 'zendesk-connector', 'app.kubernetes.io/managed-by': 'zendesk-connector' }
  const selectors = [
    one(manifests, 'Deployment').spec.selector.matchLabels,
    one(manifests, 'PodDisruptionBudget').spec.selector.matchLabels,
    one(manifests, 'NetworkPolicy').spec.podSelector.matchLabels,
    one(manifests, 'Service', 'zendesk-connector-metrics').spec.selector,
  ]
  for (const selector of selectors) {
    expect(pod).toMatchObject(selector)
    expect(run).not.toMatchObject(selector)
  }
})
