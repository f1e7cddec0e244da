/** One sync run with all it needs of this process: the pod's command and the local one differ in what they hand over. */
import { type Credentials, readCredentials } from './connector/credentials.ts'
import type { Progress, RunOrders } from './connector/run.ts'
import type { CheckpointStore } from './sync/checkpoint.ts'
import { systemClock } from './sync/clock.ts'
import { type Log, type RunEnd, runSync } from './sync/run.ts'
import type { Sink } from './sync/sinks/sink.ts'
import { createClient } from './zendesk/client.ts'
import { ZendeskError } from './zendesk/errors.ts'
import { connectTo, type Egress } from './zendesk/http.ts'

/** Hears of each wait what is waited for, and for how long, in ms. */
export type OnWait = (what: string, milliseconds: number) => void

export type RunParts = {
  /** Data of the connector's Secret, asked for at each token. */
  readonly secret: () => Promise<Readonly<Record<string, string>>>
  readonly egress: Egress
  readonly store: CheckpointStore
  /** Makes the sink; it is closed in the end. */
  readonly sink: (onWait: OnWait) => Promise<Sink>
  readonly log: Log
  /** Tells this process from any other. */
  readonly pod: string
  readonly signal: AbortSignal
  readonly onWait: OnWait
  readonly onProgress?: (progress: Progress) => void
}

/** Rejects only when the sink cannot be made; what goes wrong later is in the report. */
export async function composeRun(orders: RunOrders, parts: RunParts): Promise<RunEnd> {
  const { secret, egress, onWait, ...others } = parts
  const { now, monotonic } = systemClock
  const ofSink = lastWait(monotonic)
  const sink = await parts.sink((what, milliseconds) => {
    ofSink.begin(what, milliseconds)
    onWait(what, milliseconds)
  })
  const zendesk = connectTo(orders.endpoint, egress)
  const end = await runSync(orders, {
    ...others,
    sink,
    clock: systemClock,
    client: ({ guard, isHeld, spent }) => {
      const client = createClient({
        send: zendesk.send,
        endpoint: orders.endpoint,
        credentials: async () => credentialsFrom(await secret()),
        requestsPerMinute: orders.requestsPerMinute,
        spent,
        guard,
        isHeld,
        clock: { now, monotonic },
        random: Math.random,
        onWait,
      })
      return { ...client, waiting: () => ofSink.current() ?? client.waiting() }
    },
  })
  await Promise.allSettled([zendesk.close(), sink.close?.()])
  return end
}

/** What is waited for just now, by one who says only when a wait begins and how long it is. */
function lastWait(monotonic: () => number) {
  let last: { readonly what: string; readonly until: number } | undefined
  return {
    begin: (what: string, milliseconds: number) => {
      last = { what, until: monotonic() + milliseconds }
    },
    current: () => (last !== undefined && monotonic() < last.until ? last.what : undefined),
  }
}

function credentialsFrom(data: Readonly<Record<string, string>>): Credentials {
  const credentials = readCredentials('of the connector', data)
  if ('clientId' in credentials) return credentials
  throw new ZendeskError('SecretKeyMissing', credentials.message ?? 'A key of the Secret is missing.')
}
