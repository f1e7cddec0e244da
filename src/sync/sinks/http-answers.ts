/**
 * What a collector's answer means. Nothing of it but its status and Splunk's own code is ever shown: a body may quote what
 * was sent, and of the url only the host is named, since path and query may hold a token.
 */
import { z } from 'zod'
import { backOff, retryAfter } from '../../zendesk/retry-after.ts'
import type { FormatName } from './http-formats.ts'
import { SinkError } from './sink.ts'

export type Answer = {
  readonly status: number
  /** All values of a header, by its lower-case name. */
  readonly header: (name: string) => readonly string[]
  /** The beginning of the body. */
  readonly text: string
}

/** Whom the batches go to, as far as sentences need it. */
export type Recipient = {
  /** Host and port. */
  readonly host: string
  readonly format: FormatName
  readonly gzip: boolean
}

/** It may go better next time; `waitMs` is the collector's advice. */
export type Again = { readonly kind: 'again'; readonly message: string; readonly waitMs?: number | undefined }

export type Verdict =
  | { readonly kind: 'taken'; readonly ackId?: number | undefined }
  /** Something in the batch, or its size, is not taken. */
  | { readonly kind: 'refused'; readonly status: number }
  | Again

const BAD_DATA: readonly number[] = [400, 413, 422]
/** 409: the batch is being worked on under the same idempotency key; 425: too early. Both pass. */
const PASSING: readonly number[] = [408, 409, 425, 429]

/** @throws SinkError when the collector will answer like this until somebody mends it or the spec. */
export function judge(answer: Answer, recipient: Recipient, now: Date): Verdict {
  const { status } = answer
  const splunk = recipient.format === 'SplunkHEC' ? readSplunk(answer) : undefined
  const wrong = SPLUNK_SETUP[splunk?.code ?? 0]
  if (wrong !== undefined && status >= 400) throw new SinkError(`Splunk at ${recipient.host} ${wrong}`)
  if (status >= 200 && status < 300) {
    // A gateway's friendly page must not pass for an event collector's word.
    if (recipient.format === 'SplunkHEC' && splunk === undefined) throw new SinkError(notSplunk(recipient))
    return { kind: 'taken', ackId: splunk?.ackId }
  }
  if (BAD_DATA.includes(status)) return { kind: 'refused', status }
  if (status >= 500 || PASSING.includes(status)) {
    return {
      kind: 'again',
      message: notNow(answer, recipient),
      waitMs: retryAfter(answer.header('retry-after')[0], now),
    }
  }
  throw new SinkError(refusal(status, recipient))
}

/** Wait before attempt number `attempt`: the advice, and in any case enough not to storm. */
export function waitBefore(attempt: number, { waitMs }: Again, random: number): number {
  return waitMs !== undefined && attempt === 0
    ? waitMs
    : Math.max(waitMs ?? 0, backOff(attempt, random, { mostMs: 30_000 }))
}

const splunkAnswer = z.object({ code: z.int().optional(), ackId: z.int().optional() })

/** The answer of Splunk's event collector (D); undefined when it is none. */
function readSplunk({ text }: Answer): z.output<typeof splunkAnswer> | undefined {
  try {
    return splunkAnswer.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Codes of Splunk's (D) that come with 400 and yet say nothing against the data. */
const SPLUNK_SETUP: Readonly<Record<number, string>> = {
  7: "does not allow the token to write to its index: set the token's default index to an allowed one.",
  10: 'requires acknowledgement for this token: set acknowledge to true, or disable indexer acknowledgement on the token.',
  11: 'rejects the channel, which requires indexer acknowledgement: check the token.',
  14: 'does not acknowledge for this token: enable indexer acknowledgement on the token, or set acknowledge to false.',
  16: 'does not accept a token in the url: put it into the Secret of the sink, as Authorization.',
}

function notSplunk({ host }: Recipient): string {
  return `${host} is not a Splunk event collector: check url, which must end with /services/collector/event.`
}

function notNow({ status }: Answer, { host }: Recipient): string {
  return status === 429
    ? `${host} is rate limiting (429): raise its limit, or send less to it.`
    : `${host} is currently unavailable (${status}): check the collector.`
}

function refusal(status: number, { host, format, gzip }: Recipient): string {
  const hec = format === 'SplunkHEC'
  if (status >= 300 && status < 400) {
    return `${host} redirects (${status}), which is not followed to protect credentials: set url to the final address.`
  }
  switch (status) {
    case 401:
    case 403:
      return hec
        ? `Splunk at ${host} rejects the token (${status}): set the key Authorization in the Secret of the sink to the word Splunk, a space and the token.`
        : `${host} rejects the credentials (${status}): check the headers in the Secret of the sink.`
    case 404:
    case 410:
      return hec
        ? `${host} has nothing at that path (${status}): check url, which must end with /services/collector/event for Splunk.`
        : `${host} has nothing at that path (${status}): check url.`
    case 405:
      return `${host} does not accept POST at that path (405): check url.`
    case 415:
      return gzip
        ? `${host} does not accept these batches (415): set gzip to false, or choose another format.`
        : `${host} does not accept these batches (415): choose another format.`
    default:
      return `${host} returns ${status}, which is unexpected from a collector: check url and the network in between.`
  }
}
