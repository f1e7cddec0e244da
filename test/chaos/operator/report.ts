/** The outcome as a table for people, and as one line for programs. */
import { table } from '../report.ts'
import { type FaultResult, isGood } from './run.ts'

export function tableOf(results: readonly FaultResult[]): string {
  const rows = results.map((result) => [
    result.name,
    result.recoveredSeconds.toFixed(1),
    result.failoverSeconds?.toFixed(1) ?? '',
    result.duplicateJobs,
    result.writesByStaleLeader,
    isGood(result) ? 'holds' : 'DOES NOT HOLD',
  ])
  const head = ['fault', 'right after s', 'failover s', 'slots with two Jobs', 'writes by a stale leader', '']
  const wrong = results.flatMap(({ name, wrong: sentences }) => sentences.map((sentence) => `${name}: ${sentence}`))
  return [table(head, rows), ...(wrong.length > 0 ? [wrong.join('\n')] : [])].join('\n\n')
}

/** `{faults: [{name, recoveredSeconds, duplicateJobs, writesByStaleLeader}]}`, and failoverSeconds where a leader was struck. */
export function figuresOf(results: readonly FaultResult[]): object {
  return { faults: results.map(({ wrong: _, ...figures }) => figures) }
}
