/**
 * When something falls due for one connector: rules as small functions of what is observed. They answer *when*, so the
 * moment to wake up is the earliest answer, and cannot be forgotten.
 */
import { milliseconds } from './duration.ts'
import { isTold, judgedWithoutReport } from './facts.ts'
import { silentFrom } from './holder.ts'
import type { Books, Observed, Standing } from './observed.ts'
import { lastOutcome, nextTry, secretGraceEnd } from './outcome.ts'
import { isLasting } from './reasons.ts'
import type { Spent } from './run.ts'
import {
  AT_ONCE,
  believed,
  earliest,
  later,
  latest,
  MOST_PER_TEST,
  PROGRESS_MS,
  spread,
  WINDOW_MS,
} from './schedule.ts'
import { type Connector, isNewResync, requested, runRequests, TEST_REQUESTED_AT } from './schema.ts'
import type { Status } from './status.ts'

/** What the rules look at: the observation with runs taken up into the status. */
export type Case = {
  readonly observed: Observed
  readonly status: Status
  readonly now: Date
  readonly standing: Standing
}
/** Answers *when*: the past means now, undefined means never. */
export type Due = (given: Case) => Date | undefined

/** Between two tests of an account. */
const BETWEEN_TESTS_MS = 1000

/** When a test is due; `running`: a run of this connector is under way. */
export function testDue(given: Case, running: boolean): Date | undefined {
  const isIdle = !running && !given.observed.account.busy
  const due = earliest([atAnyTime(given), longOverdue(given), isIdle ? whenIdle(given) : undefined])
  return due && notBefore(testsHaveRoom(given), due, given)
}

const notTestedYet: Due = ({ status }) => (status.connectionTest?.lastTime === undefined ? AT_ONCE : undefined)

const specChanged: Due = ({ observed, status }) =>
  status.connectionTest?.testedGeneration === observed.connector.metadata.generation ? undefined : AT_ONCE

const secretIsNotTheTestedOne: Due = ({ observed: { connector, secret }, status }) => {
  const tested = status.connectionTest?.testedSecrets?.[0]
  const same =
    tested?.name === connector.spec.secretRef.name &&
    tested.uid === secret?.uid &&
    tested.resourceVersion === secret?.resourceVersion
  return same ? undefined : AT_ONCE
}

const someoneAsksForATest: Due = ({ observed, status }) => {
  const request = requested(observed.connector, TEST_REQUESTED_AT)
  return request === undefined || request === status.lastHandledTestRequest ? undefined : AT_ONCE
}

/** A run that was refused knows something that the last test did not. */
const runWasRefused: Due = ({ status }) => {
  const { lastRun } = status.sync ?? {}
  if (lastRun?.result !== 'Failed' || lastRun.reason === undefined || !isLasting(lastRun.reason)) return undefined
  if (lastRun.reason === 'SinkUnavailable') return undefined
  const { testedAfterRun, lastTime = '' } = status.connectionTest ?? {}
  // A CRD older than this program drops the field: then times must do.
  if (testedAfterRun === undefined && lastTime >= (lastRun.endTime ?? '')) return undefined
  return lastRun.id === testedAfterRun ? undefined : AT_ONCE
}

const noAnswerLastTime: Due = ({ status }) => nextTry(status.connectionTest)

/** A run that ended well counts as a test passed. */
const intervalIsOver: Due = ({ observed: { connector }, status: { connectionTest, sync } }) => {
  if (connectionTest?.lastTime === undefined) return undefined
  const { result, endTime } = sync?.lastRun ?? {}
  const ranWell = result === 'Succeeded' || result === 'MoreToDo' ? endTime : undefined
  const last = [connectionTest.lastTime, ranWell ?? ''].sort().at(-1) ?? connectionTest.lastTime
  return later(last, spread(connector.metadata.uid, milliseconds(connector.spec.connectionTest.interval)))
}

/** These do not wait for a run under way; what they cost comes on top of its budget. */
const atAnyTime: Due = (given) =>
  earliest(
    [notTestedYet, specChanged, secretIsNotTheTestedOne, someoneAsksForATest, noAnswerLastTime].map((due) =>
      due(given),
    ),
  )

/** In an account that is never idle nobody would see a cure: such a test comes on top, once in an interval. */
const longOverdue: Due = (given) => {
  if (lastOutcome(given.status.connectionTest)?.kind === 'passed') return undefined
  const due = intervalIsOver(given)
  return due && later(due, milliseconds(given.observed.connector.spec.connectionTest.interval))
}

/** These do, and until the run's last minute has room for them: the run itself shows whether the connection is good. */
const whenIdle: Due = (given) => {
  const due = earliest([runWasRefused, intervalIsOver].map((one) => one(given)))
  return due && notBefore(budgetHasRoom(given), due, given)
}

/**
 * What falls due at `due` waits for a gate that opens at `opens`. One that is open leaves no trace: the order of turns is
 * that in which things fell due.
 */
function notBefore(opens: Date | undefined, due: Date, { now }: Case): Date {
  return opens !== undefined && opens > now ? (latest([opens, due]) ?? due) : due
}

