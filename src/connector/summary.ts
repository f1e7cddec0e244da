/**
 * The table of docs/design.md ("Reconcile"): from what is known to STATUS and conditions. Each row is a function; the first
 * that speaks is the answer.
 */
import { type Judgement, type Judgements, stamp } from './conditions.ts'
import { lastOutcome, nextTry, type Outcome, secretGraceEnd } from './outcome.ts'
import { isLasting, type Reason } from './reasons.ts'
import type { Connector } from './schema.ts'
import { LONGEST, type Status, type SyncStatus } from './status.ts'
import { plainText } from './text.ts'

/** What the rows look at. `status` holds facts that are up to date and conditions that are not yet. */
type Situation = {
  readonly connector: Connector
  readonly status: Status
  readonly outcome: Outcome | undefined
  readonly now: Date
}

type Row = (situation: Situation) => Pick<Status, 'connection' | 'observedGeneration' | 'conditions'> | undefined

/** The status with `connection`, `observedGeneration` and `conditions` as the facts in it demand. */
export function summarise(connector: Connector, status: Status, now: Date): Status {
  const situation = { connector, status, outcome: lastOutcome(status.connectionTest), now }
  for (const row of ROWS) {
    const summary = row(situation)
    if (summary !== undefined) return { ...status, ...summary }
  }
  return status
}

const suspendedBeforeTheFirstTest: Row = (situation) => {
  if (!situation.connector.spec.suspend || situation.outcome !== undefined) return undefined
  const message = 'Suspended before the first test: set spec.suspend to false to connect.'
  return say(situation, 'Pending', {
    Ready: { status: 'False', reason: 'Suspended', message },
    Connected: { status: 'Unknown', reason: 'NotTested', message },
    Synced: { status: 'Unknown', reason: 'FirstRunPending', message },
  })
}

const suspendedLater: Row = ({ connector, status }) =>
  connector.spec.suspend ? asBefore({ ...status, observedGeneration: connector.metadata.generation }) : undefined

const notTestedYet: Row = (situation) => {
  if (situation.outcome !== undefined) return undefined
  const message = 'The connection is being tested for the first time.'
  return say(situation, 'Pending', {
    Ready: { status: 'Unknown', reason: 'NotTested', message },
    Connected: { status: 'Unknown', reason: 'NotTested', message },
    Synced: { status: 'Unknown', reason: 'FirstRunPending', message: 'The first run waits for the connection.' },
    Reconciling: { status: 'True', reason: 'Progressing', message },
  })
}

const changedAndNotTestedYet: Row = (situation) => {
  const { connector, status, now } = situation
  if (status.connectionTest?.testedGeneration === connector.metadata.generation) return undefined
  const message = 'The spec has changed and is being tested.'
  const others = (status.conditions ?? []).filter((one) => one.type !== 'Stalled' && one.type !== 'Reconciling')
  const reconciling = stamp(
    status.conditions ?? [],
    { Reconciling: { status: 'True', reason: 'Progressing', message } },
    connector.metadata.generation,
    now,
  )
  return asBefore({ ...status, conditions: [...others, ...reconciling] })
}

const noAnswerOnceOrTwice: Row = ({ outcome, status }) => {
  if (outcome?.kind !== 'no answer' || (status.connectionTest?.consecutiveFailures ?? 0) > 2) return undefined
  return asBefore(status)
}

const noAnswerForLong: Row = (situation) => {
  const { outcome, status } = situation
  if (outcome?.kind !== 'no answer') return undefined
  const time = nextTry(status.connectionTest)?.toISOString().slice(11, 19)
  const { reason, message } = withPage({
    reason: outcome.reason,
    message: `${outcome.message} Next test at ${time} UTC.`,
  })
  return say(situation, 'Error', {
    Ready: { status: 'False', reason, message },
    Connected: { status: 'Unknown', reason, message },
    Synced: synced(situation),
    Reconciling: { status: 'True', reason, message },
  })
}

const secretMayBeOnItsWay: Row = (situation) => {
  const { outcome, status, now } = situation
  const end = secretGraceEnd(status.connectionTest)
  if (outcome?.kind !== 'failed' || end === undefined || now >= end) return undefined
  return failed(situation, outcome, 'Reconciling')
}

const failedUntilSomeoneActs: Row = (situation) =>
  situation.outcome?.kind === 'failed' ? failed(situation, situation.outcome, 'Stalled') : undefined

