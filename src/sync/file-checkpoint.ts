/**
 * The checkpoint in a folder, for runs without a cluster. Each version is a file of its own, `000000000042.json`, and
 * the greatest number is the checkpoint: version 43 can be created once, by whoever comes first, so processes fence each
 * other as pods do, and there is no lock that one of them could die with.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Checkpoint, checkpoint as schema } from '../connector/run.ts'
import type { CheckpointStore } from './checkpoint.ts'
import { clearHalfWritten, codeOf, createFile, remove } from './create-file.ts'
import { SinkError } from './sinks/sink.ts'

/** Why the store refuses: the version is not the kept one, the folder is gone, or its file is not a checkpoint. */
export class FileCheckpointError extends Error {
  override readonly name = 'FileCheckpointError'
  readonly reason: 'Conflict' | 'NotFound' | 'Malformed'

  constructor(reason: FileCheckpointError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

const fileName = /^(\d{12})\.json$/
/** Versions left in place: so a number that is free can be told from one that was used and removed again. */
const KEPT = 4

/** The folder must be there. @throws FileCheckpointError; SinkError when the file system fails. */
export function fileCheckpoint(folder: string): CheckpointStore {
  return {
    read: () => readLatest(folder),
    write: async (checkpoint, version) => {
      const number = Number(version) + 1
      if (!(await create(folder, number, checkpoint))) throw conflict()
      const numbers = await list(folder)
      // We slept for so long that our number was used, left behind and removed: it was free, but means nothing.
      if (numbers.some((other) => other >= number + KEPT)) throw conflict()
      await tidy(folder, numbers, number).catch(() => undefined)
      return { version: String(number) }
    },
  }
}

async function readLatest(folder: string): Promise<{ checkpoint: Checkpoint | undefined; version: string }> {
  for (;;) {
    const latest = Math.max(0, ...(await list(folder)))
    if (latest === 0) return { checkpoint: undefined, version: '0' }
    try {
      return { checkpoint: parse(await readFile(pathOf(folder, latest), 'utf8')), version: String(latest) }
    } catch (error) {
      // It was the latest when we looked, and is no longer.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}

async function create(folder: string, number: number, checkpoint: Checkpoint): Promise<boolean> {
  try {
    return await createFile(folder, nameOf(number), JSON.stringify(checkpoint), 0o600)
  } catch (error) {
    // Somebody who has just written a version cleared ours away half-written. Or the folder is gone: reading tells.
    if (codeOf(error) === 'ENOENT') return false
    throw new SinkError(
      `The checkpoint cannot be written (${codeOf(error)}): check ${folder} and whether the disk is full.`,
    )
  }
}

/** What stays behind does no harm, and is found again after the next write. */
async function tidy(folder: string, numbers: readonly number[], latest: number): Promise<void> {
  await clearHalfWritten(folder)
  for (const number of numbers) if (number <= latest - KEPT) await remove(pathOf(folder, number))
}

async function list(folder: string): Promise<number[]> {
  try {
    return (await readdir(folder)).flatMap((name) => fileName.exec(name)?.[1] ?? []).map(Number)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    throw new FileCheckpointError('NotFound', 'The folder of the checkpoint is gone.')
  }
}

function parse(text: string): Checkpoint {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    throw new FileCheckpointError('Malformed', 'The file is not a checkpoint.')
  }
}

function conflict(): FileCheckpointError {
  return new FileCheckpointError('Conflict', 'The checkpoint was written by somebody else.')
}

const nameOf = (number: number) => `${String(number).padStart(12, '0')}.json`
const pathOf = (folder: string, number: number) => join(folder, nameOf(number))
