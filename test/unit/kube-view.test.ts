import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Cluster } from '../../src/kube/cluster.ts'
import { KubeError } from '../../src/kube/errors.ts'
import { createView, type View } from '../../src/kube/view.ts'

const created = '2026-01-01T00:00:00Z'
let version = 1
const meta = (name: string, more: object = {}) => ({
  namespace: 'a',
  name,
  uid: `${name}-uid`,
  resourceVersion: String(version++),
  creationTimestamp: created,
  ...more,
})
const ownedBy = (kind: string, name: string, uid = `${name}-uid`) => ({
  ownerReferences: [{ apiVersion: 'v1', kind, name, uid, controller: true }],
})
const connector = (name: string, secret = 'creds', more: object = {}) => ({
  metadata: meta(name, more),
  spec: { endpoint: 'acme.zendesk.com', secretRef: { name: secret }, sync: { sink: { stdout: {} } } },
})
const job = (name: string, slot: number, owner: object, status: object = {}, more: object = {}) => ({
  metadata: meta(name, { ...owner, labels: { 'cloudapps.security/slot': String(slot) }, ...more }),
  status,
})
const pod = (name: string, owner: string, status: object) => ({ metadata: meta(name, ownedBy('Job', owner)), status })

/** An API server whose collections are arrays, and whose watches say what `send` is given. */
function scripted() {
  const collections = new Map<string, unknown[]>()
  const watchers = new Map<string, (event: unknown) => void>()
  const asked = new Map<string, string>()
  const nameOf = (path: string) => path.split('/').at(-1) ?? ''
  const cluster: Cluster = {
    request: async (_method, path) => ({
      metadata: { resourceVersion: '1' },
      items: collections.get(nameOf(path)) ?? [],
    }),
    watch: async (path, { query, accept, signal, onEvent }) => {
      asked.set(nameOf(path), accept ?? '')
      if (query?.sendInitialEvents) throw new KubeError('Invalid', 'sendInitialEvents: Forbidden', 422)
      watchers.set(nameOf(path), onEvent)
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
    },
    close: async () => {},
  }
  const send = async (plural: string, type: string, object: unknown) => {
    await vi.waitUntil(() => watchers.has(plural))
    watchers.get(plural)?.({ type, object })
    await turn()
    await turn()
  }
  return { cluster, collections, asked, send }
}

let server: ReturnType<typeof scripted>
let end: AbortController
let changed: string[]
let malformed: string[]
let problems: unknown[]
let ends: number

beforeEach(() => {
  server = scripted()
  end = new AbortController()
  changed = []
  malformed = []
  problems = []
  ends = 0
})
afterEach(() => end.abort())

async function view(onChange = (key: string) => void changed.push(key)): Promise<View> {
  const made = createView(server.cluster, {
    onChange,
    onRunEnd: () => (ends += 1),
    onMalformed: (key, message) => malformed.push(`${key} ${message}`),
    onProblem: (collection, problem) => problems.push([collection, problem]),
    now: () => new Date(created),
    signal: end.signal,
  })
  await made.ready()
  changed.length = 0
  return made
}

