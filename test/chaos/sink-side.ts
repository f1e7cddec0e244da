/** The other side of a lane's sink: where its records go, who consumes them there, and a relay in between. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Collector, startCollector } from '../support/collector.ts'
import type { S3Server } from '../support/s3/server.ts'
import type { SinkKind } from './books.ts'
import { arrivalsIn, type Consumer, folderShelf, hashOf, startConsumer } from './consumer.ts'
import type { Dice } from './dice.ts'
import { type Relay, type RelayOptions, startRelay } from './relay.ts'

export type SinkSide = {
  readonly kind: SinkKind
  /** As `spec.sync.sink`. */
  readonly spec: object
  /** Data of the sink's Secret. */
  readonly secret: Readonly<Record<string, string>>
  readonly consumer: Consumer
  /** Absent: the sink is a folder, which has no relay in front of it … */
  readonly relay?: Relay
  /** … and this is where the connector's segments stand in it. */
  readonly segments?: string
  stop(): Promise<void>
}

/** `below`: namespace and connector, as sinks name folders by them. */
type Place = { readonly name: string; readonly below: string; readonly at: RelayOptions['at'] }

/** A folder that is there already. */
export function fileSide(folder: string, { name, below }: Place): SinkSide {
  const segments = join(folder, below)
  const consumer = startConsumer(folderShelf(segments))
  return { kind: 'file', spec: { file: { claimName: name } }, secret: {}, consumer, segments, stop: consumer.stop }
}

/** A bucket of its own. The server keeps objects as files, and so can be read past the relay. */
export async function s3Side(server: S3Server, { name, below, at }: Place): Promise<SinkSide> {
  const objects = await server.bucket(name)
  const relay = await startRelay({ to: server.endpoint, at })
  await mkdir(join(objects, 'events'), { recursive: true })
  const consumer = startConsumer(folderShelf(join(objects, 'events', below)))
  const { accessKeyId, secretAccessKey } = server
  return {
    kind: 's3',
    spec: { s3: { bucket: name, prefix: 'events', endpoint: relay.origin, pathStyle: true, secretRef: { name } } },
    secret: { accessKeyId, secretAccessKey },
    consumer,
    relay,
    stop: async () => {
      await consumer.stop()
      await relay.stop()
    },
  }
}

/** A collector of its own. */
export async function httpSide({ name, at }: Place, dice: Dice): Promise<SinkSide> {
  const authorization = `Bearer ${name}-token`
  const collector = await startCollector({ authorization })
  const relay = await startRelay({ to: new URL(collector.url).origin, at })
  const url = `${relay.origin}${new URL(collector.url).pathname}`
  const format = dice.of(['NDJSON', 'JSONArray'])
  return {
    kind: 'http',
    spec: { http: { url, format, gzip: dice.chance(0.7), secretRef: { name } } },
    secret: { Authorization: authorization },
    consumer: collectorsConsumer(collector),
    relay,
    stop: async () => {
      await relay.stop()
      await collector.stop()
    },
  }
}

/** The collector keeps what it was given. A batch that comes again must be the same batch. */
function collectorsConsumer({ events, requests }: Collector): Consumer {
  return {
    arrivals: () => arrivalsIn(Buffer.from(events.map((event) => `${event}\n`).join('')), 'the collector'),
    headers: () => [],
    look: async () => {},
    verify: async () => {
      const batches = new Map<string, string>()
      return requests.flatMap(({ headers, body }) => {
        const id = String(headers['idempotency-key'])
        const before = batches.get(id) ?? hashOf(body)
        batches.set(id, before)
        return before === hashOf(body) ? [] : [`batch ${id} came again with other records`]
      })
    },
    stop: async () => {},
  }
}
