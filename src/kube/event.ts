/** One Event of a connector: created, or counted on where it is there. Its name follows from connector and reason. */
import { z } from 'zod'
import type { Happening } from '../connector/events.ts'
import { type Connector, KIND } from '../connector/schema.ts'
import { plainText } from '../connector/text.ts'
import type { Cluster } from './cluster.ts'
import { isKubeError } from './errors.ts'
import { eventName, PROGRAM } from './names.ts'
import { API_VERSION, pathOf } from './paths.ts'

/** The same reason `times` times, told in the words of the last time. */
export type Story = { readonly happening: Happening; readonly at: Date; readonly times: number }

/** How often it has happened by the Event as it stands. `toldAt`: another has just told, and this was not added. */
export type Told = { readonly count: number; readonly toldAt?: Date }

const stored = z.object({ count: z.int().min(0).default(1), lastTimestamp: z.iso.datetime().nullish() })
/** As much as an API server takes. */
const MOST_CHARACTERS = 1024

/**
 * Tells a story. `count`: times in the Event as it stands; undefined: not known, then one that was last changed after
 * `since` is left alone. @throws KubeError.
 */
export async function tellEvent(
  cluster: Cluster,
  connector: Connector,
  story: Story,
  count: number | undefined,
  since: Date,
): Promise<Told> {
  const { namespace, name, uid } = connector.metadata
  const collection = pathOf('/api/v1', namespace, 'events')
  const path = `${collection}/${eventName(name, uid, story.happening.reason)}`
  const add = async (before: number): Promise<Told> => {
    const body = [{ op: 'test', path: '/count', value: before }, ...changed(story, before + story.times)]
    await cluster.request('PATCH', path, { body, contentType: 'application/json-patch+json' })
    return { count: before + story.times }
  }
  if (count !== undefined) {
    try {
      return await add(count)
    } catch (error) {
      // The API server has dropped it meanwhile, or another leader has gone on from there.
      if (!isKubeError(error, 'NotFound', 'Invalid')) throw error
    }
  }
  try {
    await cluster.request('POST', collection, { body: newEvent(connector, story) })
    return { count: story.times }
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
  }
  const there = stored.parse(await cluster.request('GET', path))
  const toldAt = new Date(there.lastTimestamp ?? 0)
  return toldAt > since ? { count: there.count, toldAt } : add(there.count)
}

function newEvent(connector: Connector, { happening: { type, reason, message }, at, times }: Story) {
  const { namespace, name, uid, resourceVersion } = connector.metadata
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: eventName(name, uid, reason), namespace },
    involvedObject: { apiVersion: API_VERSION, kind: KIND, namespace, name, uid, resourceVersion },
    type,
    reason,
    message: plainText(message, MOST_CHARACTERS),
    source: { component: PROGRAM },
    reportingComponent: PROGRAM,
    reportingInstance: PROGRAM,
    firstTimestamp: seconds(at),
    lastTimestamp: seconds(at),
    count: times,
  }
}

function changed({ happening: { type, message }, at }: Story, count: number) {
  const values = { type, message: plainText(message, MOST_CHARACTERS), lastTimestamp: seconds(at), count }
  return Object.entries(values).map(([field, value]) => ({ op: 'add', path: `/${field}`, value }))
}

function seconds(time: Date): string {
  return time.toISOString().replace(/\.\d+/, '')
}
