/**
 * The times that a status records are past. They are not where the API server's clock was ahead for a while and has been put
 * right since: all that is counted from them would stand still until they have come.
 */
import { believed } from './schedule.ts'
import type { Status } from './status.ts'

const RECORDED = new Set([
  'lastTime',
  'reasonSince',
  'lastStartTime',
  'lastSuccessTime',
  'resyncTime',
  'startTime',
  'endTime',
  'since',
  'progressTime',
  'lastTransitionTime',
])

/** The status with each time that lies ahead as of now: written down so, it is counted from like any other. */
export function withPastTimes(status: Status, now: Date): Status {
  const healed = (value: unknown, name: string): unknown => {
    if (typeof value === 'string') return RECORDED.has(name) && !believed(value, now) ? now.toISOString() : value
    if (Array.isArray(value)) return value.map((one) => healed(one, ''))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, healed(one, key)]))
  }
  return healed(status, '') as Status
}
