/** What a platform team says of sync pods: taken to the letter or refused in a sentence, and never more than what may be said. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { parse } from 'yaml'
import { podTemplate } from '../../src/kube/pod-template.ts'
import { jobManifest } from '../../src/kube/run-manifests.ts'
import { readSyncPod } from '../../src/sync-pod-file.ts'
import { read, root } from '../support/docs.ts'
import { acme, ordersOfAcme as orders } from '../support/run-orders.ts'

const settings = { image: 'zc:1', logLevel: 'info' }
const podOf = (said?: unknown) =>
  jobManifest(acme, orders, said === undefined ? settings : { ...settings, pod: podTemplate.parse(said) }).spec.template

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zendesk-connector-sync-pod-'))
})
afterAll(() => rm(folder, { recursive: true }))
const fileWith = async (text: string) => {
  const file = join(folder, 'sync-pod.yaml')
  await writeFile(file, text)
  return file
}
const refusal = async (text: string) =>
  readSyncPod(await fileWith(text)).then(
    () => expect.fail('it was taken'),
    (error: Error) => error.message.replaceAll(`${folder}/`, ''),
  )

/** `sync:` of the chart. */
const valuesOfChart = (): object => parse(read('charts/zendesk-connector/values.yaml')).sync

test('chart and docs name each field, and no other; the example is one that is taken', async () => {
  const fields = Object.keys(podTemplate.shape).sort()
  // The chart has it for operator and sync pods alike.
  expect([...Object.keys(valuesOfChart()), 'imagePullPolicy'].sort()).toEqual(fields)
  const [, section = ''] = read('docs/operations.md').split('## Sync pods\n')
  const [table = ''] = section.split('\n## ')
  const named = [...table.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, names = '']) =>
    names.replaceAll('`', '').split(', '),
  )
  expect(named.sort()).toEqual(fields)
  expect(await readSyncPod(join(root, 'examples/gitops/kustomize/sync-pod.yaml'))).toMatchObject({
    imagePullSecrets: ['registry'],
  })
})

const everything = `
labels: { sidecar.istio.io/inject: "false" }
annotations: { cluster-autoscaler.kubernetes.io/safe-to-evict: "false" }
imagePullSecrets: [registry]
imagePullPolicy: Always
nodeSelector: { pool: batch }
tolerations: [{ key: batch, operator: Exists, effect: NoSchedule }]
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/arch, operator: In, values: [amd64] }] }]
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 1
        podAffinityTerm: { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { a: b } } }
topologySpreadConstraints:
  - { maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {} }
priorityClassName: batch-low
runtimeClassName: gvisor
resources: { requests: { cpu: 1 }, limits: { ephemeral-storage: 1Gi } }
`

