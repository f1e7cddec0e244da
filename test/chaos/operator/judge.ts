/** Whether what the cluster shows is true: every connector's status against what is known of it. Pure. */
import type { Truth } from './residents.ts'

type Condition = { readonly type: string; readonly status: string; readonly reason?: string }

/** As much of a served connector as is judged. */
export type Shown = {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number }
  readonly status?: {
    readonly observedGeneration?: number
    readonly connection?: string
    readonly conditions?: readonly Condition[]
    readonly connectionTest?: { readonly testedSecrets?: readonly { readonly resourceVersion?: string }[] }
    readonly lastHandledTestRequest?: string
    readonly lastHandledSyncRequest?: string
    readonly sync?: {
      readonly activeRun?: { readonly job: string }
      readonly lastRun?: { readonly result: string; readonly reason?: string }
    }
  }
}

/** As much of a served Job. */
export type ShownJob = {
  readonly metadata: {
    readonly name: string
    readonly deletionTimestamp?: string
    readonly ownerReferences?: readonly { readonly uid: string }[]
  }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

/** What is not so, a sentence each. Without `jobs` it is not asked whether a run is under way where one is shown. */
export function complaints(
  connectors: readonly Shown[],
  jobs: readonly ShownJob[] | undefined,
  truth: ReadonlyMap<string, Truth>,
): string[] {
  const shown = new Map(connectors.map((connector) => [connector.metadata.name, connector]))
  return [...truth].flatMap(([name, expected]) => {
    const connector = shown.get(name)
    if (connector === undefined) return [`${name} is not there`]
    return wrongAbout(connector, jobs, expected).map((what) => `${name}: ${what}`)
  })
}

function wrongAbout(connector: Shown, jobs: readonly ShownJob[] | undefined, expected: Truth): string[] {
  const { metadata, status = {} } = connector
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  const { lastRun, activeRun } = status.sync ?? {}
  const underWay = jobs
    ?.filter((job) => job.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
    .filter((job) => !isOver(job))
    .map((job) => job.metadata.name)
  const is = (what: string, shown: unknown, wanted: unknown) =>
    wanted === undefined || shown === wanted ? [] : [`${what} is ${shown}, not ${wanted}`]

  const isConnected = expected.connection === 'Connected'
  return [
    ...is('connection', status.connection, expected.connection),
    ...is('Ready', ready?.status, expected.disturbed ? undefined : isConnected ? 'True' : 'False'),
    ...is('reason', ready?.reason, expected.reason),
    ...is('observedGeneration', status.observedGeneration, metadata.generation),
    ...is('tested Secret', status.connectionTest?.testedSecrets?.[0]?.resourceVersion, expected.secret),
    ...is('handled test request', status.lastHandledTestRequest, expected.test),
    ...is('handled sync request', status.lastHandledSyncRequest, expected.sync),
    ...is('last run', lastRun?.result, isConnected && !expected.disturbed ? 'Succeeded' : undefined),
    ...(isConnected && !expected.disturbed && activeRun !== undefined ? [`run ${activeRun.job} has not ended`] : []),
    ...(underWay === undefined || `${underWay}` === `${activeRun?.job ?? ''}`
      ? []
      : [`shows run ${activeRun?.job}, there is ${underWay}`]),
  ]
}

function isOver({ status }: ShownJob): boolean {
  return (status?.conditions ?? []).some(({ type, status: is }) => /^(Complete|Failed)$/.test(type) && is === 'True')
}
