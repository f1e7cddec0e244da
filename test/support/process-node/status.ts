/** A pod's status out of the states of its containers, as a kubelet reports it. Pure. */
import type { Pod } from './kinds.ts'

/** Where a container is in its life. */
export type ContainerState =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly kind: 'running'; readonly startedAt: string }
  | {
      readonly kind: 'terminated'
      readonly exitCode: number
      readonly reason: string
      readonly startedAt?: string
      readonly finishedAt: string
      readonly message?: string
    }

/** A container's state, and how often it has been started again. */
export type ContainerReport = { readonly state: ContainerState; readonly restarts: number }

/** A condition of a pod. */
export type Condition = {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string | null
  readonly lastTransitionTime: string
}

/** What there is to say about a pod: its containers, whether none will be started again, and what was said before. */
export type PodFacts = {
  readonly pod: Pod
  readonly reports: ReadonlyMap<string, ContainerReport>
  readonly over: boolean
  readonly before: readonly Condition[]
  readonly now: string
}

/** The patch of `status` that says how the pod is. */
export function podStatus({ pod, reports, over, before, now }: PodFacts) {
  const states = [...reports.values()].map(({ state }) => state)
  const succeeded = states.every((state) => state.kind === 'terminated' && state.exitCode === 0)
  const ready = states.every((state) => state.kind === 'running')
  const starting = states.some((state) => state.kind === 'waiting' && state.reason !== 'CrashLoopBackOff')
  const reason = !over ? 'ContainersNotReady' : succeeded ? 'PodCompleted' : 'PodFailed'
  const condition = (type: string, holds: boolean): Condition => {
    const status = holds ? 'True' : 'False'
    const old = before.find((other) => other.type === type && other.status === status)
    return { type, status, reason: holds ? null : reason, lastTransitionTime: old?.lastTransitionTime ?? now }
  }
  return {
    phase: over ? (succeeded ? 'Succeeded' : 'Failed') : starting ? 'Pending' : 'Running',
    hostIP: '127.0.0.1',
    podIP: '127.0.0.1',
    podIPs: [{ ip: '127.0.0.1' }],
    startTime: pod.status.startTime ?? now,
    conditions: [
      condition('PodReadyToStartContainers', !over),
      condition('Initialized', true),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: pod.spec.containers.map(({ name, image }) => containerStatus(name, image, reports.get(name))),
  }
}

const creating: ContainerState = { kind: 'waiting', reason: 'ContainerCreating' }

function containerStatus(name: string, image: string, report: ContainerReport = { state: creating, restarts: 0 }) {
  const { kind, ...details } = report.state
  return {
    name,
    image,
    imageID: kind === 'waiting' ? '' : `process://${image}`,
    ready: kind === 'running',
    started: kind === 'running',
    restartCount: report.restarts,
    state: { [kind]: details },
  }
}
