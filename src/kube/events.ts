/**
 * Kubernetes Events about connectors: what `kubectl describe` and `kubectl events` show. A connector has one Event for
 * each reason, and it is written at most once in five minutes: what happens meanwhile is counted, and told with the last
 * message when they are over. So a connector that flaps costs the API server little, and its last word is not lost.
 */
import type { Happening } from '../connector/events.ts'
import { type Connector, keyOf } from '../connector/schema.ts'
import type { Cluster } from './cluster.ts'
import { isKubeError } from './errors.ts'
import { type Story, tellEvent } from './event.ts'

const WINDOW_MS = 5 * 60_000
/** An API server keeps an Event for an hour, unless it is told otherwise. */
const KEPT_MS = 60 * 60_000

export type Events = {
  /** Tells what happened, now or within five minutes. Never throws: what fails is told to `onProblem`. */
  record(connector: Connector, happening: Happening): Promise<void>
  /** Drops what has not been told yet, and tells nothing more. */
  close(): void
}

export type EventsOptions = {
  readonly now: () => Date
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
  /** An Event about the connector with this key that could not be written. */
  readonly onProblem: (key: string, problem: unknown) => void
}

/** What is known of the Event of one connector and reason. */
type Page = {
  /** When it was last written; the next time is five minutes later. */
  writtenAt: number
  /** Times in the Event as it stands; undefined: not known. */
  count: number | undefined
  /** What is to be told next, and what wakes it. */
  next: { story: Story; readonly timer: NodeJS.Timeout } | undefined
}

/** For one leadership: the next leader goes on from the Events as they stand. */
export function createEvents(cluster: Cluster, { now, monotonic, onProblem }: EventsOptions): Events {
  /** By connector and reason; the one that was written longest ago comes first. */
  const pages = new Map<string, Page>()
  let isClosed = false

  const write = async (id: string, page: Page, connector: Connector, story: Story): Promise<void> => {
    page.writtenAt = monotonic()
    pages.delete(id)
    pages.set(id, page)
    try {
      const since = new Date(now().getTime() - WINDOW_MS)
      const { count, toldAt } = await tellEvent(cluster, connector, story, page.count, since)
      page.count = count
      if (toldAt === undefined) return
      // By the clock of the operator before this one: at worst it is told five minutes late.
      page.writtenAt = monotonic() - Math.max(0, now().getTime() - toldAt.getTime())
      keep(id, page, connector, story)
    } catch (error) {
      onProblem(keyOf(connector), error)
      if (isPassing(error)) keep(id, page, connector, story)
    }
  }

  /** Keeps a story until it may be told, together with what is kept already. */
  const keep = (id: string, page: Page, connector: Connector, story: Story): void => {
    if (isClosed) return
    if (page.next !== undefined) {
      const { story: kept } = page.next
      page.next.story = { ...(kept.at > story.at ? kept : story), times: kept.times + story.times }
      return
    }
    const tell = () => {
      const kept = page.next?.story ?? story
      page.next = undefined
      void write(id, page, connector, kept)
    }
    const waitMs = Math.max(0, page.writtenAt + WINDOW_MS - monotonic())
    page.next = { story, timer: setTimeout(tell, waitMs).unref() }
  }

  /** Forgets what the API server will have forgotten. */
  const tidy = () => {
    for (const [id, { writtenAt, next }] of pages) {
      if (monotonic() - writtenAt < KEPT_MS) return
      if (next === undefined) pages.delete(id)
    }
  }

  return {
    record: async (connector, happening) => {
      if (isClosed) return
      tidy()
      const id = `${connector.metadata.uid}/${happening.reason}`
      const page = pages.get(id) ?? { writtenAt: Number.NEGATIVE_INFINITY, count: undefined, next: undefined }
      const story = { happening, at: now(), times: 1 }
      const mayWrite = page.next === undefined && monotonic() - page.writtenAt >= WINDOW_MS
      if (mayWrite) await write(id, page, connector, story)
      else keep(id, page, connector, story)
    },
    close: () => {
      isClosed = true
      for (const { next } of pages.values()) clearTimeout(next?.timer)
      pages.clear()
    },
  }
}

/** Whether it may go better in five minutes. */
function isPassing(error: unknown): boolean {
  return isKubeError(error, 'Timeout', 'Network', 'Unavailable', 'TooManyRequests', 'Conflict')
}
