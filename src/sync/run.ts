/** One sync run from orders to report: claim the checkpoint, read the streams side by side, report, release. */
import { EXIT, type Progress, type Report, type RunOrders, type Spent } from '../connector/run.ts'
import { streamName, subdomain } from '../connector/schema.ts'
import type { Usage, ZendeskClient } from '../zendesk/client.ts'
import { type CheckpointStore, claim, Fenced, type Hold } from './checkpoint.ts'
import type { Clock } from './clock.ts'
import { type ExitCode, type Failure, failureOf, noCheckpoint } from './failure.ts'
import type { SegmentLimits } from './hand.ts'
import { createProgress } from './progress.ts'
import { reportOf } from './report.ts'
import { readStreams } from './side-by-side.ts'
import { type Sink, SinkError } from './sinks/sink.ts'
import { spentBefore, stillSending } from './spent.ts'
import { STREAM, type Stream } from './streams.ts'
import { newTally, type Tally } from './tally.ts'

export type RunDependencies = {
  /**
   * Makes the client, which awaits `guard` before each request, asks `isHeld` when it leaves, and counts `spent` against
   * its budget.
   */
  readonly client: (given: Pick<Hold, 'guard' | 'isHeld'> & { readonly spent: readonly Spent[] }) => ZendeskClient
  readonly store: CheckpointStore
  readonly sink: Sink
  readonly clock: Clock
  readonly log: Log
  /** Uid of the pod. */
  readonly pod: string
  /** When a segment is closed; default: SEGMENT_LIMITS. */
  readonly segmentLimits?: SegmentLimits
  /** Hears every second how far the run has come. */
  readonly onProgress?: (progress: Progress) => void
  /** SIGTERM: what was read is published, and the run ends with more to do. */
  readonly signal: AbortSignal
}

export type Log = Readonly<Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>>

export type RunEnd = { readonly report: Report; readonly exitCode: ExitCode }

const NOTHING_USED: Usage = { requests: 0, throttled: 0, throttledMs: 0, retries: {}, codes: {}, spent: [] }
const TELL_MS = 1000
const NO_ANSWER = 'The checkpoint cannot be renewed, so no request is sent: check that the Kubernetes API is reached'

/** Never rejects: whatever happens is in the report, and the report in the checkpoint unless another run holds it. */
export async function runSync(orders: RunOrders, dependencies: RunDependencies): Promise<RunEnd> {
  const { clock, log, store, sink, pod, signal } = dependencies
  const { run, slot } = orders
  const startTime = clock.now().toISOString()
  const account = subdomain(orders.endpoint)
  const tallies = new Map<Stream, Tally>()
  let client: ZendeskClient | undefined
  const end = (failure: Failure | undefined, moreToDo: boolean): RunEnd => {
    const usage = client?.usage() ?? NOTHING_USED
    const endTime = clock.now().toISOString()
    const report = reportOf({ run, slot, startTime, endTime, failure, moreToDo, usage, tallies })
    return { report, exitCode: failure?.exitCode ?? EXIT.ok }
  }

  const names = streamName.array().safeParse(orders.streams)
  if (!names.success) return end(unknownStream, false)
  for (const name of names.data) tallies.set(STREAM[name], newTally(tellRejected(name, log)))

  const progress = createProgress(tallies, clock.now)
  let waitingFor: string | undefined
  const told = tellChanges(log)
  const tell = () => progress(client?.usage() ?? NOTHING_USED, waitingFor ?? client?.waiting())

  let hold: Hold
  try {
    hold = await claim(
      store,
      { run, slot, pod, account, sink: sink.identity },
      {
        clock,
        signal,
        progress: (chains) => {
          for (const [{ name }, tally] of tallies) tally.chain ??= chains[name]
          return told(tell())
        },
        onSilence: (isSilent) => {
          waitingFor = isSilent ? NO_ANSWER : undefined
          if (isSilent) log.warn({}, NO_ANSWER)
        },
      },
    )
  } catch (error) {
    log.warn({ error }, 'The checkpoint could not be claimed')
    return end(error instanceof Fenced || error instanceof SinkError ? failureOf('', error) : noCheckpoint, false)
  }

  // Whoever had it before may have moved them while it was being claimed.
  for (const [{ name }, tally] of tallies) tally.chain = hold.chains[name]
  const over = new AbortController()
  if (dependencies.onProgress !== undefined) void tellEverySecond(dependencies.onProgress, tell, clock, over.signal)

  const silenceMs = stillSending(hold.found, clock.now())
  if (silenceMs > 0) {
    waitingFor = 'the run before ended without a word: it could still be sending requests'
    log.info({ waitMs: silenceMs }, waitingFor)
    await clock.wait(silenceMs, signal)
    waitingFor = undefined
  }
  const spent = [...orders.spent, ...spentBefore(hold.found, clock.now(), orders.requestsPerMinute)]
  const read = async () => {
    client = dependencies.client({ guard: hold.guard, isHeld: hold.isHeld, spent })
    return readStreams(orders, dependencies, hold, client, tallies)
  }
  const { failure, moreToDo } = await read().catch((error: unknown) => {
    log.error({ error }, 'Unforeseen error')
    return { failure: failureOf('', error), moreToDo: false }
  })
  over.abort()
  // First: no request may follow the last count.
  client?.close()
  const ended = end(failure, moreToDo)
  const spentByUs = client?.usage().spent ?? []
  const released = failure?.exitCode === EXIT.fenced ? ended : await release(hold, spentByUs, ended, log)
  return released
}

/** Passes a progress on, and says it in the log whenever it is another than before. */
function tellChanges(log: Log): (progress: Progress) => Progress {
  let last: string | undefined
  return (progress) => {
    const { sentence, percent, estimatedCompletionTime, waitingFor, measures } = progress
    if (sentence !== last && last !== undefined) {
      const { requests, throttledSeconds } = measures
      log.info(
        { progress: sentence, percent, estimatedCompletionTime, waitingFor, requests, throttledSeconds },
        'Reading',
      )
    }
    last = sentence
    return progress
  }
}

async function tellEverySecond(
  onProgress: (progress: Progress) => void,
  tell: () => Progress,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    onProgress(tell())
    await clock.wait(TELL_MS, signal)
  }
}

/** Uids of records that the sink has refused; the rest of many is only counted. */
function tellRejected(stream: string, log: Log): (uids: readonly string[]) => void {
  return (uids) =>
    log.warn({ stream, rejected: uids.length, uids: uids.slice(0, 20) }, 'The sink refuses these records for good')
}

/** The last write. Whatever the run itself came to stands, but for a claim that was lost meanwhile. */
async function release(hold: Hold, spent: readonly Spent[], ended: RunEnd, log: Log): Promise<RunEnd> {
  try {
    await hold.release(ended.report, spent)
    return ended
  } catch (error) {
    log.warn({ error }, 'The report could not be written into the checkpoint')
    if (error instanceof Fenced) return { ...ended, exitCode: EXIT.fenced }
    return { ...ended, exitCode: ended.exitCode === EXIT.ok ? EXIT.tryAgain : ended.exitCode }
  }
}

const unknownStream: Failure = {
  exitCode: EXIT.usage,
  reason: 'RunFailed',
  message:
    'The orders contain a stream that this version does not know: use the same image for operator and sync pods.',
}
