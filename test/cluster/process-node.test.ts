import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { isAlive } from '../support/cluster/lock.ts'
import { recordedPids } from '../support/cluster/processes.ts'

const images = { 'shell:1': ['/bin/sh', '-c'], 'node:24': [process.execPath] }
const startTimeout = 15 * 60_000
const patience = { timeout: 20_000, interval: 50 }

type Container = Record<string, unknown>
type PodSpec = Record<string, unknown>
type Condition = { type: string; status: string; reason?: string }
type Terminated = { exitCode: number; reason: string; message?: string }
type Pod = {
  metadata: { name: string; uid: string }
  status: {
    phase: string
    containerStatuses?: [{ state: { terminated?: Terminated; waiting?: { reason: string }; running?: object } }]
  }
}
type Job = { status: { conditions?: Condition[] } }

function on(cluster: () => Cluster) {
  const at = (kind: string, name: string, group = 'api/v1') => `/${group}/namespaces/default/${kind}/${name}`
  const apply = (object: object) => cluster().kubectlWithInput(JSON.stringify(object), 'apply', '-f', '-')
  const pod = (name: string) => cluster().api.request<Pod>('GET', at('pods', name))
  return {
    apply,
    pod,
    job: (name: string) => cluster().api.request<Job>('GET', at('jobs', name, 'apis/batch/v1')),
    async podOfJob(job: string) {
      const path = `/api/v1/namespaces/default/pods?labelSelector=job-name%3D${job}`
      const { items } = await cluster().api.request<{ items: Pod[] }>('GET', path)
      return items[0]
    },
    secret: (name: string, data: Record<string, string>) =>
      apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data }),
    startPod: (name: string, script: string, container: Container = {}, spec: PodSpec = {}) =>
      apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: podSpec(script, container, spec) }),
    startJob: (name: string, script: string, container: Container = {}, spec: PodSpec = {}, job: object = {}) =>
      apply({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name },
        spec: { backoffLimit: 0, ...job, template: { spec: podSpec(script, container, spec) } },
      }),
    async terminated(name: string) {
      const { status } = await pod(name)
      const state = status.containerStatuses?.[0].state.terminated
      expect(state, `${name} has ended`).toBeDefined()
      return state
    },
  }
}

const podSpec = (script: string, container: Container, spec: PodSpec) => ({
  restartPolicy: 'Never',
  ...spec,
  containers: [{ name: 'main', image: 'shell:1', args: [script], ...container }],
})

const secretVolume = (secretName: string) => [{ name: 'secret', secret: { secretName } }]