const connectedButLastRunFailed: Row = (situation) => {
  const lastRun = situation.status.sync?.lastRun
  if (situation.outcome?.kind !== 'passed' || lastRun?.result !== 'Failed') return undefined
  const run = runFailure(situation)
  const type = isLasting(run.reason) ? 'Stalled' : 'Reconciling'
  return say(situation, 'Connected', {
    Ready: { status: 'False', ...run },
    Connected: connected(situation),
    Synced: synced(situation),
    [type]: { status: 'True', ...run },
  })
}

const allGood: Row = (situation) =>
  say(situation, 'Connected', {
    Ready: connected(situation),
    Connected: connected(situation),
    Synced: synced(situation),
  })

/** The table, in the order in which its rows apply. */
const ROWS: readonly Row[] = [
  suspendedBeforeTheFirstTest,
  suspendedLater,
  notTestedYet,
  changedAndNotTestedYet,
  noAnswerOnceOrTwice,
  noAnswerForLong,
  secretMayBeOnItsWay,
  failedUntilSomeoneActs,
  connectedButLastRunFailed,
  allGood,
]

function say({ connector, status, now }: Situation, connection: Status['connection'], judgements: Judgements) {
  const { generation } = connector.metadata
  const tested = status.connectionTest?.testedGeneration
  return {
    connection,
    // Before the first test it may have been seen suspended: that is not unseen again.
    observedGeneration: connector.spec.suspend ? generation : (tested ?? status.observedGeneration),
    conditions: stamp(status.conditions ?? [], judgements, generation, now),
  }
}

function asBefore({ connection, observedGeneration, conditions }: Status) {
  return { connection, observedGeneration, conditions }
}

function failed(situation: Situation, problem: Problem, type: 'Reconciling' | 'Stalled') {
  const { reason, message } = withPage(problem)
  return say(situation, 'Error', {
    Ready: { status: 'False', reason, message },
    Connected: { status: 'False', reason, message },
    Synced: synced(situation),
    [type]: { status: 'True', reason, message },
  })
}

type Problem = { readonly reason: Reason; readonly message: string }

/** What is wrong names where its cure is, however long the message is. */
function withPage({ reason, message }: Problem): Problem {
  const page = ` See docs/reasons.md#${reason.toLowerCase()}.`
  return { reason, message: plainText(message, LONGEST - page.length) + page }
}

function connected({ connector, outcome }: Situation): Judgement {
  const warning = outcome?.kind === 'passed' ? outcome.warning : undefined
  const reason: Reason = warning === undefined ? 'Connected' : 'RateLimitTooHigh'
  return { status: 'True', reason, message: warning ?? `Connected to ${connector.spec.endpoint}.` }
}

function synced(situation: Situation): Judgement {
  const { sync } = situation.status
  if (sync?.lastRun?.result === 'Failed') return { status: 'False', ...runFailure(situation) }
  if (sync?.waiting !== undefined) {
    return { status: sync.lastSuccessTime === undefined ? 'Unknown' : 'True', ...waitsForItsTurn(sync.waiting) }
  }
  if (sync?.lastSuccessTime !== undefined) {
    return {
      status: 'True',
      reason: 'RunSucceeded',
      message: `The last successful run ended ${at(sync.lastSuccessTime)}.`,
    }
  }
  return { status: 'Unknown', reason: 'FirstRunPending', message: 'The first run is in progress or waiting.' }
}

const at = (time: string) => `on ${time.slice(0, 10)} at ${time.slice(11, 19)} UTC`

/** Never says who is ahead: that may be another team's connector. */
function waitsForItsTurn({ since, for: what }: NonNullable<SyncStatus['waiting']>): Problem {
  const time = `${since.slice(11, 19)} UTC`
  return what === 'Account'
    ? {
        reason: 'WaitingForAccount',
        message: `The next run has been waiting since ${time}: another connector of this Zendesk account is syncing.`,
      }
    : {
        reason: 'WaitingForTurn',
        message: `The next run has been waiting since ${time}: the maximum number of parallel runs is reached.`,
      }
}

function runFailure({ status }: Situation): Problem {
  const lastRun = status.sync?.lastRun
  return withPage({ reason: lastRun?.reason ?? 'RunFailed', message: lastRun?.message ?? 'The last run failed.' })
}
