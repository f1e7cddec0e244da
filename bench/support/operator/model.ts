/**
 * One connector with all that a connector of some days has: tested, three runs behind it with their Jobs, the pod of the
 * last one, and a checkpoint. The operator itself has made it, so that a fleet of its likes is as a real one.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ACCOUNTS, CONNECTORS, NAMESPACES, type World } from './world.ts'

/** An object as the API server serves it. */
export type Served = {
  // biome-ignore lint/suspicious/noExplicitAny: a model is copied as it is, whatever is in it
  readonly [part: string]: any
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
  }
}

export type Model = {
  readonly name: string
  readonly namespace: string
  readonly connector: Served
  /** Oldest first. */
  readonly jobs: readonly Served[]
  /** Of the newest Job. */
  readonly pod: Served
  readonly checkpoint: Served
}

/** As many as are kept. */
const RUNS = 3
const NAME = `${ACCOUNTS.good.prefix}model`
const NAMESPACE = NAMESPACES[0] ?? ''

/** Body of a Secret that the account of that name accepts. */
export const secretOf = (name: string) => ({
  metadata: { name: `${name}-zendesk` },
  stringData: { clientId: 'zendesk-connector', clientSecret: `${name}-secret` },
})

/** Body of a connector to the account of that name, for which nothing falls due by itself. */
export const connectorOf = (name: string) => ({
  apiVersion: 'cloudapps.security/v1alpha1',
  kind: 'ZendeskConnector',
  metadata: { name },
  spec: {
    displayName: `Account ${name}`,
    endpoint: `${name}.zendesk.com`,
    secretRef: { name: `${name}-zendesk` },
    connectionTest: { interval: '24h' },
    sync: { interval: '168h', sink: { stdout: {} } },
  },
})

/** Has the operator make it, takes it down as text, and removes it. */
export async function takeModel({ cluster: { api }, startOperator }: World): Promise<Model> {
  const connectors = `${CONNECTORS}/namespaces/${NAMESPACE}/zendeskconnectors`
  await api.request('POST', `/api/v1/namespaces/${NAMESPACE}/secrets`, { body: secretOf(NAME) })
  await api.request('POST', connectors, { body: connectorOf(NAME) })
  const operator = startOperator()
  try {
    for (let run = 1; run <= RUNS; run += 1) {
      const ended = ({ status }: Served) => status?.sync?.lastSlot === run && status.sync.activeRun === undefined
      const connector = await until(() => api.request<Served>('GET', `${connectors}/${NAME}`), ended)
      if (connector.status.sync.lastRun.result !== 'Succeeded') throw new Error(JSON.stringify(connector.status))
      const body = { metadata: { annotations: { 'cloudapps.security/sync-requested-at': `${run}` } } }
      if (run < RUNS) await api.request('PATCH', `${connectors}/${NAME}`, { body, contentType: MERGE })
    }
  } finally {
    await operator.stop()
  }
  const listed = async (path: string) => (await api.request<{ items: Served[] }>('GET', path)).items
  const ofModel = `labelSelector=${encodeURIComponent(`cloudapps.security/connector=${NAME}`)}`
  const jobs = await listed(`/apis/batch/v1/namespaces/${NAMESPACE}/jobs?${ofModel}`)
  const pods = await listed(`/api/v1/namespaces/${NAMESPACE}/pods?${ofModel}`)
  const maps = await listed(`/api/v1/namespaces/${NAMESPACE}/configmaps?${ofModel}`)
  const slotOf = ({ metadata }: Served) => Number(metadata.labels?.['cloudapps.security/slot'])
  const pod = pods.find((one) => slotOf(one) === RUNS)
  const checkpoint = maps.find(({ metadata }) => metadata.name.endsWith('checkpoint'))
  if (jobs.length !== RUNS || pod === undefined || checkpoint === undefined) throw new Error('the model is not whole')
  const connector = await api.request<Served>('GET', `${connectors}/${NAME}`)
  await api.request('DELETE', `${connectors}/${NAME}`)
  jobs.sort((one, other) => slotOf(one) - slotOf(other))
  return { name: NAME, namespace: NAMESPACE, connector, jobs, pod, checkpoint }
}

export const MERGE = 'application/merge-patch+json'

async function until<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = performance.now() + 90_000
  for (;;) {
    const value = await look()
    if (holds(value)) return value
    if (performance.now() > deadline) throw new Error(`not so within 90 s: ${JSON.stringify(value)}`)
    await delay(100)
  }
}
