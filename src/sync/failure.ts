/** Why a run failed, for its report, and how its process ends. */
import { isLasting, type Reason } from '../connector/reasons.ts'
import { EXIT } from '../connector/run.ts'
import { ZendeskError } from '../zendesk/errors.ts'
import { CheckpointGone, CheckpointSilent, Fenced } from './checkpoint.ts'
import { SinkError } from './sinks/sink.ts'

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export type Failure = {
  readonly exitCode: ExitCode
  readonly reason: Reason
  /** One sentence for people, free of secrets and of what was read. */
  readonly message: string
}

/** What an error of a stream amounts to; one that nobody foresaw is a defect of ours. */
export function failureOf(stream: string, error: unknown): Failure {
  if (error instanceof Fenced) return { exitCode: EXIT.fenced, reason: 'RunFailed', message: error.message }
  if (error instanceof CheckpointGone) return checkpointGone
  if (error instanceof CheckpointSilent) return noCheckpoint
  if (error instanceof SinkError) return { exitCode: EXIT.sink, reason: error.reason, message: error.message }
  if (error instanceof ZendeskError) {
    const message = error.message.includes(stream) ? error.message : `${stream}: ${error.message}`
    const exitCode = isLasting(error.reason) ? EXIT.permission : EXIT.tryAgain
    return { exitCode, reason: error.reason, message }
  }
  return defect
}

const defect: Failure = {
  exitCode: EXIT.software,
  reason: 'RunFailed',
  message: "The run failed because of a bug: check the sync pod's log, and report it.",
}

/** The store of checkpoints did not answer. */
export const noCheckpoint: Failure = {
  exitCode: EXIT.tryAgain,
  reason: 'RunFailed',
  message: 'The checkpoint cannot be read or written: check that the sync pod can reach the Kubernetes API.',
}

const checkpointGone: Failure = {
  exitCode: EXIT.tryAgain,
  reason: 'RunFailed',
  message:
    'The checkpoint, or the permission for it, was deleted: the next run recreates both and continues where the sink ends.',
}

/** From the one that matters most. */
const precedence: readonly ExitCode[] = [EXIT.fenced, EXIT.software, EXIT.sink, EXIT.permission, EXIT.tryAgain]

/** Of several streams' failures the one that decides how the run ends. */
export function worstOf(failures: readonly Failure[]): Failure | undefined {
  return precedence.flatMap((code) => failures.filter(({ exitCode }) => exitCode === code))[0]
}

/** Whether the other streams may go on: what Zendesk refuses one stream says nothing about the others. */
export function concernsAll({ exitCode }: Failure): boolean {
  return exitCode !== EXIT.permission && exitCode !== EXIT.tryAgain
}
