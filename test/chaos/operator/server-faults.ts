/** Faults of the API server and of the way to it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Fault } from './faults.ts'

const UNREACHABLE = ['Network', 'Timeout', 'Unavailable', 'TooManyRequests', 'NotLeader', 'Other']

export const apiServerKilled: Fault = {
  name: 'api-server-killed',
  what: 'the API server is killed with -9, and is back after 3 s and what its start takes',
  mayLog: UNREACHABLE,
  strike: async ({ world: { cluster, part, partAgain } }) => {
    const server = part('kube-apiserver')
    process.kill(server.pid, 'SIGKILL')
    await server.exited
    await delay(3_000)
    await partAgain('kube-apiserver')
    const isReady = () =>
      cluster.api.request('GET', '/readyz').then(
        () => true,
        () => false,
      )
    while (!(await isReady())) await delay(50)
    return { since: performance.now() }
  },
}

export const etcdPaused: Fault = {
  name: 'etcd-paused',
  what: 'etcd is stopped for 15 s: the API server takes requests and does not answer',
  mayLog: UNREACHABLE,
  strike: async ({ world: { part } }) => {
    const { pid } = part('etcd')
    process.kill(pid, 'SIGSTOP')
    await delay(15_000)
    process.kill(pid, 'SIGCONT')
    return { since: performance.now() }
  },
}

export const watchesSilenced: Fault = {
  name: 'watches-black-holed',
  what: 'the connections of all open watches are no longer read, and stay open',
  mayLog: [],
  strike: async ({ world: { replicas } }) => {
    for (const { gate } of replicas) if (gate.silence() === 0) throw new Error('there was no watch to silence')
    return { since: performance.now() }
  },
}

export const apiServerRefuses: Fault = {
  name: 'api-server-refuses',
  what: 'for 20 s six of ten requests are answered with 429 and Retry-After, or 500; watches are cut, and try again',
  mayLog: UNREACHABLE,
  strike: async ({ world: { replicas }, dice }) => {
    const end = performance.now() + 20_000
    const rule = () => {
      if (dice.chance(0.4)) return undefined
      return dice.chance(0.5) ? { status: 429, retryAfter: 1 } : { status: 500 }
    }
    for (const { gate } of replicas) gate.refuse(rule)
    while (performance.now() < end) {
      for (const { gate } of replicas) gate.cut((watches) => dice.between(0, watches - 1))
      await delay(1_000)
    }
    for (const { gate } of replicas) gate.refuse(undefined)
    return { since: performance.now() }
  },
}
