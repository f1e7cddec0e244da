/** The story that `kubectl describe` tells: what changed from one status to the next, each thing once. */
import type { Connector } from './schema.ts'
import type { Status } from './status.ts'

/** `reason` is one word, `message` one sentence without secrets. */
export type Happening = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }

/** What is worth telling of the way from `before` to `after`. */
export function happenings(connector: Connector, before: Status | undefined, after: Status): Happening[] {
  return [connectionChanged(connector, before, after), ...runEnded(before, after), runStarted(before, after)].filter(
    (one) => one !== undefined,
  )
}

function connectionChanged({ spec }: Connector, before: Status | undefined, after: Status): Happening | undefined {
  const was = before?.conditions?.find((one) => one.type === 'Connected')
  const is = after.conditions?.find((one) => one.type === 'Connected')
  if (is === undefined || (was?.status === is.status && was.reason === is.reason)) return undefined
  if (is.reason === 'NotTested') return undefined
  if (is.status !== 'True') return { type: 'Warning', reason: is.reason, message: is.message }
  if (is.reason === 'RateLimitTooHigh') return { type: 'Warning', reason: is.reason, message: is.message }
  const role = after.account?.role === undefined ? '' : ` as ${after.account.role} (user ${after.account.userId})`
  return { type: 'Normal', reason: 'Connected', message: `Connected to ${spec.endpoint}${role}.` }
}

function runStarted(before: Status | undefined, after: Status): Happening | undefined {
  const { activeRun, lastSlot } = after.sync ?? {}
  if (activeRun === undefined || (before?.sync?.lastSlot ?? 0) >= (lastSlot ?? 0)) return undefined
  return { type: 'Normal', reason: 'RunStarted', message: `Run ${lastSlot} started: Job ${activeRun.job}.` }
}

function runEnded(before: Status | undefined, after: Status): Happening[] {
  const last = after.sync?.lastRun
  if (last === undefined || last.id === before?.sync?.lastRun?.id) return []
  if (last.result === 'Failed') {
    return [{ type: 'Warning', reason: last.reason ?? 'RunFailed', message: last.message ?? 'The run failed.' }]
  }
  if (last.result === 'Stopped') {
    return [{ type: 'Normal', reason: 'RunStopped', message: `The run was stopped: Job ${last.id} was deleted.` }]
  }
  const more = last.result === 'MoreToDo' ? ', more to do' : ''
  return [
    {
      type: 'Normal',
      reason: 'RunSucceeded',
      message: `The run published ${last.records} records with ${last.requests} requests${more}: Job ${last.id}.`,
    },
  ]
}
