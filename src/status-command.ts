/** `zendesk-connector status`: one connector of a cluster, as a person wants to see it; reads and never writes. */
import { setInterval } from 'node:timers/promises'
import { outlookOf } from './connector/outlook.ts'
import { EXIT } from './connector/run.ts'
import { type Connector, connector as connectorSchema, keyOf, PLURAL } from './connector/schema.ts'
import { plainText } from './connector/text.ts'
import type { Cluster } from './kube/cluster.ts'
import { isKubeError, KubeError } from './kube/errors.ts'
import { API_VERSION, pathOf } from './kube/paths.ts'
import { watchCollection } from './kube/watch.ts'
import { type PersonOptions, personalCluster } from './person.ts'
import { createRedraw, type Screen } from './redraw.ts'
import { statusLine, statusView } from './status-view.ts'
import { whenStopped } from './stop.ts'

export type StatusOptions = PersonOptions & { readonly watch?: boolean; readonly output: 'table' | 'json' }

const API = `/apis/${API_VERSION}`
/** Ages and bars move on while nothing changes. */
const REDRAW_MS = 1000

/** Resolves with the exit code: 0 it was shown, 1 it cannot be. @throws UsageError. */
export async function runStatusCommand(
  name: string,
  options: StatusOptions,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { cluster, namespace } = await personalCluster(options, environment)
  const isTerminal = process.stdout.isTTY === true && environment.TERM !== 'dumb'
  const colour = isTerminal && !environment.NO_COLOR
  const view = (connector: Connector) => {
    const now = new Date()
    return options.output === 'json' ? inJson(connector, now) : statusView(connector, { now, colour })
  }
  const subject = { cluster, namespace, name }
  try {
    const connector = await read(subject)
    if (!options.watch) {
      process.stdout.write(`${view(connector)}${options.output === 'json' ? '\n' : ''}`)
      return EXIT.ok
    }
    const show =
      options.output === 'json'
        ? changedLines((one) => `${view(one)}\n`)
        : isTerminal
          ? redrawn(process.stdout, view)
          : changedLines(statusLine)
    await follow(subject, connector, show)
    return EXIT.ok
  } catch (error) {
    process.stderr.write(`${sentence(error, subject)}\n`)
    return 1
  } finally {
    await cluster.close()
  }
}

type Subject = { readonly cluster: Cluster; readonly namespace: string; readonly name: string }

async function read({ cluster, namespace, name }: Subject): Promise<Connector> {
  return parsed(await cluster.request('GET', pathOf(API, namespace, PLURAL, name)))
}

const UNREADABLE = 'was written for another version of this program: use the version of the operator.'

function parsed(raw: unknown): Connector {
  const { data } = connectorSchema.safeParse(raw)
  if (data === undefined) throw new Unreadable(UNREADABLE)
  return data
}

class Unreadable extends Error {}
class Deleted extends Error {}

/** What shows a connector as it changes, and as time goes on. */
type Show = { readonly show: (connector: Connector) => void; readonly tick: () => void }

function redrawn(screen: Screen, view: (connector: Connector) => string): Show {
  const redraw = createRedraw(screen)
  let last: Connector | undefined
  const tick = () => {
    if (last !== undefined) redraw(view(last))
  }
  return {
    show: (connector) => {
      last = connector
      tick()
    },
    tick,
  }
}

/** Lines that stay: one for each that differs from the one before. */
function changedLines(line: (connector: Connector) => string): Show {
  let before = ''
  return {
    show: (connector) => {
      const text = line(connector)
      if (text !== before) process.stdout.write(text)
      before = text
    },
    tick: () => {},
  }
}

/** Until Ctrl-C, or until there is nothing to follow any more. @throws KubeError, Deleted, Unreadable. */
async function follow({ cluster, namespace, name }: Subject, first: Connector, { show, tick }: Show): Promise<void> {
  const stopped = whenStopped(() => {})
  const over = Promise.withResolvers<never>()
  const ending = new AbortController()
  const signal = AbortSignal.any([stopped, ending.signal])
  show(first)
  const { ended, synced, get } = watchCollection(cluster, {
    api: API,
    plural: PLURAL,
    namespaces: [namespace],
    fieldSelector: `metadata.name=${name}`,
    keep: parsed,
    onChange: (_key, _before, after) => {
      if (after === undefined) over.reject(new Deleted())
      else show(after)
    },
    onMalformed: (_key, error) => over.reject(error),
    // All else passes: the watch is opened again.
    onProblem: (problem) => {
      if (isKubeError(problem, 'Forbidden', 'Unauthorized', 'NotFound')) over.reject(problem)
    },
    signal,
  })
  // It may have gone between the first look and the watch; a stop before that needs no word.
  synced.then(
    () => {
      if (get(keyOf({ metadata: { namespace, name } })) === undefined) over.reject(new Deleted())
    },
    () => {},
  )
  const ticking = async () => {
    for await (const _ of setInterval(REDRAW_MS, undefined, { signal })) tick()
  }
  try {
    await Promise.race([over.promise, ended, ticking().catch(() => ended)])
  } finally {
    ending.abort()
    await ended
  }
}

function sentence(error: unknown, { namespace, name }: Subject): string {
  const who = plainText(`${namespace}/${name}`, 512)
  if (error instanceof Unreadable) return `${who} ${error.message}`
  if (error instanceof Deleted) return `${who} was deleted.`
  if (isKubeError(error, 'NotFound')) {
    return `ZendeskConnector ${plainText(name, 256)} does not exist in the namespace ${plainText(namespace, 256)}: see kubectl get zdc --all-namespaces.`
  }
  if (isKubeError(error, 'Forbidden')) {
    return `You are not allowed to read ${who}: you need the verbs get, list and watch on zendeskconnectors.cloudapps.security.`
  }
  if (isKubeError(error, 'Unauthorized')) return 'Not authenticated to the cluster: log in again, as for kubectl.'
  if (error instanceof KubeError) return `Cannot query the cluster: ${error.message}.`
  throw error
}

/** All that is known, in one line of JSON. */
function inJson(connector: Connector, now: Date): string {
  const { metadata, spec, status } = connector
  const { test, run } = outlookOf(connector, now)
  const next = { test: asText(test), run: asText(run) }
  const { namespace, name } = metadata
  return JSON.stringify({
    namespace,
    name,
    endpoint: spec.endpoint,
    suspend: spec.suspend,
    status,
    next,
  })
}

function asText(next: Date | string): string {
  return typeof next === 'string' ? next : next.toISOString()
}
