/** One sync run from orders to report: claim the checkpoint, read the streams side by side, report, release. */
import { EXIT, type Report, type RunOrders, type Spent } from '../connector/run.ts'
import { streamName, subdomain } from '../connector/schema.ts'
import type { ZendeskClient } from '../zendesk/client.ts'
import { type Chains, type CheckpointStore, claim, Fenced, type Hold } from './checkpoint.ts'
import { type Clock, isoTime } from './clock.ts'
import { syncStream, type Tally } from './engine.ts'
import { concernsAll, type ExitCode, type Failure, failureOf, noCheckpoint, originOf, worstOf } from './failure.ts'
import { SEGMENT_LIMITS, type SegmentLimits } from './hand.ts'
import { progressOf, reportOf } from './report.ts'
import type { Sink } from './sinks/sink.ts'
import { spentBefore, stillSending } from './spent.ts'
import { STREAM, type Stream } from './streams.ts'

export type RunDependencies = {
  /** Makes the client, which awaits `guard` before each request and counts `spent` against its budget. */
  readonly client: (given: { readonly guard: () => Promise<void>; readonly spent: readonly Spent[] }) => ZendeskClient
  readonly store: CheckpointStore
  readonly sink: Sink
  readonly clock: Clock
  readonly log: Log
  /** Uid of the pod. */
  readonly pod: string
  /** When a segment is closed; default: SEGMENT_LIMITS. */
  readonly segmentLimits?: SegmentLimits
  /** SIGTERM: what was read is published, and the run ends with more to do. */
  readonly signal: AbortSignal
}

export type Log = Readonly<Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>>

export type RunEnd = { readonly report: Report; readonly exitCode: ExitCode }

/** Never rejects: whatever happens is in the report, and the report in the checkpoint unless another run holds it. */
export async function runSync(orders: RunOrders, dependencies: RunDependencies): Promise<RunEnd> {
  const { clock, log, store, sink, pod, signal } = dependencies
  const { run, slot } = orders
  const startTime = clock.now().toISOString()
  const account = subdomain(orders.endpoint)
  const tallies = new Map<Stream, Tally>()
  const end = (failure: Failure | undefined, moreToDo: boolean, client?: ZendeskClient): RunEnd => {
    const usage = client?.usage() ?? { requests: 0, throttled: 0 }
    const report = reportOf({
      run,
      slot,
      startTime,
      endTime: clock.now().toISOString(),
      failure,
      moreToDo,
      usage,
      tallies,
    })
    return { report, exitCode: failure?.exitCode ?? EXIT.ok }
  }

  const names = streamName.array().safeParse(orders.streams)
  if (!names.success) return end(unknownStream, false)
  for (const name of names.data) tallies.set(STREAM[name], { chain: undefined, records: 0, late: 0, unmapped: 0 })

  let hold: Hold
  try {
    const options = { clock, signal, progress: tellProgress(tallies, log) }
    hold = await claim(store, { run, slot, pod, account, sink: sink.identity }, options)
  } catch (error) {
    log.warn(originOf(error), 'The checkpoint could not be claimed')
    return end(error instanceof Fenced ? failureOf('', error) : noCheckpoint, false)
  }

  for (const [{ name }, tally] of tallies) tally.chain = hold.chains[name]
  await clock.wait(stillSending(hold.found, clock.now()), signal)
  const spent = [...orders.spent, ...spentBefore(hold.found, clock.now(), orders.requestsPerMinute)]
  const client = dependencies.client({ guard: hold.guard, spent })
  const { failure, moreToDo } = await readStreams(orders, dependencies, hold, client, tallies)
  const ended = end(failure, moreToDo, client)
  const released = failure?.exitCode === EXIT.fenced ? ended : await release(hold, client, ended, log)
  client.close()
  return released
}

async function readStreams(
  orders: RunOrders,
  { sink, clock, log, pod, segmentLimits = SEGMENT_LIMITS, signal }: RunDependencies,
  hold: Hold,
  client: ZendeskClient,
  tallies: ReadonlyMap<Stream, Tally>,
): Promise<{ failure: Failure | undefined; moreToDo: boolean }> {
  const own = new AbortController()
  const over = new AbortController()
  const stop = AbortSignal.any([signal, own.signal])
  void clock.wait(orders.sliceSeconds * 1000, over.signal).then(() => own.abort())
  const failures: Failure[] = []
  let moreToDo = false

  const fail = (stream: string, error: unknown) => {
    const failure = failureOf(stream, error)
    if (failure.exitCode === EXIT.software) log.error({ stream, ...originOf(error) }, 'Unforeseen error')
    else log.warn({ stream, reason: failure.reason }, failure.message)
    failures.push(failure)
    if (concernsAll(failure)) own.abort()
  }

  const zendeskNow = await client.now(stop).catch((error: unknown) => {
    if (stop.aborted) moreToDo = true
    else fail('Zendesk', error)
  })
  if (zendeskNow !== undefined) {
    const shared = {
      account: subdomain(orders.endpoint),
      displayName: orders.displayName,
      run: orders.run,
      pod,
      client,
      sink,
      hold,
      clock,
      segmentLimits,
      zendeskNow,
      lowerBound: isoTime(Math.floor(zendeskNow.getTime() / 1000 - orders.lookbackSeconds) * 1000),
      stop,
    }
    const readOne = async ([stream, tally]: [Stream, Tally]) => {
      try {
        const outcome = await syncStream(stream, shared, tally)
        if (outcome === 'stopped') moreToDo = true
        log.info({ stream: stream.name, records: tally.records, late: tally.late, outcome }, 'Stream read')
      } catch (error) {
        fail(stream.name, error)
      }
    }
    await Promise.all([...tallies].map(readOne))
  }
  over.abort()
  return { failure: worstOf(failures), moreToDo }
}

/** The progress for the checkpoint, and a line in the log whenever it is another than before. */
function tellProgress(tallies: ReadonlyMap<Stream, Tally>, log: Log): (chains: Chains) => string {
  let last = ''
  return (chains) => {
    const progress = progressOf(tallies.keys(), chains)
    if (progress !== last && last !== '') log.info({ progress }, 'Reading')
    last = progress
    return progress
  }
}

/** The last write. Whatever the run itself came to stands, but for a claim that was lost meanwhile. */
async function release(hold: Hold, client: ZendeskClient, ended: RunEnd, log: Log): Promise<RunEnd> {
  try {
    await hold.release(ended.report, client.usage().spent)
    return ended
  } catch (error) {
    log.warn(originOf(error), 'The report could not be written into the checkpoint')
    if (error instanceof Fenced) return { ...ended, exitCode: EXIT.fenced }
    return { ...ended, exitCode: ended.exitCode === EXIT.ok ? EXIT.tryAgain : ended.exitCode }
  }
}

const unknownStream: Failure = {
  exitCode: EXIT.usage,
  reason: 'RunFailed',
  message: 'The orders name a stream that this version does not know: give operator and sync pods the same image.',
}
