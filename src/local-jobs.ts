/** What runs without a cluster need before they can begin: orders from manifests, a folder each, a checkpoint in it. */
import { randomUUID } from 'node:crypto'
import { access, constants, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { UsageError } from './config.ts'
import { ordersFor } from './connector/orders.ts'
import type { RunOrders } from './connector/run.ts'
import { keyOf } from './connector/schema.ts'
import type { ConnectorManifest } from './manifest.ts'
import { type InputOptions, readInput } from './manifest-input.ts'
import type { CheckpointStore } from './sync/checkpoint.ts'
import { codeOf, makeFolders } from './sync/create-file.ts'
import { fileCheckpoint } from './sync/file-checkpoint.ts'
import { createFileSink } from './sync/sinks/file.ts'
import type { Sink } from './sync/sinks/sink.ts'

export type LocalJobOptions = InputOptions & {
  /** Folder for records and checkpoints; made when it is missing. */
  readonly out: string
  /** Name of the only connector to run, or `namespace/name`. */
  readonly connector?: string
  /** Snapshots are taken anew. */
  readonly resync?: boolean
}

/** Nobody waits for a turn here. As long as a timer can be set for. */
const SLICE_SECONDS = 24 * 24 * 3600
/** The folder may move, and its chains with it: its name is no part of them. */
const CLAIM = 'local'

/** One run that can begin. */
export type LocalJob = {
  /** Data of the connector's Secret. */
  readonly secret: Readonly<Record<string, string>>
  readonly orders: RunOrders
  readonly store: CheckpointStore
  readonly sink: Sink
  /** Folder with the connector's records. */
  readonly files: string
  /** Kind of the sink that the manifest names. */
  readonly sinkOfManifest: string
}

/** The connectors of the manifests, or the one that is named, each with its folder made. @throws UsageError */
export async function readJobs(options: LocalJobOptions): Promise<readonly LocalJob[]> {
  const { connectors, dataOf } = await readInput(options)
  const jobs: LocalJob[] = []
  for (const one of chosen(connectors, options.connector)) jobs.push(await prepare(one, dataOf(one), options))
  return jobs
}

/** Makes the folders and reads the checkpoint. @throws UsageError */
async function prepare(
  manifest: ConnectorManifest,
  secret: LocalJob['secret'],
  options: LocalJobOptions,
): Promise<LocalJob> {
  const root = resolve(options.out)
  const [namespace, connector] = [namespaceOf(manifest), manifest.name]
  const folder = await folderFor(root, [namespace, connector, 'checkpoint'])
  const store = fileCheckpoint(folder)
  const { checkpoint } = await store.read().catch(() => {
    throw new UsageError(
      `${folder} contains no checkpoint that this version can read: remove it, and the run continues from the files.`,
    )
  })
  const slot = (checkpoint?.holder?.slot ?? 0) + 1
  const orders = localOrders(manifest, slot, folder, options.resync === true, new Date())
  const [sinkOfManifest = ''] = Object.keys(manifest.spec.sync.sink)
  const sink = createFileSink({ root, claimName: CLAIM, namespace, connector })
  return { secret, orders, store, sink, files: join(root, namespace, connector), sinkOfManifest }
}

/** As the operator gives them, but for what only a cluster has. */
function localOrders(
  manifest: ConnectorManifest,
  slot: number,
  checkpoint: string,
  resync: boolean,
  now: Date,
): RunOrders {
  const { name, spec } = manifest
  const time = now.toISOString()
  const metadata = {
    name,
    namespace: namespaceOf(manifest),
    uid: '',
    generation: 0,
    creationTimestamp: time,
    resourceVersion: '',
    annotations: {},
  }
  return {
    ...ordersFor({ metadata, spec, status: undefined }, slot, { run: `local-${randomUUID()}`, checkpoint }, [], now),
    sink: { kind: 'file', claimName: CLAIM },
    sliceSeconds: SLICE_SECONDS,
    ...(resync && { snapshotsSince: time }),
  }
}

/** @throws UsageError when it cannot be made or written. */
async function folderFor(root: string, below: readonly string[]): Promise<string> {
  try {
    await mkdir(root, { recursive: true })
    const folder = await makeFolders(root, below)
    await access(folder, constants.W_OK)
    return folder
  } catch (error) {
    throw new UsageError(`${root} is not writable (${codeOf(error)}): choose another folder with --out.`)
  }
}

/** The connectors to run. @throws UsageError when there is none of that name, or two of one. */
function chosen(connectors: readonly ConnectorManifest[], name: string | undefined): readonly ConnectorManifest[] {
  const keys = connectors.map((one) => keyOf({ metadata: { name: one.name, namespace: namespaceOf(one) } }))
  const twice = keys.find((key, index) => keys.indexOf(key) !== index)
  if (twice !== undefined) throw new UsageError(`The manifests contain ${twice} twice: remove one.`)
  const found = connectors.filter((one, index) => name === undefined || name === one.name || name === keys[index])
  if (found.length > 0) return found
  throw new UsageError(`The manifests contain no connector ${name}, only ${keys.join(', ')}.`)
}

/** As kubectl has it. */
function namespaceOf({ namespace = 'default' }: ConnectorManifest): string {
  return namespace
}
