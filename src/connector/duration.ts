/** Durations as Kubernetes writes them: `90s`, `15m`, `1h30m`. */
import { z } from 'zod'
import { withRules } from './rule.ts'

const shape = /^([0-9]+h)?([0-9]+m)?([0-9]+s)?$/

/** Milliseconds of a duration such as `1h30m`; NaN when it is not one. */
export function milliseconds(duration: string): number {
  const match = shape.exec(duration)
  if (match === null || duration === '') return Number.NaN
  const part = (text: string | undefined) => (text === undefined ? 0 : Number.parseInt(text, 10))
  return (part(match[1]) * 3600 + part(match[2]) * 60 + part(match[3])) * 1000
}

/** Schema of a duration within `min` and `max`, both inclusive and themselves durations. */
export function durationBetween(min: string, max: string): z.ZodString {
  return withRules(z.string().max(32), [
    {
      rule: `self.matches('${shape.source}') && self.size() > 0 && duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`,
      message: `must be a duration from ${min} to ${max}, such as 15m or 1h30m`,
      holds: (value) => milliseconds(value) >= milliseconds(min) && milliseconds(value) <= milliseconds(max),
    },
  ])
}