/** When the requests of the account's last runs, in their last minute, leave room for a test within the rate. */
const budgetHasRoom: Due = (given) => {
  const { checkpoint, account } = given.observed
  return latest([checkpoint, ...account.checkpoints].map((books) => books && roomAfter(books, given)))
}

function roomAfter({ holder, budget }: Books, { observed, now }: Case): Date | undefined {
  if (holder?.released === false) {
    // It died without a word: its last minute counts as fully spent.
    const silent = silentFrom(holder, now)
    return silent && later(silent, WINDOW_MS)
  }
  const at = budget && believed(budget.at, now)
  return at && roomForTest(budget?.spent ?? [], at, observed.connector)
}

/** Tests keep to the rate among themselves, and a second apart: a rule that insists, for whatever cause, makes no storm. */
const testsHaveRoom: Due = ({ observed: { connector }, standing: { spentByTests }, now }) => {
  const breath = spentByTests.map(({ secondsAgo }) => later(now, BETWEEN_TESTS_MS - secondsAgo * 1000))
  return latest([roomForTest(spentByTests, now, connector), ...breath])
}

/** When those requests, with their ages as of `at`, leave room for a test within the rate; undefined: always. */
function roomForTest(spent: readonly Spent[], at: string | Date, { spec }: Connector): Date | undefined {
  const room = Math.max(0, spec.rateLimit.requestsPerMinute - MOST_PER_TEST)
  const ofAccount = spent.filter(({ endpoint }) => endpoint === undefined)
  let requests = 0
  for (const { secondsAgo, requests: more } of ofAccount.toSorted((one, other) => one.secondsAgo - other.secondsAgo)) {
    requests += more
    if (requests > room) return later(at, WINDOW_MS - secondsAgo * 1000)
  }
  return undefined
}

/** When a run is due: only for a connection that was tested as it is now, and never beside another. */
export const runDue: Due = (given) => {
  const { connector } = given.observed
  const { status } = given
  if (status.sync?.activeRun !== undefined) return undefined
  const tested = lastOutcome(status.connectionTest)?.kind === 'passed'
  if (!tested || status.connectionTest?.testedGeneration !== connector.metadata.generation) return undefined
  const due = earliest([someoneAsksForARun, sinkSecretChanged, goesOn].map((one) => one(given)))
  // While their run is under way it is their turn that is waited for: they are not silent, and we stand in line.
  return due && (given.observed.account.busy ? due : notBefore(neighboursAreSilent(given), due, given))
}

/** A pod of another connector that died, or was cut off, sends nothing any more from then on. */
const neighboursAreSilent: Due = ({ observed: { account }, now }) =>
  latest(account.checkpoints.map(({ holder }) => silentFrom(holder, now)))

const someoneAsksForARun: Due = (given) => {
  const { observed, status } = given
  const requests = runRequests(observed.connector)
  const isSync = requests.sync !== undefined && requests.sync !== status.lastHandledSyncRequest
  return isSync || isNewResync(requests, status) ? sinceTheLast(given) : undefined
}

/** The Secret of the sink is another than the last run was started with: it may be the cure. */
const sinkSecretChanged: Due = (given) => {
  const { sinkSecret } = given.observed
  const { lastStartTime, sinkSecret: before } = given.status.sync ?? {}
  if (sinkSecret === undefined || lastStartTime === undefined || sinkSecret === before) return undefined
  return sinceTheLast(given)
}

/**
 * Whoever asks for a run has been due since the last one ended, and not for ever: asking again and again, or a thousand new
 * connectors, must not keep others from the runs that fell due before.
 */
function sinceTheLast({ observed, status: { sync }, now }: Case): Date {
  const { creationTimestamp } = observed.connector.metadata
  return new Date(sync?.lastRun?.endTime ?? sync?.lastStartTime ?? believed(creationTimestamp, now) ?? now)
}

/** One with more to do queues again at once, but behind those that fell due before its last slice was over. */
const goesOn: Due = (given) => {
  const { lastRun } = given.status.sync ?? {}
  return lastRun?.result === 'MoreToDo' ? new Date(lastRun.endTime ?? given.now) : runIntervalIsOver(given)
}

const runIntervalIsOver: Due = (given) => {
  const { connector } = given.observed
  const { lastStartTime } = given.status.sync ?? {}
  if (lastStartTime === undefined) return sinceTheLast(given)
  return later(lastStartTime, spread(connector.metadata.uid, milliseconds(connector.spec.sync.interval)))
}

// What is waited for meanwhile.

/** When the next progress may be written down. */
export const nextProgress: Due = ({ observed: { checkpoint }, status }) => {
  if (checkpoint?.progress === undefined || isTold(checkpoint.progress, status.sync?.activeRun)) return undefined
  const last = status.sync?.activeRun?.progressTime
  return last === undefined ? undefined : later(last, PROGRESS_MS)
}

/** When a Job that has ended, or is gone, is judged without its report. */
export const reportIsLate: Due = ({ observed, status: { sync }, now }) =>
  sync?.activeRun && judgedWithoutReport(observed, sync.activeRun.id, now)

/** When a Secret that is not there counts as missing for good. */
export const secretGraceEnds: Due = ({ status }) => secretGraceEnd(status.connectionTest)