describe('a cluster with a process node', () => {
  let cluster: Cluster
  const { apply, pod, job, podOfJob, secret, startPod, startJob, terminated } = on(() => cluster)

  beforeAll(async () => {
    cluster = await startCluster({ images })
  }, startTimeout)
  afterAll(() => cluster?.stop())

  test("gives a Job's pod its files, variables and token at their paths, and reports its message and end", async () => {
    await secret('account', { clientId: 'id-1', clientSecret: 'secret-1' })
    const script = [
      'cat /etc/zendesk/clientId',
      'echo " $ID $POD $NAMESPACE $GREETING"',
      'cat /var/run/secrets/kubernetes.io/serviceaccount/namespace',
      'test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo " token"',
      'printf "%s records" 12 > /dev/termination-log',
    ].join('\n')
    const fieldRef = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } })
    await startJob(
      'reads',
      script,
      {
        env: [
          { name: 'ID', valueFrom: { secretKeyRef: { name: 'account', key: 'clientId' } } },
          { name: 'POD', ...fieldRef("metadata.labels['job-name']") },
          { name: 'NAMESPACE', ...fieldRef('metadata.namespace') },
          { name: 'GREETING', value: 'hello $(NAMESPACE)' },
        ],
        volumeMounts: [{ name: 'secret', mountPath: '/etc/zendesk' }],
      },
      { volumes: secretVolume('account') },
    )
    await cluster.kubectl('wait', '--for=condition=complete', 'job/reads', '--timeout=20s')
    const { metadata, status } = (await podOfJob('reads')) ?? {}
    expect(status?.phase).toBe('Succeeded')
    expect(status?.containerStatuses?.[0].state.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
      message: '12 records',
    })
    const log = await cluster.kubectl('logs', metadata?.name ?? '')
    expect(log).toBe('id-1 id-1 reads default hello default\ndefault token\n')
    expect(existsSync('/etc/zendesk') || existsSync('/dev/termination-log')).toBe(false)
  })

  test('lets a pod talk to the API with its token, as its service account', async () => {
    const script = `
      const { readFileSync } = require('node:fs')
      const file = (name) => readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/' + name, 'utf8')
      const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
      const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' })
      const headers = { authorization: 'Bearer ' + file('token'), 'content-type': 'application/json' }
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
      const call = require('node:https').request({ host, port, path, method: 'POST', headers, ca: file('ca.crt') })
      call.on('response', async (answer) => console.log(JSON.parse(await answer.toArray().then(String)).status.userInfo.username))
      call.end(body)`
    await startPod('speaks', '', { image: 'node:24', args: ['-e', script] })
    await vi.waitFor(async () => expect(await terminated('speaks')).toMatchObject({ exitCode: 0 }), patience)
    expect(await cluster.kubectl('logs', 'speaks')).toBe('system:serviceaccount:default:default\n')
  })

  test('reports an exit code that the Job controller recognises in its podFailurePolicy', async () => {
    const rule = { action: 'FailJob', onExitCodes: { operator: 'In', values: [77] } }
    await startJob('refused', 'exit 77', {}, {}, { backoffLimit: 3, podFailurePolicy: { rules: [rule] } })
    await vi.waitFor(async () => {
      const { status } = await job('refused')
      const failed = status.conditions?.find(({ type }) => type === 'Failed')
      expect(failed).toMatchObject({ status: 'True', reason: 'PodFailurePolicy' })
    }, patience)
  })

  test('sends SIGTERM when a pod is deleted, and the pod is gone once its process is', async () => {
    await startPod('ends', 'trap "echo asked to end; exit 3" TERM; echo ready; while :; do sleep 0.05; done')
    await vi.waitFor(async () => expect(await cluster.kubectl('logs', 'ends')).toBe('ready\n'), patience)
    const { uid } = (await pod('ends')).metadata
    const process = await cluster.podProcess('default', 'ends')
    await cluster.kubectl('delete', 'pod', 'ends', '--wait', '--timeout=20s')
    expect(isAlive(process)).toBe(false)
    const log = join(cluster.folder, 'logs', 'pods', `default_ends_${uid}_main.log`)
    expect(await readFile(log, 'utf8')).toBe('ready\nasked to end\n')
  })

  test('sends SIGKILL to a process that does not end in its grace period', async () => {
    await startPod('stays', 'trap "" TERM; echo ready; while :; do sleep 0.05; done')
    await vi.waitFor(async () => expect(await cluster.kubectl('logs', 'stays')).toBe('ready\n'), patience)
    const process = await cluster.podProcess('default', 'stays')
    await cluster.kubectl('delete', 'pod', 'stays', '--grace-period=1', '--wait', '--timeout=20s')
    expect(isAlive(process)).toBe(false)
  })

  test('keeps what pods write to a claim, where the next pod and the test can read it', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    const spec = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] }
    const container = { volumeMounts: [{ name: 'data', mountPath: '/data/out' }] }
    await startPod('writes', 'echo kept > /data/out/file', container, spec)
    await vi.waitFor(async () => expect(await terminated('writes')).toMatchObject({ exitCode: 0 }), patience)
    expect(await readFile(join(cluster.folder, 'claims/default/data/file'), 'utf8')).toBe('kept\n')
    await startPod('reads-back', 'cat /data/out/file', container, spec)
    await vi.waitFor(async () => expect(await terminated('reads-back')).toMatchObject({ exitCode: 0 }), patience)
    expect(await cluster.kubectl('logs', 'reads-back')).toBe('kept\n')
    expect(existsSync('/data/out')).toBe(false)
  })

  test('says that an image cannot be pulled, and ends such a pod when it is deleted', async () => {
    await startPod('unknown', '', { image: 'nowhere/nothing:9' })
    await vi.waitFor(async () => {
      const { status } = await pod('unknown')
      expect(status.phase).toBe('Pending')
      expect(status.containerStatuses?.[0].state.waiting?.reason).toMatch(/^(ErrImagePull|ImagePullBackOff)$/)
    }, patience)
    await cluster.kubectl('delete', 'pod', 'unknown', '--wait', '--timeout=20s')
  })

  test('waits for a Secret that is missing, and starts the pod when it comes', async () => {
    const container = { volumeMounts: [{ name: 'secret', mountPath: '/etc/late' }] }
    await startPod('waits', 'cat /etc/late/key', container, { volumes: secretVolume('late') })
    await startPod('waits-too', 'echo $KEY', { envFrom: [{ secretRef: { name: 'late' } }], args: ['echo $key'] })
    await vi.waitFor(async () => {
      expect((await pod('waits')).status.containerStatuses?.[0].state.waiting?.reason).toBe('ContainerCreating')
      const waiting = (await pod('waits-too')).status.containerStatuses?.[0].state.waiting
      expect(waiting?.reason).toBe('CreateContainerConfigError')
    }, patience)
    await secret('late', { key: 'here' })
    for (const name of ['waits', 'waits-too']) {
      await vi.waitFor(async () => expect(await terminated(name)).toMatchObject({ exitCode: 0 }), patience)
      expect((await cluster.kubectl('logs', name)).trim()).toBe('here')
    }
  })

  test('brings a changed Secret into a running pod, whole', async () => {
    await secret('changing', { first: 'a', second: 'a' })
    const script = 'until [ "$(cat /etc/changing/second)" = b ]; do sleep 0.02; done; cat /etc/changing/first'
    const container = { volumeMounts: [{ name: 'secret', mountPath: '/etc/changing' }] }
    await startPod('watches', script, container, { volumes: secretVolume('changing') })
    await vi.waitFor(async () => expect((await pod('watches')).status.phase).toBe('Running'), patience)
    await secret('changing', { first: 'b', second: 'b' })
    await vi.waitFor(async () => expect(await terminated('watches')).toMatchObject({ exitCode: 0 }), patience)
    expect(await cluster.kubectl('logs', 'watches')).toBe('b')
  })

  test('starts a container again as its restart policy says', async () => {
    await startPod('restarts', 'exit 1', {}, { restartPolicy: 'OnFailure' })
    await vi.waitFor(async () => {
      const { status } = await pod('restarts')
      expect(status.containerStatuses?.[0]).toMatchObject({
        restartCount: 1,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
      })
    }, patience)
    await cluster.kubectl('delete', 'pod', 'restarts', '--wait', '--timeout=20s')
  })

  test('follows a log until the container ends', async () => {
    await startPod('talks', 'for i in 1 2 3 4 5; do echo $i; sleep 0.1; done')
    await vi.waitFor(async () => expect((await pod('talks')).status.phase).not.toBe('Pending'), patience)
    expect(await cluster.kubectl('logs', '--follow', 'talks')).toBe('1\n2\n3\n4\n5\n')
    expect(await cluster.kubectl('logs', '--tail=2', 'talks')).toBe('4\n5\n')
  })

  test('writes down who asked the API server for what', async () => {
    const kubeconfig = await cluster.kubeconfigFor({ name: 'eve', groups: ['auditors'] })
    const environment = { env: { PATH: process.env.PATH, HOME: join(cluster.folder, 'home') } }
    const args = ['--kubeconfig', kubeconfig, 'get', 'secret', 'account']
    await expect(promisify(execFile)(cluster.kubectlPath, args, environment)).rejects.toThrow(/"eve" cannot get/)
    const lines = (await readFile(cluster.auditLog, 'utf8')).trim().split('\n')
    const events = lines.map((line) => JSON.parse(line) as { user: { username: string }; objectRef?: object })
    expect(events.findLast(({ user }) => user.username === 'eve')).toMatchObject({
      verb: 'get',
      objectRef: { resource: 'secrets', name: 'account' },
      user: { groups: expect.arrayContaining(['auditors']) },
      responseStatus: { code: 403 },
    })
  })
})