describe('what is observed of a connector', () => {
  test('is nothing when there is none', async () => {
    expect((await view()).observe('a/acme')).toBeUndefined()
  })

  test('is the connector, its Secret, its Jobs with their pods, and its checkpoint', async () => {
    const stored = { account: 'acme', sink: 's', streams: {} }
    server.collections.set('zendeskconnectors', [connector('acme')])
    server.collections.set('secrets', [{ metadata: meta('creds', { annotations: { leak: 'canary' } }) }])
    server.collections.set('jobs', [
      job('two', 2, ownedBy('ZendeskConnector', 'acme')),
      job('one', 1, ownedBy('ZendeskConnector', 'acme')),
      job('foreign', 3, ownedBy('ZendeskConnector', 'acme', 'an earlier uid')),
    ])
    server.collections.set('pods', [pod('one-x', 'one', { phase: 'Running' })])
    server.collections.set('configmaps', [
      { metadata: meta('egress', ownedBy('ZendeskConnector', 'acme')), data: { 'ca.crt': 'PEM' } },
      {
        metadata: meta('acme-zendesk-checkpoint', ownedBy('ZendeskConnector', 'acme')),
        data: { 'checkpoint.json': JSON.stringify(stored) },
      },
    ])
    const observed = (await view()).observe('a/acme')
    expect(observed?.connector.spec.rateLimit.requestsPerMinute).toBe(200)
    expect(observed?.secret).toEqual({ uid: 'creds-uid', resourceVersion: expect.any(String) })
    expect(observed?.runs.map(({ run, slot, pods }) => [run, slot, pods.map(({ name }) => name)])).toEqual([
      ['one', 1, ['one-x']],
      ['two', 2, []],
    ])
    expect(observed?.checkpoint).toEqual(stored)
    expect(JSON.stringify(observed)).not.toContain('canary')
    expect([malformed, problems]).toEqual([[], []])
  })

  test('is what else goes on in its account: runs that have not ended, and what others have spent', async () => {
    const budget = { at: created, spent: [] }
    const other = { account: 'acme', sink: 's', streams: {}, budget }
    const inAccount = (object: { metadata: object }) => ({
      ...object,
      metadata: {
        ...object.metadata,
        labels: { 'cloudapps.security/account': 'acme', 'cloudapps.security/slot': '1' },
      },
    })
    const busy = () => made.observe('a/acme')?.account.busy
    server.collections.set('zendeskconnectors', [connector('acme'), connector('other')])
    server.collections.set('configmaps', [
      {
        metadata: meta('other-zendesk-checkpoint', ownedBy('ZendeskConnector', 'other')),
        data: { 'checkpoint.json': JSON.stringify(other) },
      },
    ])
    const made = await view()
    expect(made.observe('a/acme')?.account).toEqual({ busy: false, checkpoints: [{ budget }] })
    expect(made.observe('a/other')?.account).toEqual({ busy: false, checkpoints: [] })

    made.learn.job(inAccount(job('mine', 1, ownedBy('ZendeskConnector', 'acme'))))
    expect([busy(), made.isBusy('acme', 'a/acme'), made.isBusy('acme', 'a/other'), made.runs()]).toEqual([
      false,
      false,
      true,
      1,
    ])
    made.learn.job(inAccount(job('theirs', 1, ownedBy('ZendeskConnector', 'other'))))
    expect([busy(), made.runs(), ends]).toEqual([true, 2, 0])
    made.learn.noJob('a', 'theirs')
    expect([busy(), made.runs(), ends]).toEqual([false, 1, 1])
    expect(changed).toContain('a/acme')

    server.collections.set('pods', [inAccount(pod('orphan-x', 'orphan', { phase: 'Running' }))])
    await made.freshen()
    expect([busy(), made.isBusy('acme', 'a/other')]).toEqual([true, true])
    server.collections.set('pods', [])
    await made.freshen()
    expect([busy(), ends]).toEqual([false, 3])
  })

  test('is what others have spent as their checkpoints tell it now, and nothing of those that are gone', async () => {
    const told = (budget?: object) => ({
      metadata: meta('other-zendesk-checkpoint', ownedBy('ZendeskConnector', 'other')),
      data: {
        'checkpoint.json': JSON.stringify({ account: 'acme', sink: 's', streams: {}, ...(budget && { budget }) }),
      },
    })
    server.collections.set('zendeskconnectors', [connector('acme'), connector('other')])
    const made = await view()
    const spent = () => made.observe('a/acme')?.account.checkpoints
    expect(spent()).toEqual([])
    for (const requests of [1, 2]) {
      const budget = { at: created, spent: [{ secondsAgo: 0, requests }] }
      await server.send('configmaps', 'MODIFIED', told(budget))
      expect([spent(), spent()]).toEqual([[{ budget }], [{ budget }]])
    }
    await server.send('configmaps', 'MODIFIED', told())
    expect(spent()).toEqual([])
    await server.send('configmaps', 'MODIFIED', told({ at: created, spent: [] }))
    expect(spent()).toHaveLength(1)
    await server.send('configmaps', 'DELETED', told())
    expect(spent()).toEqual([])
  })

  test('is not the checkpoint of an earlier connector of the same name', async () => {
    const stored = JSON.stringify({ account: 'acme', sink: 's', streams: {} })
    server.collections.set('zendeskconnectors', [connector('acme')])
    server.collections.set('configmaps', [
      {
        metadata: meta('acme-zendesk-checkpoint', ownedBy('ZendeskConnector', 'acme', 'an earlier uid')),
        data: { 'checkpoint.json': stored },
      },
    ])
    const observed = (await view()).observe('a/acme')
    expect(observed).toBeDefined()
    expect(observed?.checkpoint).toBeUndefined()
  })

  test.each([
    [{}, { state: 'Active' }],
    [
      { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'x', lastTransitionTime: created }] },
      { state: 'Active' },
    ],
    [
      { completionTime: created, conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: created }] },
      { state: 'Succeeded', endTime: new Date(created) },
    ],
    [
      {
        conditions: [
          {
            type: 'Failed',
            status: 'True',
            reason: 'PodFailurePolicy',
            message: 'exit 77',
            lastTransitionTime: created,
          },
        ],
      },
      { state: 'Failed', endTime: new Date(created), failure: 'PodFailurePolicy: exit 77' },
    ],
  ])('is the state of its Job: %j', async (status, expected) => {
    server.collections.set('zendeskconnectors', [connector('acme')])
    server.collections.set('jobs', [job('one', 1, ownedBy('ZendeskConnector', 'acme'), status)])
    expect((await view()).observe('a/acme')?.runs).toEqual([
      {
        run: 'one',
        slot: 1,
        generation: 0,
        requests: {},
        creationTime: new Date(created),
        deleting: false,
        pods: [],
        ...expected,
      },
    ])
  })

  test.each([
    [
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }],
      },
      { phase: 'Pending', waiting: 'Unschedulable: 0/1 nodes' },
    ],
    [
      {
        phase: 'Pending',
        containerStatuses: [
          { name: 'injected', state: { running: {} } },
          { name: 'sync', state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } },
        ],
      },
      { phase: 'Pending', waiting: 'ErrImagePull: no such image' },
    ],
    [
      {
        phase: 'Failed',
        containerStatuses: [
          { name: 'sync', state: { terminated: { exitCode: 77, reason: 'Error', message: 'NotAdmin\n' } } },
        ],
      },
      { phase: 'Failed', exitCode: 77, termination: 'NotAdmin' },
    ],
    [
      {
        phase: 'Failed',
        containerStatuses: [{ name: 'sync', state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }],
      },
      { phase: 'Failed', exitCode: 137, termination: 'OOMKilled' },
    ],
    [
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      { phase: 'Failed', termination: 'Evicted: low on memory' },
    ],
  ])('is why its pod waits or how it ended: %j', async (status, expected) => {
    server.collections.set('zendeskconnectors', [connector('acme')])
    server.collections.set('jobs', [job('one', 1, ownedBy('ZendeskConnector', 'acme'))])
    server.collections.set('pods', [pod('p', 'one', status)])
    expect((await view()).observe('a/acme')?.runs[0]?.pods).toEqual([
      { name: 'p', creationTime: new Date(created), ...expected },
    ])
  })
})