describe('the pod of a run', () => {
  it('has all that is said, in the fields of Kubernetes', async () => {
    const { metadata, spec } = podOf(await readSyncPod(await fileWith(everything)))
    const { labels, annotations, imagePullSecrets, imagePullPolicy, resources: _, ...placement } = parse(everything)
    expect(metadata.labels).toEqual({ ...podOf().metadata.labels, ...labels })
    expect(metadata).toMatchObject({ annotations })
    expect(spec).toMatchObject({ ...placement, imagePullSecrets: imagePullSecrets.map((name: string) => ({ name })) })
    expect(spec.containers[0]).toMatchObject({ imagePullPolicy })
  })

  it('keeps what was measured for each resource of which nothing is said', async () => {
    const { spec } = podOf(await readSyncPod(await fileWith(everything)))
    expect(spec.containers[0]?.resources).toEqual({
      requests: { cpu: '1', memory: '128Mi' },
      limits: { memory: '256Mi', 'ephemeral-storage': '1Gi' },
    })
  })

  it('is the same with values that say nothing as without any', async () => {
    const nothing = 'nodeSelector: {}\ntolerations: []\npriorityClassName: ""\naffinity:\nlabels: {}\nannotations: {}\n'
    expect(podOf(await readSyncPod(await fileWith(nothing)))).toEqual(podOf())
    expect(podOf(await readSyncPod(await fileWith('{}')))).toEqual(podOf())
  })

  it('with the defaults of the chart is the one without a file', () => {
    expect(podOf(valuesOfChart())).toEqual(podOf())
  })

  const OPEN = [
    'imagePullSecrets',
    'nodeSelector',
    'tolerations',
    'affinity',
    'topologySpreadConstraints',
    'priorityClassName',
    'runtimeClassName',
  ]
  /** What nobody but the operator says. */
  const ownOf = (pod: ReturnType<typeof podOf>) => {
    const own = Object.entries(pod.spec).filter(([name]) => !OPEN.includes(name))
    const containers = pod.spec.containers.map(({ resources: _, imagePullPolicy: __, ...container }) => container)
    return { ...Object.fromEntries(own), containers }
  }
  const valid: Readonly<Record<string, unknown>> = parse(everything)
  const key = fc.constantFrom(
    'team',
    'example.com/team',
    'app.kubernetes.io/name',
    'app.kubernetes.io/part-of',
    'app.kubernetes.io/managed-by',
    'app.kubernetes.io/component',
    'cloudapps.security/account',
    'cloudapps.security/slot',
    'batch.kubernetes.io/job-name',
    'job-name',
    'container.apparmor.security.beta.kubernetes.io/sync',
    '__proto__',
    'constructor',
  )
  const map = fc.dictionary(key, fc.constantFrom('x', 'unconfined', ''), { maxKeys: 3 })
  const hostile = fc.oneof(
    fc.record({ labels: map }),
    fc.record({ annotations: map }),
    fc.record({ nodeSelector: map }),
    fc.constantFrom<object>(
      { restartPolicy: 'Always' },
      { serviceAccountName: 'admin' },
      { hostNetwork: true },
      { securityContext: { runAsUser: 0 } },
      { volumes: [{ name: 'credentials', hostPath: { path: '/' } }] },
      { containers: [{ name: 'sync', image: 'evil' }] },
      { resources: { limits: { memory: '1Gi' } } },
      { resources: { claims: [] } },
      { metadata: { labels: { a: 'b' } } },
      { spec: { hostPID: true } },
    ),
  )
  const right = fc.subarray(Object.entries(valid)).map((some) => Object.fromEntries(some))

  it('is the operator’s in all that a run needs, whatever is said', () => {
    let taken = 0
    const plain = podOf()
    const holds = (said: object) => {
      const parsed = podTemplate.safeParse(said)
      if (!parsed.success) return
      taken += 1
      const pod = jobManifest(acme, orders, { ...settings, pod: parsed.data }).spec.template
      expect(ownOf(pod)).toEqual(ownOf(plain))
      expect(pod.metadata.labels).toMatchObject(plain.metadata.labels)
      // What takes confinement away, and what would make it one of the operator's own pods.
      const { labels, annotations = {}, ...others }: typeof pod.metadata & { annotations?: object } = pod.metadata
      expect(Object.keys(annotations).join()).not.toContain('apparmor')
      expect(labels).not.toHaveProperty(['app.kubernetes.io/component'])
      expect(others).toEqual({})
    }
    fc.assert(
      fc.property(
        fc.oneof(
          right,
          hostile,
          fc.tuple(right, hostile).map(([a, b]) => ({ ...a, ...b })),
        ),
        holds,
      ),
    )
    expect(taken).toBeGreaterThan(50)
  })
})

describe('a file is refused that', () => {
  test.each([
    [
      'has a field of the operator’s',
      'serviceAccountName: admin',
      /^sync-pod.yaml:1: serviceAccountName is not a setting/,
    ],
    [
      'misspells one deep inside',
      'affinity:\n  nodeAffinty: {}',
      /^sync-pod.yaml:2: affinity.nodeAffinty is not a setting/,
    ],
    [
      'takes a label of the operator’s',
      'labels:\n  cloudapps.security/slot: "1"',
      /:2: labels.cloudapps.security\/slot/,
    ],
    ['has a label that is none', 'labels: {a b: c}', /:1: labels.a b: must be a name/],
    ['has a label that is a number', 'labels: {team: 7}', /:1: labels.team: .*string/],
    [
      'takes the confinement away',
      'annotations: {container.apparmor.security.beta.kubernetes.io/sync: unconfined}',
      /is not allowed on sync pods/,
    ],
    ['has no quantity', 'resources: {limits: {memory: 256MB}}', /resources.limits.memory: must be a quantity/],
    ['has a limit below the request', 'resources: {limits: {memory: 100Mi}}', /limits.memory: .*request, 128Mi/],
    ['tolerates everything by chance', 'tolerations: [{effect: NoSchedule}]', /tolerations.0.operator: must be Exists/],
    ['names a class that cannot be', 'priorityClassName: Very High', /priorityClassName: must be/],
    ['has a Secret as an object', 'imagePullSecrets: [{name: registry}]', /imagePullSecrets.0: .*string/],
    ['is no YAML', 'labels: [', /sync-pod.yaml:1: Invalid YAML/],
    ['is empty', '', /must contain one object/],
    ['is two', 'labels: {}\n---\nlabels: {}', /must contain one object/],
  ])('%s', async (_what, text, sentence) => {
    expect(await refusal(text)).toMatch(sentence)
  })

  it('ends the operator with exit code 64 and a line for each field that is wrong', async () => {
    const file = await fileWith('hostNetwork: true\nresources: {limits: {cpu: much}}\n')
    const started = promisify(execFile)(process.execPath, [
      join(root, 'src/main.ts'),
      ...['operator', '--image', 'a', '--no-leader-elect', '--sync-pod', file],
    ])
    const failed: unknown = await started.catch((error: unknown) => error)
    expect(failed).toMatchObject({
      code: 64,
      stderr: `${file}:2: resources.limits.cpu: must be a quantity, such as 100m or 128Mi.\n${file}:1: hostNetwork is not a setting of sync pods.\n`,
    })
  })
})
