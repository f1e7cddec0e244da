/** Kubernetes Events about a connector: what `kubectl describe` and `kubectl events` show. */
import type { Happening } from '../connector/events.ts'
import { type Connector, KIND } from '../connector/schema.ts'
import type { Cluster } from './cluster.ts'
import { PROGRAM } from './names.ts'
import { API_VERSION, pathOf } from './paths.ts'

/** Records an Event in the connector's namespace. Never throws: what fails is told to `onProblem`. */
export async function recordEvent(
  cluster: Cluster,
  onProblem: (problem: unknown) => void,
  connector: Connector,
  { type, reason, message }: Happening,
): Promise<void> {
  const { namespace, name, uid, resourceVersion } = connector.metadata
  const now = new Date().toISOString().replace(/\.\d+/, '')
  const body = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name.slice(0, 240)}.`, namespace },
    involvedObject: { apiVersion: API_VERSION, kind: KIND, namespace, name, uid, resourceVersion },
    type,
    reason,
    message: message.slice(0, 1024),
    source: { component: PROGRAM },
    reportingComponent: PROGRAM,
    reportingInstance: PROGRAM,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  }
  try {
    await cluster.request('POST', pathOf('/api/v1', namespace, 'events'), { body })
  } catch (error) {
    onProblem(error)
  }
}