describe('clusters side by side', () => {
  test('with mount paths replaced, know nothing of each other, and leave nothing behind', {
    timeout: startTimeout,
  }, async () => {
    const clusters = await Promise.all([
      startCluster({ name: 'left', images, isolation: 'paths' }),
      startCluster({ name: 'right', images, isolation: 'paths' }),
    ])
    const [left, right] = clusters
    const { secret, startPod, pod } = on(() => left)
    await secret('account', { clientId: 'left' })
    const environment = { env: [{ name: 'FOLDER', value: '/etc/zendesk' }] }
    const container = { ...environment, volumeMounts: [{ name: 'secret', mountPath: '/etc/zendesk' }] }
    const script = 'cat "$FOLDER/clientId" && grep tokenFile "$KUBECONFIG"'
    await startPod('reads', script, container, { volumes: secretVolume('account') })
    await startPod('stays', 'sleep 1000')
    await vi.waitFor(async () => expect((await pod('reads')).status.phase).toBe('Succeeded'), patience)
    await vi.waitFor(async () => expect((await pod('stays')).status.phase).toBe('Running'), patience)
    expect(await left.kubectl('logs', 'reads')).toMatch(/^left.*tokenFile: /s)
    expect(await right.kubectl('get', 'pods,secrets', '-o', 'name')).toBe('')
    expect(right.server).not.toBe(left.server)

    const pids = (await Promise.all(clusters.map(({ folder }) => recordedPids(folder)))).flat()
    expect(pids.length).toBe(2 * 5 + 1)
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), patience)
    expect(clusters.map(({ folder }) => existsSync(folder))).toEqual([false, false])
  })

  test('end the processes of pods too, when the node was killed or paused before', {
    timeout: startTimeout,
  }, async () => {
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const cluster = await startCluster({ images })
      const { startPod, pod } = on(() => cluster)
      await startPod('stays', 'trap "" TERM; sleep 1000 & wait')
      await vi.waitFor(async () => expect((await pod('stays')).status.phase).toBe('Running'), patience)
      const podProcess = await cluster.podProcess('default', 'stays')
      process.kill(cluster.node?.pid ?? 0, signal)
      await cluster.stop()
      await vi.waitFor(() => expect(isAlive(podProcess)).toBe(false), patience)
      expect(existsSync(cluster.folder)).toBe(false)
    }
  })

  test('end with the process that started them, even if it is killed', { timeout: startTimeout }, async () => {
    const { folder, owner } = await startInOtherProcess()
    const pids = await recordedPids(folder)
    expect(pids.length).toBe(5)
    owner.kill('SIGKILL')
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), patience)
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), patience)
  })
})

async function startInOtherProcess() {
  const cluster = join(import.meta.dirname, '../support/cluster/cluster.ts')
  const script = `
    import { startCluster } from ${JSON.stringify(cluster)}
    console.log((await startCluster({ images: {} })).folder)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [folder] = (await owner.stdout.take(1).map(String).toArray()) as string[]
  return { owner, folder: (folder ?? '').trim() }
}
