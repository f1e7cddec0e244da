/** How connectors stand: how many in which state, since when the last run ended well, how far behind they are. */
import type { Observed } from '../connector/observed.ts'
import { status as statusSchema } from '../connector/status.ts'
import { type Family, joined, labelled, labelsOf } from './exposition.ts'
import { STREAM_LABELS, STREAMS } from './figures.ts'

const CONNECTIONS = statusSchema.shape.connection.unwrap().options
const READY = ['True', 'False', 'Unknown'] as const
const STATES = CONNECTIONS.flatMap((connection) => READY.map((ready) => labelled({ connection, ready })))
/** One string for all connectors in the same state. */
const stateOf = (connection: (typeof CONNECTIONS)[number], ready: (typeof READY)[number]) =>
  STATES[CONNECTIONS.indexOf(connection) * READY.length + READY.indexOf(ready)] ?? ''

/** What is told of one connector; times are milliseconds since 1970. */
type Standing = {
  readonly state: string
  readonly lastSuccess: number | undefined
  /** By the place of the stream; NaN: none. */
  readonly newest: readonly number[]
  readonly progress: number | undefined
}

export type Standings = {
  /** Takes in what is known of the connector `namespace/name`. */
  observe(key: string, observed: Observed): void
  forget(key: string): void
  /** The connectors that are told of. */
  keys(): Iterable<string>
  readonly families: readonly Family[]
}

export function createStandings(perConnector: boolean, now: () => Date): Standings {
  const standings = new Map<string, Standing>()
  const counts = new Map(STATES.map((state) => [state, 0]))
  const count = (state: string | undefined, more: 1 | -1) => {
    if (state !== undefined) counts.set(state, (counts.get(state) ?? 0) + more)
  }
  const age = (time: number) => Math.max(0, (now().getTime() - time) / 1000)

  function* each(): Iterable<readonly [labels: string, standing: Standing]> {
    for (const [key, standing] of standings) yield [labelsOf(key), standing]
  }

  const connectors: Family = {
    name: 'zendesk_connectors',
    help: 'Number of connectors by connection state and condition Ready.',
    type: 'gauge',
    samples: () => counts,
  }
  const lastSuccess: Family = {
    name: 'zendesk_connector_last_success_timestamp_seconds',
    help: `Time of the last successful run in seconds since 1970; suspended connectors are omitted.${perConnector ? '' : ' Oldest of all connectors.'}`,
    type: 'gauge',
    *samples() {
      let oldest = Number.POSITIVE_INFINITY
      for (const { lastSuccess = oldest } of standings.values()) oldest = Math.min(oldest, lastSuccess)
      if (!perConnector) {
        if (oldest < Number.POSITIVE_INFINITY) yield ['', oldest / 1000]
        return
      }
      for (const [labels, { lastSuccess }] of each()) if (lastSuccess !== undefined) yield [labels, lastSuccess / 1000]
    },
  }
  const lag: Family = {
    name: 'zendesk_connector_lag_seconds',
    help: `Age of the newest published record; suspended connectors are omitted.${perConnector ? '' : ' Greatest of all connectors.'}`,
    type: 'gauge',
    *samples() {
      if (perConnector) {
        for (const [labels, { newest }] of each())
          for (const [stream, time] of newest.entries())
            if (!Number.isNaN(time)) yield [joined(labels, STREAM_LABELS[stream] ?? ''), age(time)]
        return
      }
      for (const [stream, label] of STREAM_LABELS.entries()) {
        let oldest = Number.POSITIVE_INFINITY
        for (const { newest } of standings.values()) {
          const time = newest[stream] ?? Number.NaN
          if (time < oldest) oldest = time
        }
        if (oldest < Number.POSITIVE_INFINITY) yield [label, age(oldest)]
      }
    },
  }
  const progress: Family = {
    name: 'zendesk_connector_run_progress_ratio',
    help: 'Estimated progress of the active run.',
    type: 'gauge',
    *samples() {
      for (const [labels, { progress }] of each()) if (progress !== undefined) yield [labels, progress]
    },
  }

  return {
    observe: (key, observed) => {
      count(standings.get(key)?.state, -1)
      const standing = standingOf(observed)
      standings.set(key, standing)
      count(standing.state, 1)
    },
    forget: (key) => {
      count(standings.get(key)?.state, -1)
      standings.delete(key)
    },
    keys: () => standings.keys(),
    // Of how far single runs are there is no sum that says anything.
    families: [connectors, lastSuccess, lag, ...(perConnector ? [progress] : [])],
  }
}

const NOTHING: readonly number[] = []

function standingOf({ connector: { spec, status }, checkpoint, runs }: Observed): Standing {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown'
  const state = stateOf(status?.connection ?? 'Pending', ready)
  const { holder, progress, streams } = checkpoint ?? {}
  // A run that died has not released what it held.
  const isRunning =
    holder?.released === false && runs.some(({ run, state }) => run === holder.run && state === 'Active')
  const lastSuccessTime = spec.suspend ? undefined : status?.sync?.lastSuccessTime
  return {
    state,
    lastSuccess: lastSuccessTime === undefined ? undefined : Date.parse(lastSuccessTime),
    newest:
      spec.suspend || streams === undefined
        ? NOTHING
        : STREAMS.map((stream) => Date.parse(streams[stream]?.newestRecordTime ?? '')),
    progress: isRunning && progress?.percent !== undefined ? progress.percent / 100 : undefined,
  }
}
