/** A connector and the orders of one of its runs, for tests of what is made of them. */
import { type RunOrders, runOrders } from '../../src/connector/run.ts'
import { type Connector, connector } from '../../src/connector/schema.ts'

export const acme: Connector = connector.parse({
  metadata: { name: 'acme', namespace: 'security', uid: 'u-1', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { endpoint: 'acme.zendesk.com', secretRef: { name: 'acme-zendesk' }, sync: { sink: { stdout: {} } } },
})

export const ordersOfAcme: RunOrders = runOrders.parse({
  namespace: 'security',
  connector: 'acme',
  displayName: 'acme',
  run: 'acme-7',
  slot: 7,
  endpoint: 'acme.zendesk.com',
  requestsPerMinute: 200,
  lookbackSeconds: 60,
  streams: ['Users'],
  sink: { kind: 'file', claimName: 'data' },
  checkpoint: 'acme-zendesk-checkpoint',
  sliceSeconds: 3600,
  spent: [],
  redact: [],
})
