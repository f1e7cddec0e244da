import { describe, expect, test } from 'vitest'
import { sinkOrders } from '../../src/connector/orders.ts'
import type { RunOrders } from '../../src/connector/run.ts'
import { connector } from '../../src/connector/schema.ts'
import { jobName } from '../../src/kube/names.ts'
import { checkpointManifest, identityManifests, jobManifest } from '../../src/kube/run-manifests.ts'
import { acme, ordersOfAcme } from '../support/run-orders.ts'

const orders: RunOrders = { ...ordersOfAcme, displayName: 'costs $(HOME) $5', run: jobName('acme', 'u-1', 7) }
const settings = { image: 'zc:1', logLevel: 'info' }

const rendered = (given: Partial<RunOrders> = {}, more: object = {}) => {
  const job = jobManifest(acme, { ...orders, ...given }, { ...settings, ...more })
  const [container] = job.spec.template.spec.containers
  if (!container) throw new Error('no container')
  const env = Object.fromEntries(container.env.map((one) => [one.name, 'value' in one ? one.value : one.valueFrom]))
  const mounts = container.volumeMounts.map(
    ({ name, mountPath, readOnly }) => `${name} ${mountPath} ${readOnly ? 'ro' : 'rw'}`,
  )
  return { job, pod: job.spec.template.spec, container, env, mounts }
}

describe('the Job of a run', () => {
  test('belongs to the connector and carries account and slot, as do its pods', () => {
    const { job } = rendered()
    expect(job.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'cloudapps.security/v1alpha1',
        kind: 'ZendeskConnector',
        name: 'acme',
        uid: 'u-1',
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
    expect(job.metadata.labels).toEqual({
      'app.kubernetes.io/name': 'zendesk-connector',
      'app.kubernetes.io/managed-by': 'zendesk-connector',
      'cloudapps.security/connector': 'acme',
      'cloudapps.security/account': 'acme',
      'cloudapps.security/slot': '7',
    })
    expect(job.spec.template.metadata.labels).toEqual(job.metadata.labels)
  })

  test('is tried again for what passes, and fails at once for what stays', () => {
    const { spec } = rendered().job
    expect(spec).toMatchObject({ backoffLimit: 3, podReplacementPolicy: 'Failed', activeDeadlineSeconds: 4500 })
    expect(spec.podFailurePolicy.rules).toEqual([
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'FailJob', onExitCodes: { containerName: 'sync', operator: 'In', values: [64, 70, 74, 77, 80] } },
    ])
  })

  test('hands over its orders to the letter', () => {
    const { env } = rendered()
    // As the kubelet reads a value: $$ is a dollar sign.
    expect(JSON.parse(String(env.RUN_ORDERS).replaceAll('$$', '$'))).toEqual(orders)
    expect(String(env.RUN_ORDERS)).not.toMatch(/(?<!\$)\$\(/)
  })

  test('with a file sink mounts the claim, with stdout none', () => {
    expect(rendered().mounts).toEqual([
      'credentials /var/run/zendesk-connector/credentials ro',
      'sink /var/run/zendesk-connector/sink rw',
    ])
    expect(rendered().env.SINK_DIR).toBe('/var/run/zendesk-connector/sink')
    const stdout = rendered({ sink: { kind: 'stdout' } })
    expect(stdout.mounts).toHaveLength(1)
    expect(stdout.env).not.toHaveProperty('SINK_DIR')
  })

  test('mounts the Secret of the sink, which may be missing: the run says so', () => {
    const s3 = connector.parse({
      ...acme,
      spec: { ...acme.spec, sync: { sink: { s3: { bucket: 'data', secretRef: { name: 'keys' } } } } },
    })
    const sink = sinkOrders(s3.spec.sync.sink)
    const { spec } = jobManifest(s3, { ...orders, sink, sinkSecret: 'uid/1' }, settings).spec.template
    expect(spec.volumes[1]).toMatchObject({ secret: { secretName: 'keys', optional: true } })
    const [container] = spec.containers
    expect(container?.volumeMounts[1]?.mountPath).toBe('/var/run/zendesk-connector/sink-secret')
    expect(container?.env).toContainEqual({ name: 'SINK_SECRET_DIR', value: '/var/run/zendesk-connector/sink-secret' })
  })

  test('hands on proxy and CA bundle where there are any', () => {
    expect(Object.keys(rendered().env)).not.toEqual(expect.arrayContaining([expect.stringMatching(/PROXY|CA_CERTS/)]))
    const { env, mounts } = rendered({}, { caBundle: 'PEM', httpsProxy: 'http://proxy:3128', noProxy: 'a,b' })
    expect(env).toMatchObject({
      HTTPS_PROXY: 'http://proxy:3128',
      NO_PROXY: 'a,b',
      NODE_EXTRA_CA_CERTS: '/var/run/zendesk-connector/ca/ca.crt',
    })
    expect(mounts).toContain('ca /var/run/zendesk-connector/ca ro')
  })
})

test('a run may do one thing: get and update its own checkpoint', () => {
  const { role, roleBinding, serviceAccount } = identityManifests(acme, orders.checkpoint)
  expect(role.rules).toEqual([
    {
      apiGroups: [''],
      resources: ['configmaps'],
      resourceNames: ['acme-zendesk-checkpoint'],
      verbs: ['get', 'update'],
    },
  ])
  expect(roleBinding.subjects).toMatchObject([{ name: serviceAccount.metadata.name, namespace: 'security' }])
  expect(rendered().pod.serviceAccountName).toBe(serviceAccount.metadata.name)
})

test('the checkpoint begins empty', () => {
  expect(checkpointManifest(acme, 'c')).not.toHaveProperty('data')
})
