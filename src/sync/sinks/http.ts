/**
 * Events posted to an HTTP collector, in batches and in order. Each arrives at least once: what was sent before an error
 * is sent again by the next run. Receivers that want it once know a record by its `metadata.uid`, and a batch that is
 * repeated by its `Idempotency-Key`, the SHA-256 of its uncompressed body (quoted, as the IETF's draft has it).
 */
import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { type Segment, segmentLines } from '../segment.ts'
import { type Again, judge, type Recipient, type Verdict } from './http-answers.ts'
import { type Batch, cutBatches } from './http-batches.ts'
import { type CourierOptions, createCourier } from './http-courier.ts'
import { type Delivery, openDelivery, refusesEverything } from './http-delivery.ts'
import { type FormatName, formatOf, type Origin } from './http-formats.ts'
import { type Sink, SinkError } from './sink.ts'
import { type Channel, openChannel } from './splunk-channel.ts'

export type HttpSinkOptions = Origin &
  Omit<CourierOptions, 'host'> & {
    /** `http://` or `https://`, without user, password and fragment. */
    readonly url: string
    readonly format: FormatName
    readonly gzip: boolean
    /** With SplunkHEC: a batch counts only when the indexers have acknowledged it. */
    readonly acknowledge: boolean
  }

/** Times that a segment is sent to a Splunk that does not acknowledge it. */
const ROUNDS = 2

const compress = promisify(zlib.gzip)

/**
 * Without readBack: what was published is the collector's. `publish` rejects with the signal's reason when the process
 * has to end before the collector has taken everything: the next run sends it again.
 */
export function createHttpSink(options: HttpSinkOptions): Sink {
  const { url, gzip, clock, onWait } = options
  const { host } = new URL(url)
  const recipient: Recipient = { host, format: options.format, gzip }
  const format = formatOf(options.format, options)
  const courier = createCourier({ ...options, host })
  const wantsAcknowledgement = options.acknowledge && options.format === 'SplunkHEC'
  /** The collector has taken something since this process began. */
  let proven = false

  const send = async ({ id, body }: Batch, channel: Channel | undefined): Promise<'taken' | 'refused'> => {
    const post = {
      url,
      headers: {
        'content-type': format.contentType,
        'idempotency-key': `"${id}"`,
        ...(gzip && { 'content-encoding': 'gzip' }),
        ...channel?.headers(),
      },
      body: gzip ? await compress(body, { level: 1 }) : body,
    }
    const verdict = await courier.post<Exclude<Verdict, Again>>(post, (answer) => {
      channel?.stay(answer)
      return judge(answer, recipient, clock.now())
    })
    if (verdict.kind === 'taken') {
      proven = true
      channel?.sent(id, verdict.ackId)
    }
    return verdict.kind
  }

  /** Brings what is still to be brought; true when all of it is there for good. */
  const bringAll = async (segment: Segment, delivery: Delivery): Promise<boolean> => {
    const channel = wantsAcknowledgement ? openChannel(url, recipient, { courier, clock, onWait }) : undefined
    for await (const items of cutBatches(segmentLines(Readable.from([segment.gzip])), format)) {
      await delivery.bring(items, (batch) => send(batch, channel))
    }
    // One record that comes alone is given up: it may well be bad, and a stream must not hang on it. Several, and
    // nothing taken since this process began, are more likely good records at the wrong door.
    if (!proven && delivery.rejected.length > 1) throw refusesEverything(host)
    if (channel === undefined) return true
    const { acknowledged, missing } = await channel.settle()
    delivery.settle(acknowledged)
    return missing === 0
  }

  return {
    identity: `http/${hash('sha256', url)}`,
    publish: async (segment) => {
      const delivery = openDelivery(host, format)
      for (let round = 1; !(await bringAll(segment, delivery)); round += 1) {
        if (round === ROUNDS) throw new SinkError(neverAcknowledged(host))
      }
      return delivery.rejected.length === 0 ? 'published' : { rejected: delivery.rejected }
    },
    close: courier.close,
  }
}

function neverAcknowledged(host: string): string {
  return `Splunk at ${host} has not acknowledged a batch, twice: check its indexers and the load balancer's sticky sessions.`
}
