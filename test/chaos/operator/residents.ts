/**
 * Connectors, and what is known of them from Zendesk's side: what each one's status must say, whatever happened to the
 * operator.
 */
import type { Account } from '../../simulator/account.ts'
import type { Api } from '../../support/cluster/api.ts'
import { NAMESPACE, type World } from './world.ts'

/** What a status must say to be true. Absent: it may be anything. */
export type Truth = {
  readonly connection: 'Connected' | 'Error' | 'Pending'
  /** Of Ready, when that is not True. */
  readonly reason?: string
  /** resourceVersion of the Secret that the last test was made with. */
  readonly secret?: string
  /** Value of test-requested-at that was handled. */
  readonly test?: string
  /** Value of sync-requested-at whose run has ended well. */
  readonly sync?: string
  /** Its last run was disturbed: what became of it is no matter here. */
  readonly disturbed?: boolean
}

export type Residents = {
  /** By name. */
  readonly truth: ReadonlyMap<string, Truth>
  readonly account: (name: string) => Account
  /** Makes another connector, whose truth is told. */
  add(name: string, truth: Truth, change?: Change): Promise<void>
  remove(name: string): Promise<void>
  /** Puts other values into its spec. */
  change(name: string, spec: object): Promise<void>
  /** Asks for a test by hand. */
  testNow(name: string): Promise<void>
  /** Gives it another client secret, in Zendesk and in the Secret. */
  rotate(name: string): Promise<void>
  /** The user behind it becomes an agent, or an admin again, and a test is asked for. */
  flip(name: string): Promise<void>
  syncNow(name: string): Promise<void>
  /** A run of it was disturbed, or is no longer. */
  disturb(name: string, disturbed: boolean): void
}

/** What is special about a connector. */
export type Change = { readonly spec?: object; readonly clientSecret?: string }

const CONNECTORS = `/apis/cloudapps.security/v1alpha1/namespaces/${NAMESPACE}/zendeskconnectors`
const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`

export function openTown({ cluster: { api }, simulator }: World): Residents {
  const truth = new Map<string, Truth>()
  let asked = 0

  const learn = (name: string, more: Partial<Truth>) => {
    const known = truth.get(name)
    if (known === undefined) throw new Error(`no connector ${name}`)
    truth.set(name, { ...known, ...more })
  }
  const account = (name: string) => simulator.find(name) ?? simulator.account(name, { users: { count: 5 } })
  const annotate = (name: string, what: string, value: string) =>
    merge(api, `${CONNECTORS}/${name}`, { metadata: { annotations: { [`cloudapps.security/${what}`]: value } } })

  return {
    truth,
    account,
    add: async (name, expected, { spec = {}, clientSecret = `${name}-secret` } = {}) => {
      account(name)
      const stringData = { clientId: 'zendesk-connector', clientSecret }
      await api.request('POST', SECRETS, { body: { metadata: { name: `${name}-zendesk` }, stringData } })
      await api.request('POST', CONNECTORS, { body: connector(name, spec) })
      truth.set(name, expected)
    },
    remove: async (name) => {
      truth.delete(name)
      await api.request('DELETE', `${CONNECTORS}/${name}`)
      await api.request('DELETE', `${SECRETS}/${name}-zendesk`)
    },
    rotate: async (name) => {
      const clientSecret = `rotated-${++asked}`
      account(name).rotateSecret('zendesk-connector', clientSecret)
      const changed = await merge<Named>(api, `${SECRETS}/${name}-zendesk`, { stringData: { clientSecret } })
      learn(name, { secret: changed.metadata.resourceVersion })
    },
    change: (name, spec) => merge(api, `${CONNECTORS}/${name}`, { spec }),
    testNow: async (name) => {
      const test = `${++asked}`
      await annotate(name, 'test-requested-at', test)
      learn(name, { test })
    },
    flip: async (name) => {
      const wasAdmin = truth.get(name)?.connection === 'Connected'
      account(name).changeRole(wasAdmin ? 'agent' : 'admin')
      const test = `${++asked}`
      await annotate(name, 'test-requested-at', test)
      truth.set(name, wasAdmin ? { connection: 'Error', reason: 'NotAdmin', test } : { connection: 'Connected', test })
    },
    syncNow: async (name) => {
      const sync = `${++asked}`
      await annotate(name, 'sync-requested-at', sync)
      learn(name, { sync })
    },
    disturb: (name, disturbed) => learn(name, { disturbed }),
  }
}

/** One connector for each state of the truth, and one for each thing that is asked for: they live through all faults. */
export async function settle(residents: Residents): Promise<void> {
  await residents.add('steady', { connection: 'Connected' })
  await residents.add('runner', { connection: 'Connected' })
  await residents.add('victim', { connection: 'Connected' })
  await residents.add('rotated', { connection: 'Connected' })
  await residents.add('flipped', { connection: 'Connected' })
  await residents.add('stranger', { connection: 'Error', reason: 'InvalidClient' }, { clientSecret: 'wrong' })
  await residents.add('resting', { connection: 'Pending', reason: 'Suspended' }, { spec: { suspend: true } })
}

type Named = { metadata: { resourceVersion: string } }

function merge<T = void>(api: Api, path: string, body: object): Promise<T> {
  return api.request<T>('PATCH', path, { body, contentType: 'application/merge-patch+json' })
}

/** Runs are asked for: but for the first one none comes by itself. */
function connector(name: string, spec: object) {
  return {
    apiVersion: 'cloudapps.security/v1alpha1',
    kind: 'ZendeskConnector',
    metadata: { name },
    spec: {
      endpoint: `${name}.zendesk.com`,
      secretRef: { name: `${name}-zendesk` },
      sync: { interval: '168h', streams: ['AuditLogs'], sink: { stdout: {} } },
      ...spec,
    },
  }
}