describe('a connector is told of', () => {
  test('its Secret coming and going, also after it names another', async () => {
    server.collections.set('zendeskconnectors', [connector('acme', 'old'), connector('other', 'else')])
    const seen = await view()
    await server.send('secrets', 'ADDED', { metadata: meta('old') })
    expect(changed).toEqual(['a/acme'])
    await server.send('zendeskconnectors', 'MODIFIED', connector('acme', 'new'))
    await server.send('secrets', 'MODIFIED', { metadata: meta('old') })
    expect(changed).toEqual(['a/acme', 'a/acme'])
    await server.send('secrets', 'ADDED', { metadata: meta('new') })
    expect(changed).toEqual(['a/acme', 'a/acme', 'a/acme'])
    expect(seen.observe('a/acme')?.secret?.uid).toBe('new-uid')
    await server.send('secrets', 'DELETED', { metadata: meta('new') })
    expect(seen.observe('a/acme')?.secret).toBeUndefined()
  })

  test('its Jobs, their pods and its checkpoint', async () => {
    server.collections.set('zendeskconnectors', [connector('acme')])
    const seen = await view()
    await server.send('pods', 'ADDED', pod('p', 'one', { phase: 'Pending' }))
    expect(changed).toEqual([])
    await server.send('jobs', 'ADDED', job('one', 1, ownedBy('ZendeskConnector', 'acme')))
    await server.send('pods', 'MODIFIED', pod('p', 'one', { phase: 'Running' }))
    expect(changed).toEqual(['a/acme', 'a/acme'])
    expect(seen.observe('a/acme')?.runs[0]?.pods[0]?.phase).toBe('Running')
  })

  test('a Secret as it was read, and that a Secret or a Job is gone, though the watches do not know yet', async () => {
    server.collections.set('zendeskconnectors', [connector('acme')])
    server.collections.set('jobs', [job('one', 1, ownedBy('ZendeskConnector', 'acme'))])
    const seen = await view()
    const secretName = seen.observe('a/acme')?.connector.spec.secretRef.name ?? ''
    seen.learn.secret({
      metadata: { ...meta(secretName), uid: 'read', resourceVersion: '900' },
      data: { clientSecret: 'x' },
    })
    expect(seen.observe('a/acme')?.secret).toEqual({ uid: 'read', resourceVersion: '900' })
    // Made while the answer that it is not there was on its way.
    seen.learn.noSecret('a', secretName, undefined)
    expect(seen.observe('a/acme')?.secret).toBeDefined()
    seen.learn.noSecret('a', secretName, seen.learn.secretSeen('a', secretName))
    expect(seen.observe('a/acme')?.secret).toBeUndefined()
    seen.learn.noJob('a', 'one')
    expect(seen.observe('a/acme')?.runs).toEqual([])
    seen.learn.noJob('a', 'one')
  })

  test('an answer to a write of its own, at once', async () => {
    server.collections.set('zendeskconnectors', [connector('acme')])
    const seen = await view()
    seen.learn.job(job('one', 1, ownedBy('ZendeskConnector', 'acme')))
    seen.learn.connector({ ...connector('acme'), status: { connection: 'Connected' } })
    seen.learn.job({ kind: 'Status', metadata: {}, status: 'Success' })
    expect(seen.observe('a/acme')?.runs).toHaveLength(1)
    expect(seen.observe('a/acme')?.connector.status?.connection).toBe('Connected')
    expect(malformed).toEqual([])
  })
})

