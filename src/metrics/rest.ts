/** Calls to the API server, named as client-go does. */
import { Counter, Histogram, type Registry } from 'prom-client'
import type { RestMetrics } from '../kube/cluster.ts'

const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]

export function createRestMetrics(registry: Registry): RestMetrics {
  const requests = new Counter({
    registers: [registry],
    labelNames: ['code', 'method', 'host'],
    name: 'rest_client_requests_total',
    help: 'Requests to the API server, by status code (<error>: no response), method and host.',
  })
  const durations = new Histogram({
    registers: [registry],
    labelNames: ['verb', 'host'],
    name: 'rest_client_request_duration_seconds',
    help: 'Duration of requests to the API server, excluding watches.',
    buckets: SECONDS,
  })
  return {
    answered: (labels) => requests.inc(labels),
    took: ({ method, host, seconds }) => durations.observe({ verb: method, host }, seconds),
  }
}
