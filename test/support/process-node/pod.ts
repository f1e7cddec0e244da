/**
 * The life of one pod on the process node, from being bound to being gone. What goes wrong on the way to a container's
 * start is reported as its waiting state, and tried again whenever something the pod needs has changed.
 */
import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type RunningContainer, startContainer } from './container.ts'
import { NotYet, watchInputs } from './inputs.ts'
import type { Container, Pod } from './kinds.ts'
import { entrypointOf, type NodeContext, planContainer, podFolder } from './plan.ts'
import { reportOn } from './reporter.ts'
import { podTokens } from './tokens.ts'
import { type MadeVolume, makeVolume } from './volumes.ts'

/** A pod that the node looks after. */
export type PodRunner = {
  /** Takes note of a newer version of the pod: that it shall end, above all. */
  update(pod: Pod): void
  /** Ends the pod at once, because it is gone from the API or the node stops. */
  kill(): void
  /** Resolves when nothing of the pod is left on this machine. */
  readonly ended: Promise<void>
}

const longestBackOff = 300_000

/** Takes charge of a pod that has been bound to this node. */
export function runPod(node: NodeContext, pod: Pod): PodRunner {
  const { spec } = pod
  const folder = podFolder(node.clusterFolder, pod)
  // In this order: no container is started any more; none runs any more; the API does not know the pod any more.
  const stopping = new AbortController()
  const over = new AbortController()
  const gone = new AbortController()
  const running = new Set<RunningContainer>()
  const reporter = reportOn(node.api, pod, gone.signal)
  let change = Promise.withResolvers<void>()
  const changed = () => {
    change.resolve()
    change = Promise.withResolvers()
  }
  const inputs = watchInputs(node.api, pod, over.signal, changed)
  const token = podTokens(node.api, pod, over.signal, changed)
  const volumeContext = { api: node.api, pod, inputs, folder, written: new Map(), token }

  let filling: Promise<unknown> = Promise.resolve()
  function fillVolumes(): Promise<ReadonlyMap<string, MadeVolume>> {
    const fill = async () => {
      const made = (spec.volumes ?? []).map(
        async (volume) => [volume.name, await makeVolume(volume, volumeContext)] as const,
      )
      return new Map(await Promise.all(made))
    }
    const filled = filling.then(fill, fill)
    filling = filled
    return filled
  }

  async function start(container: Container, isFirstTry: boolean): Promise<RunningContainer> {
    const entrypoint = entrypointOf(node, container, isFirstTry)
    await Promise.race([inputs.listed, aborted(stopping.signal)])
    const volumes = await fillVolumes()
    const plan = await planContainer(node, { pod, folder, inputs, volumes }, container, entrypoint)
    stopping.signal.throwIfAborted()
    return startContainer(plan)
  }

  async function startWhenPossible(container: Container, restarts: number): Promise<RunningContainer | undefined> {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const next = change.promise
      try {
        return await start(container, attempt === 0)
      } catch (error) {
        const reason = error instanceof NotYet ? error.reason : 'ContainerCreating'
        reporter.report(
          container.name,
          { kind: 'waiting', reason, message: String((error as Error).message) },
          restarts,
        )
        await Promise.race([next, pause(1000, stopping.signal)])
      }
    }
    return undefined
  }

  async function runContainer(container: Container): Promise<void> {
    for (let restarts = 0, backOff = 0; ; restarts++) {
      const started = await startWhenPossible(container, restarts)
      if (!started) return
      running.add(started)
      reporter.report(container.name, { kind: 'running', startedAt: started.startedAt }, restarts)
      if (stopping.signal.aborted) started.terminate()
      if (gone.signal.aborted) started.kill()
      const end = await started.ended
      running.delete(started)
      const again = spec.restartPolicy === 'Always' || (spec.restartPolicy === 'OnFailure' && end.exitCode !== 0)
      if (!again || stopping.signal.aborted) return reporter.report(container.name, end, restarts)
      const message = `back-off ${backOff / 1000}s restarting failed container, last exit code ${end.exitCode}`
      reporter.report(container.name, { kind: 'waiting', reason: 'CrashLoopBackOff', message }, restarts)
      await pause(backOff, stopping.signal)
      backOff = Math.min(Math.max(backOff * 2, 10_000), longestBackOff)
    }
  }

  async function keepVolumesFresh(): Promise<void> {
    while (!over.signal.aborted) {
      await Promise.race([change.promise, aborted(over.signal)])
      if (!over.signal.aborted) await fillVolumes().catch(() => {})
    }
  }

  async function live(): Promise<void> {
    await mkdir(folder, { recursive: true })
    const fresh = keepVolumesFresh()
    if (!spec.initContainers?.length) await Promise.all(spec.containers.map(runContainer))
    over.abort()
    await fresh
    const unstarted = spec.initContainers?.length
      ? 'init containers are not supported by the process node'
      : 'the pod was ended before the container could be started'
    await reporter.finish(unstarted)
    await rm(folder, { recursive: true, force: true })
    await aborted(stopping.signal)
    await reporter.remove()
  }

  function stop(graceSeconds: number): void {
    stopping.abort()
    for (const container of running) container.terminate()
    pause(graceSeconds * 1000, over.signal).then(() => {
      for (const container of running) container.kill()
    })
  }

  return {
    update({ metadata }) {
      if (metadata.deletionTimestamp && !stopping.signal.aborted) stop(metadata.deletionGracePeriodSeconds ?? 30)
    },
    kill() {
      gone.abort()
      stopping.abort()
      for (const container of running) container.kill()
    },
    ended: live(),
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

const pause = (milliseconds: number, signal: AbortSignal) => delay(milliseconds, undefined, { signal }).catch(() => {})
