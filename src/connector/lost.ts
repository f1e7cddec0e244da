/**
 * A run whose node does not answer any more. Its pod is being deleted and stays, since only the kubelet could say that it
 * has ended; its Job waits for that, for days if need be. Nothing else has to: the pod's token is not taken any more, so that it
 * cannot renew its checkpoint, and sends nothing.
 */
import { silentFrom } from './holder.ts'
import type { Books, ObservedPod, ObservedRun } from './observed.ts'
import { earliest, LONGEST_RUN_MS, LOST_MS, later, latest } from './schedule.ts'

export const isUnfinished = ({ phase }: ObservedPod) => phase !== 'Succeeded' && phase !== 'Failed'

/** When the run counts as lost; undefined: no pod of it is left, or one that is not being deleted. */
export function lostAt({ run, pods }: ObservedRun, holder: Books['holder'], now: Date): Date | undefined {
  const left = pods.filter(isUnfinished).map(({ deletionTime }) => deletionTime)
  if (left.length === 0 || left.includes(undefined)) return undefined
  // A kubelet may be away while its pods go on.
  const silent = holder?.run === run ? silentFrom(holder, now) : undefined
  return latest([...left.map((time) => time && later(time, LOST_MS)), silent])
}

export function isLost(run: ObservedRun, holder: Books['holder'], now: Date): boolean {
  const time = lostAt(run, holder, now)
  return time !== undefined && time <= now
}

/**
 * Until when a Job or pod of a run may hold its account, unless it is seen to end before: nobody may be told of the end, since
 * the node is lost, or the namespace closed to us.
 */
export function heldUntil(
  { creationTime, deletionTime }: Pick<ObservedPod, 'creationTime' | 'deletionTime'>,
  now: Date,
): Date {
  const end = deletionTime === undefined ? later(creationTime, LONGEST_RUN_MS) : later(deletionTime, LOST_MS)
  return earliest([end, later(now, LONGEST_RUN_MS)]) ?? end
}
