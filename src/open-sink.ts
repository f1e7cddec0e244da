/** Sinks by their orders: this is where a new one is named. What a sink alone needs is imported when it is ordered. */
import { UsageError } from './config.ts'
import type { RunOrders } from './connector/run.ts'
import { subdomain } from './connector/schema.ts'
import { mountedSecret } from './mounted-secret.ts'
import type { Clock } from './sync/clock.ts'
import { createFileSink } from './sync/sinks/file.ts'
import { type Sink, SinkError } from './sync/sinks/sink.ts'
import { createStdoutSink } from './sync/sinks/stdout.ts'
import type { Egress } from './zendesk/http.ts'

export type SinkSurroundings = {
  /** Where the volume of the file sink is mounted. */
  readonly folder: string | undefined
  /** Where the sink's Secret is mounted; each sink reads it again at each use. */
  readonly secretFolder: string | undefined
  readonly egress: Egress
  readonly clock: Clock
  readonly random: () => number
  /** Each wait says what it waits for. */
  readonly onWait: (what: string, milliseconds: number) => void
  /** The process shall end. */
  readonly signal: AbortSignal
}

/** @throws UsageError when the surroundings lack what the sink needs. */
export async function openSink(orders: RunOrders, surroundings: SinkSurroundings): Promise<Sink> {
  const { sink, namespace, connector } = orders
  const { folder, secretFolder, egress, clock, random, onWait, signal } = surroundings
  const secret = async () => {
    if (secretFolder === undefined) return {}
    const found = await mountedSecret(secretFolder)
    // One that is missing is mounted as an empty folder.
    if (Object.keys(found).length === 0) throw new SinkError(secretIsMissing)
    return found
  }
  if ('secret' in sink && sink.secret && secretFolder === undefined) {
    throw new UsageError(`SINK_SECRET_DIR is not set, but the ${sink.kind} sink has a Secret.`)
  }
  switch (sink.kind) {
    case 'file':
      if (folder === undefined) throw new UsageError('SINK_DIR is not set, but the file sink needs a folder.')
      return createFileSink({ root: folder, claimName: sink.claimName, namespace, connector })
    case 's3': {
      const { createS3Sink } = await import('./sync/sinks/s3.ts')
      const { endpoint, ...bucket } = sink
      const credentials = async () => ({ accessKeyId: '', secretAccessKey: '', ...(await secret()) })
      return createS3Sink({
        ...bucket,
        ...(endpoint !== undefined && { endpoint }),
        namespace,
        connector,
        ...(sink.secret && { credentials }),
        egress,
        clock,
        random,
        onWait,
        signal,
      })
    }
    case 'http': {
      const { createHttpSink } = await import('./sync/sinks/http.ts')
      return createHttpSink({
        ...sink,
        account: subdomain(orders.endpoint),
        connector: `${namespace}/${connector}`,
        headers: secret,
        egress,
        clock,
        random,
        onWait,
        signal,
      })
    }
    case 'stdout':
      return createStdoutSink(process.stdout, { clock, signal })
  }
}

const secretIsMissing =
  "The sink's Secret is missing or empty: create it with the keys that the sink needs, or correct the sink's secretRef."
