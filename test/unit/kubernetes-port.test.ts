/** What the controller hears of a run that the API server does not take. */
import { expect, it, test } from 'vitest'
import { refusedRun } from '../../src/connector/facts.ts'
import type { Cluster } from '../../src/kube/cluster.ts'
import { KubeError, type KubeReason } from '../../src/kube/errors.ts'
import type { View } from '../../src/kube/view.ts'
import { kubernetesPort } from '../../src/kubernetes-port.ts'
import { acme, ordersOfAcme } from '../support/run-orders.ts'
import { START } from './fixtures/connectors.ts'

/** Everything is made at once, but the Job. */
const starting = (error: KubeError) => {
  const request: Cluster['request'] = async (method, path, call) => {
    if (path.endsWith('/zendeskconnectors/acme')) return acme
    if (method === 'GET') throw new KubeError('NotFound', 'not found', 404)
    if (path.endsWith('/jobs')) throw error
    return call?.body
  }
  const cluster = { request, watch: async () => {}, close: async () => {} }
  const view = { learn: { connector: () => {} } } as unknown as View
  const events = { record: async () => {}, close: () => {} }
  const port = kubernetesPort(cluster, view, events, { image: 'image', logLevel: 'info' }, new AbortController().signal)
  return port.startRun(acme, ordersOfAcme)
}

/** With a webhook's code, or the 400 that k8s.io/apiserver gives a denial without one. */
test.each<[KubeReason, number]>([
  ['BadRequest', 400],
  ['Forbidden', 403],
  ['Invalid', 422],
])('a Job that admission denies with %s is a run refused, in admission’s words', async (reason, code) => {
  const message = 'admission webhook "policy.example.com" denied the request: no team label'
  expect(await starting(new KubeError(reason, message, code))).toEqual({ refused: message })
})

it('is no answer when the API server cannot say: that is tried again', async () => {
  await expect(starting(new KubeError('TooManyRequests', 'later', 429))).rejects.toThrow('later')
})

it('is told the same each time, whatever the Job is called', () => {
  const denied = (run: string) => refusedRun(run, `Job/security/${run} was blocked`, START).message
  expect(denied('acme-1')).toBe(denied('acme-2'))
  expect(denied('acme-1')).toContain('was blocked')
})
