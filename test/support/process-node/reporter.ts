/** Tells the API how a pod is, through lost connections, until the pod is gone. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Api, ApiError } from '../cluster/api.ts'
import type { Pod } from './kinds.ts'
import { type Condition, type ContainerReport, type ContainerState, podStatus } from './status.ts'

/** What is known of a pod's containers, and how it gets to the API. */
export type Reporter = {
  /** Notes a container's state and tells it, once every container has one. */
  report(container: string, state: ContainerState, restarts: number): void
  /** Tells that no container will be started again; those that never ran are said to have failed. */
  finish(unstarted: string): Promise<void>
  /** Deletes the pod from the API, which has asked for it and waits for the node's word. */
  remove(): Promise<void>
}

/** Makes the reporter of one pod; it falls silent when the signal aborts. */
export function reportOn(api: Api, pod: Pod, gone: AbortSignal): Reporter {
  const { metadata, spec } = pod
  const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`
  const reports = new Map<string, ContainerReport>()
  let conditions: readonly Condition[] = []
  let last = Promise.resolve()

  // One patch after the other, each with the newest state, so that an old state never overwrites a newer one.
  function publish(over: boolean): Promise<void> {
    last = last.then(() => {
      const status = podStatus({ pod, reports, over, before: conditions, now: new Date().toISOString() })
      conditions = status.conditions
      const call = {
        body: { metadata: { uid: metadata.uid }, status },
        contentType: 'application/strategic-merge-patch+json',
      }
      return persist(() => api.request('PATCH', `${path}/status`, call))
    })
    return last
  }

  async function persist(request: () => Promise<unknown>): Promise<void> {
    for (let pause = 50; !gone.aborted; pause = Math.min(pause * 2, 2000)) {
      try {
        await request()
        return
      } catch (error) {
        if (error instanceof ApiError && [404, 409, 422].includes(error.status)) return
        await delay(pause)
      }
    }
  }

  return {
    report(container, state, restarts) {
      const known = reports.get(container)
      if (known && JSON.stringify(known.state) === JSON.stringify(state)) return
      reports.set(container, { state, restarts })
      const isLast = [...reports.values()].every((other) => other.state.kind === 'terminated')
      if (reports.size === spec.containers.length && !isLast) publish(false)
    },
    finish(unstarted) {
      for (const { name } of spec.containers) {
        if (reports.get(name)?.state.kind !== 'terminated') reports.set(name, neverStarted(unstarted))
      }
      return publish(true)
    },
    remove() {
      const body = { gracePeriodSeconds: 0, preconditions: { uid: metadata.uid } }
      return persist(() => api.request('DELETE', path, { body }))
    },
  }
}

const neverStarted = (message: string): ContainerReport => ({
  restarts: 0,
  state: {
    kind: 'terminated',
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message,
    finishedAt: new Date().toISOString(),
  },
})
