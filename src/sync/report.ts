/** What a run says of itself when it ends. */
import type { Report } from '../connector/run.ts'
import type { Usage } from '../zendesk/client.ts'
import type { Failure } from './failure.ts'
import { measuresOf, type Tallies } from './progress.ts'

export type RunFacts = {
  readonly run: string
  readonly slot: number
  readonly startTime: string
  readonly endTime: string
  readonly failure: Failure | undefined
  readonly moreToDo: boolean
  readonly usage: Omit<Usage, 'spent'>
  readonly tallies: Tallies
}

export function reportOf({ failure, moreToDo, usage, tallies, ...facts }: RunFacts): Report {
  return {
    ...facts,
    result: failure !== undefined ? 'Failed' : moreToDo ? 'MoreToDo' : 'Succeeded',
    ...(failure !== undefined && { reason: failure.reason, message: failure.message }),
    ...measuresOf(tallies, usage),
  }
}