test('what is built into Kubernetes is asked for as protobuf, which is less work for the API server', async () => {
  await view()
  const asProtobuf = [...server.asked].filter(([, accept]) => accept.startsWith('application/vnd.kubernetes.protobuf'))
  expect(asProtobuf.map(([plural]) => plural).sort()).toEqual(['configmaps', 'jobs', 'pods', 'secrets'])
  expect(server.asked.get('secrets')).toContain('as=PartialObjectMetadata')
  expect(server.asked.get('zendeskconnectors')).toBe('application/json')
})

test('an object that cannot be read is told once and does not stop the others', async () => {
  const broken = (name: string) => ({ metadata: meta(name), spec: { endpoint: 1 } })
  server.collections.set('zendeskconnectors', [broken('bad'), connector('good')])
  const seen = await view()
  await server.send('zendeskconnectors', 'MODIFIED', broken('bad'))
  expect(malformed).toEqual([expect.stringMatching(/^a\/bad zendeskconnectors: spec\.endpoint: .*; spec\.secretRef: /)])
  expect([...seen.keys()]).toEqual(['a/good'])
  expect(seen.unreadable()).toBe(1)
  await server.send('zendeskconnectors', 'MODIFIED', broken('good'))
  expect(seen.observe('a/good')).toBeUndefined()
  expect(seen.unreadable()).toBe(2)
  await server.send('zendeskconnectors', 'MODIFIED', connector('good'))
  expect(seen.observe('a/good')).toBeDefined()
  await server.send('zendeskconnectors', 'DELETED', broken('bad'))
  expect(seen.unreadable()).toBe(0)
  expect(problems).toEqual([])
})

test('a listener that throws is told of and ends nothing', async () => {
  server.collections.set('zendeskconnectors', [connector('acme')])
  const seen = await view(() => {
    throw new Error('from the listener')
  })
  await server.send('zendeskconnectors', 'ADDED', connector('later'))
  expect(seen.observe('a/later')).toBeDefined()
  expect(problems.map(String)).toEqual(Array(2).fill('zendeskconnectors,Error: from the listener'))
})

test('the signal ends everything', async () => {
  const seen = await view()
  end.abort()
  await expect(seen.ended).resolves.toBeUndefined()
})
