/** The streams of a run, read side by side within one budget. What Zendesk refuses one does not stop the others. */
import { z } from 'zod'
import { EXIT, type RunOrders } from '../connector/run.ts'
import { subdomain } from '../connector/schema.ts'
import type { ZendeskClient } from '../zendesk/client.ts'
import type { Hold } from './checkpoint.ts'
import { isoTime } from './clock.ts'
import { type Run, syncStream } from './engine.ts'
import { concernsAll, type Failure, failureOf, worstOf } from './failure.ts'
import { SEGMENT_LIMITS } from './hand.ts'
import type { Tallies } from './progress.ts'
import { createRedactor } from './redact.ts'
import type { RunDependencies } from './run.ts'
import type { Stream } from './streams.ts'
import type { Tally } from './tally.ts'

export type Outcome = { readonly failure: Failure | undefined; readonly moreToDo: boolean }

/** Reads all streams until their ends, the end of the slice, or a failure that concerns all of them. */
export async function readStreams(
  orders: RunOrders,
  dependencies: Pick<RunDependencies, 'sink' | 'clock' | 'log' | 'pod' | 'segmentLimits' | 'signal'>,
  hold: Hold,
  client: ZendeskClient,
  tallies: Tallies,
): Promise<Outcome> {
  const { sink, clock, log, pod, segmentLimits = SEGMENT_LIMITS, signal } = dependencies
  const own = new AbortController()
  const over = new AbortController()
  const stop = AbortSignal.any([signal, own.signal])
  void clock.wait(orders.sliceSeconds * 1000, over.signal).then(() => own.abort())
  const failures: Failure[] = []
  let moreToDo = false

  const fail = (stream: string, error: unknown) => {
    const failure = failureOf(stream, error)
    if (failure.exitCode === EXIT.software) log.error({ stream, error }, 'Unforeseen error')
    else log.warn({ stream, reason: failure.reason }, failure.message)
    failures.push(failure)
    if (concernsAll(failure)) own.abort()
  }

  const zendeskNow = await client.now(stop).catch((error: unknown) => {
    if (stop.aborted) moreToDo = true
    else fail('Zendesk', error)
  })
  if (zendeskNow !== undefined) {
    const run: Run = {
      account: subdomain(orders.endpoint),
      displayName: orders.displayName,
      run: orders.run,
      pod,
      source: client,
      sink,
      redact: createRedactor(orders.redact),
      hold,
      clock,
      segmentLimits,
      zendeskNow,
      snapshotsSince: orders.snapshotsSince === undefined ? undefined : new Date(orders.snapshotsSince),
      lowerBound: isoTime(Math.floor(zendeskNow.getTime() / 1000 - orders.lookbackSeconds) * 1000),
      stop,
    }
    const readOne = async ([stream, tally]: [Stream, Tally]) => {
      const read = new AbortController()
      void estimate(stream, tally, client, AbortSignal.any([stop, read.signal]))
      try {
        tally.outcome = await syncStream(stream, run, tally)
        if (tally.outcome === 'stopped') moreToDo = true
        const { records, late, requests, outcome } = tally
        log.info(
          { stream: stream.name, records, late, requests, lagSeconds: lagOf(tally, zendeskNow), outcome },
          'Stream read',
        )
      } catch (error) {
        // Still trying, or comparing, when the time to end had come: nothing has moved, the next run does it again.
        const isStopped = [signal, stop].some(({ aborted, reason }) => aborted && error === reason)
        tally.outcome = isStopped ? 'stopped' : 'failed'
        if (isStopped) moreToDo = true
        else fail(stream.name, error)
      } finally {
        read.abort()
      }
    }
    await Promise.all([...tallies].map(readOne))
  }
  over.abort()
  return { failure: worstOf(failures), moreToDo }
}

const countAnswer = z.object({ count: z.object({ value: z.int().min(0) }) })

/** Asks how much there is to read for the first time. An estimate for people: whatever goes wrong is passed over. */
async function estimate(
  { name, count }: Stream,
  tally: Tally,
  client: Pick<ZendeskClient, 'get'>,
  signal: AbortSignal,
): Promise<void> {
  if (count === undefined || tally.chain?.complete === true) return
  try {
    const answer = JSON.parse((await client.get(() => count, { stream: name, signal })).toString())
    tally.expected = countAnswer.safeParse(answer).data?.count.value
  } catch {
    // No percentage, then.
  }
}

/** Seconds from the newest record to now, by Zendesk's clock; undefined: there is none. */
function lagOf({ chain }: Tally, zendeskNow: Date): number | undefined {
  if (chain?.newestRecordTime === undefined) return undefined
  return Math.max(0, Math.round((zendeskNow.getTime() - Date.parse(chain.newestRecordTime)) / 1000))
}
