/** The calls that an election makes: all to one Lease. */
import type { Cluster } from './cluster.ts'
import { isKubeError } from './errors.ts'
import { type Lease, type LeaseRecord, leaseBody, parseLease } from './lease.ts'
import { pathOf } from './paths.ts'

/** All throw KubeError; those that take a signal are ended by it, and after `left` milliseconds. */
export type LeaseCalls = {
  /** undefined: there is none. */
  get(signal?: AbortSignal, left?: number): Promise<Lease | undefined>
  /** AlreadyExists when another was quicker. */
  create(record: LeaseRecord): Promise<Lease>
  /** Conflict when it has changed since. */
  update(from: Lease, record: LeaseRecord, signal?: AbortSignal, left?: number): Promise<Lease>
}

/** Each call ends after `longest` milliseconds at the latest. */
export function leaseCalls(cluster: Cluster, namespace: string, name: string, longest: number): LeaseCalls {
  const all = pathOf('/apis/coordination.k8s.io/v1', namespace, 'leases')
  const one = pathOf('/apis/coordination.k8s.io/v1', namespace, 'leases', name)
  const limits = (signal?: AbortSignal, left = longest) => ({
    ...(signal && { signal }),
    timeoutMilliseconds: Math.max(1, Math.round(Math.min(longest, left))),
  })
  return {
    async get(signal, left) {
      try {
        return parseLease(await cluster.request('GET', one, limits(signal, left)))
      } catch (error) {
        if (isKubeError(error, 'NotFound')) return undefined
        throw error
      }
    },
    async create(record) {
      const body = leaseBody({ namespace, name }, record)
      return parseLease(await cluster.request('POST', all, { body, ...limits() }))
    },
    async update(from, record, signal, left) {
      const body = leaseBody(from.metadata, record)
      return parseLease(await cluster.request('PUT', one, { body, ...limits(signal, left) }))
    },
  }
}
