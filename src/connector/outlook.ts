/** What comes next for a connector, by the operator's own rules, as far as its status alone tells. */
import { type Case, runDue, testDue } from './due.ts'
import { lastOutcome } from './outcome.ts'
import type { Connector } from './schema.ts'
import { type Status, status as statusSchema } from './status.ts'

/** A time that is past means: as soon as the operator gets to it. A sentence: what it waits for instead. */
export type Next = Date | string

export type Outlook = { readonly test: Next; readonly run: Next }

export function outlookOf(connector: Connector, now: Date): Outlook {
  const { status = statusSchema.parse({}) } = connector
  if (connector.spec.suspend) return { test: SUSPENDED, run: SUSPENDED }
  const { activeRun, waiting, ...sync } = status.sync ?? {}
  // What would be due if the run under way had ended.
  const idle: Status = { ...status, sync }
  const test = testDue(asSeen(connector, status, now), false) ?? 'when something changes'
  const run = runDue(asSeen(connector, idle, now)) ?? whyNot(status)
  if (activeRun === undefined) return { test, run: waiting === undefined ? run : turn(waiting) }
  return { test: test instanceof Date ? after(test, now) : test, run: run instanceof Date ? after(run, now) : run }
}

const SUSPENDED = 'not while suspended'

function after(due: Date, now: Date): Next {
  return due > now ? due : 'after the active run'
}

function whyNot(status: Status): string {
  const outcome = lastOutcome(status.connectionTest)
  return outcome?.kind === 'passed' ? 'once the changed spec is tested' : 'once connected'
}

function turn(waiting: NonNullable<NonNullable<Status['sync']>['waiting']>): string {
  const what =
    waiting.for === 'Account'
      ? 'another connector of the account is syncing'
      : 'the maximum number of parallel runs is reached'
  return `waiting: ${what}`
}

/** The Secrets as they were tested last, nothing else in the way: only the operator sees more. */
function asSeen(connector: Connector, status: Status, now: Date): Case {
  const { uid, resourceVersion } = status.connectionTest?.testedSecrets?.[0] ?? {}
  const { sinkSecret } = status.sync ?? {}
  return {
    observed: {
      connector,
      secret: uid === undefined || resourceVersion === undefined ? undefined : { uid, resourceVersion },
      ...(sinkSecret !== undefined && { sinkSecret }),
      runs: [],
      checkpoint: undefined,
      account: { busy: false, checkpoints: [] },
    },
    status,
    now,
    standing: { spentByTests: [], mayTest: true, mayRun: true },
  }
}
