/**
 * Splunk's indexer acknowledgement (D): an answer of 200 says that a batch has come in, and its ackId can be asked about
 * until it is true that the indexers hold it. An ackId counts within a channel, on the one machine that gave it.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { type Again, type Answer, judge, type Recipient } from './http-answers.ts'
import type { Courier, HeaderFields } from './http-courier.ts'
import { SinkError } from './sink.ts'

export type Channel = {
  /** For each batch that is sent through the channel. */
  headers(): HeaderFields
  /** A batch came in under that ackId. @throws SinkError when there is none. */
  sent(batch: string, ackId: number | undefined): void
  /** Cookies by which a load balancer keeps us with the machine that knows the channel. */
  stay(answer: Answer): void
  /** Asks until all batches are acknowledged, or five minutes are over: then some are missing. @throws SinkError */
  settle(): Promise<{ readonly acknowledged: ReadonlySet<string>; readonly missing: number }>
}

/** Splunk may keep a batch for two minutes before it indexes it, and calls it lost after five (D). */
const ACKNOWLEDGED_WITHIN_MS = 5 * 60_000
const FIRST_LOOK_MS = 1_000
/** What Splunk asks clients to leave between two looks (D). */
const LOOK_MS = 10_000

/**
 * A channel for one attempt at one segment. When the machine begins again, so do its ackIds: were a channel used for
 * longer, another batch's acknowledgement could be taken for that of one that was lost.
 */
export function openChannel(
  url: string,
  recipient: Recipient,
  { courier, clock, onWait }: { courier: Courier; clock: Clock; onWait: (what: string, milliseconds: number) => void },
): Channel {
  const id = randomUUID()
  const batches = new Set<string>()
  const waiting = new Map<number, string>()
  const cookies = new Map<string, string>()

  const withCookies = (): HeaderFields =>
    cookies.size === 0 ? {} : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }

  const stay = (answer: Answer) => {
    for (const cookie of answer.header('set-cookie')) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(cookie) ?? []
      if (name !== undefined && value !== undefined) cookies.set(name.trim(), value.trim())
    }
  }

  const look = (): Promise<{ readonly kind: 'acks'; readonly acks: Readonly<Record<string, boolean>> }> =>
    courier.post(
      {
        url: ackUrl(url, id),
        headers: { 'content-type': 'application/json', 'x-splunk-request-channel': id, ...withCookies() },
        body: JSON.stringify({ acks: [...waiting.keys()] }),
      },
      (answer) => {
        stay(answer)
        return readAcks(answer, recipient, clock.now())
      },
    )

  return {
    headers: () => ({ 'x-splunk-request-channel': id, ...withCookies() }),
    stay,
    sent: (batch, ackId) => {
      if (ackId === undefined) throw new SinkError(withoutAck(recipient))
      // Given a second time, an ackId no longer stands for the batch that had it first: that one is never acknowledged.
      waiting.set(ackId, batch)
      batches.add(batch)
    },
    settle: async () => {
      const acknowledged = new Set<string>()
      const until = clock.monotonic() + ACKNOWLEDGED_WITHIN_MS
      for (let attempt = 0; waiting.size > 0; attempt += 1) {
        const waitMs = Math.min(FIRST_LOOK_MS * 2 ** attempt, LOOK_MS)
        if (clock.monotonic() + waitMs > until) break
        if (waitMs === LOOK_MS) onWait(`Splunk at ${recipient.host} has not yet acknowledged the batch.`, waitMs)
        await courier.wait(waitMs)
        const { acks } = await look()
        for (const [ackId, batch] of waiting) {
          if (acks[ackId] !== true) continue
          waiting.delete(ackId)
          acknowledged.add(batch)
        }
      }
      return { acknowledged, missing: batches.size - acknowledged.size }
    },
  }
}

/** `…/services/collector/event`, `…/services/collector` → `…/services/collector/ack?channel=…` */
function ackUrl(url: string, channel: string): string {
  const address = new URL(url)
  address.pathname = `${address.pathname.replace(/\/+$/, '').replace(/\/event(\/1\.0)?$/, '')}/ack`
  address.searchParams.set('channel', channel)
  return address.href
}

const ackAnswer = z.object({ acks: z.record(z.string(), z.boolean()) })

function readAcks(answer: Answer, recipient: Recipient, now: Date) {
  const verdict: { readonly kind: string } | Again = judge(answer, recipient, now)
  if (verdict.kind === 'again') return verdict as Again
  const read = verdict.kind === 'taken' ? ackAnswer.safeParse(JSON.parse(answer.text)).data : undefined
  if (read === undefined) throw new SinkError(withoutAck(recipient))
  return { kind: 'acks' as const, acks: read.acks }
}

function withoutAck({ host }: Recipient): string {
  return `Splunk at ${host} does not acknowledge: enable indexer acknowledgement on the token, or set acknowledge to false.`
}
