/**
 * Segments as files: `<root>/<namespace>/<connector>/<stream>/<number>.ndjson.gz`. A file is written and flushed under a
 * temporary name and then linked to its own: link(2) creates a whole file or none, and never replaces one.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HEADER_BYTES, readSegmentHeader, type SegmentHeader, segmentLines } from '../segment.ts'
import { type Sink, SinkError } from './sink.ts'

export type FileSinkOptions = {
  /** Where the volume is mounted. */
  readonly root: string
  /** The volume's claim: another one is another sink. */
  readonly claimName: string
  readonly namespace: string
  readonly connector: string
}

const segmentName = /^(\d{12})\.ndjson\.gz$/
const temporaryName = /^\.\d{12}\.ndjson\.gz\.[0-9a-f-]+$/

export function createFileSink({ root, claimName, namespace, connector }: FileSinkOptions): Sink {
  const folders = new Map<string, Promise<string>>()

  /** The stream's folder, which from now on survives a crash; made and cleaned once. */
  const folderOf = (stream: string): Promise<string> => {
    const folder = folders.get(stream) ?? prepare(root, [namespace, connector, stream])
    folders.set(stream, folder)
    return folder
  }
  const pathOf = async (stream: string, number: number) =>
    join(await folderOf(stream), `${String(number).padStart(12, '0')}.ndjson.gz`)

  return {
    identity: `file/${claimName}`,
    publish: ({ header: { stream, number }, gzip }) =>
      asSinkError(root, async () => {
        const path = await pathOf(stream, number)
        if (await create(path, gzip)) return 'published'
        const taken = await headerAt(path)
        if (taken === undefined) throw new SinkError(`${path} vanished while it was read: leave the last day in place.`)
        return { taken }
      }),
    readBack: {
      last: (stream) =>
        asSinkError(root, async () => {
          let last: number | undefined
          for (const name of await readdir(await folderOf(stream))) {
            const digits = segmentName.exec(name)?.[1]
            if (digits !== undefined) last = Math.max(last ?? 0, Number(digits))
          }
          return last
        }),
      header: (stream, number) => asSinkError(root, async () => headerAt(await pathOf(stream, number))),
      lines: async function* (stream, number) {
        const path = await asSinkError(root, () => pathOf(stream, number))
        try {
          yield* segmentLines(createReadStream(path))
        } catch (error) {
          throw inSentence(error, path)
        }
      },
    },
  }
}

async function prepare(root: string, below: readonly string[]): Promise<string> {
  // Without the root nothing is mounted, and records would end in the container's own layer.
  await stat(root)
  const folder = join(root, ...below)
  for (let depth = 1; depth <= below.length; depth++) {
    // One by one: on a read-only volume a recursive mkdir says ENOENT, as if nothing were mounted.
    await mkdir(join(root, ...below.slice(0, depth))).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
    await flushFolder(join(root, ...below.slice(0, depth - 1)))
  }
  for (const name of await readdir(folder)) if (temporaryName.test(name)) await remove(join(folder, name))
  return folder
}

/** True when the file is there now, whole and durable; false when something stood there before. */
async function create(path: string, bytes: Uint8Array): Promise<boolean> {
  const folder = dirname(path)
  const temporary = join(folder, `.${path.slice(folder.length + 1)}.${randomUUID()}`)
  try {
    await writeDurably(temporary, bytes)
    await link(temporary, path)
    await flushFolder(folder)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await remove(temporary).catch(() => undefined)
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o640)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
}

/** Undefined: not there. @throws SinkError when it is something else than a segment. */
async function headerAt(path: string): Promise<SegmentHeader | undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return undefined
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
    const header = readSegmentHeader(buffer.subarray(0, bytesRead))
    if (header === undefined) throw new SinkError(`${path} is no segment of a connector: move it out of the volume.`)
    return header
  } finally {
    await file.close()
  }
}

const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'The volume is full: enlarge it, or let consumers remove segments older than a day.',
  EDQUOT: 'The quota of the volume is used up: enlarge it, or let consumers remove segments older than a day.',
  EROFS: 'The volume is mounted read-only: use a claim that can be written.',
  EACCES: 'The sync pod may not write to the volume: check its owner, or set fsGroup.',
  ENOENT: 'The volume is not there: check the claim and that it is mounted.',
  EPERM:
    'The volume knows no hard links (link(2) failed), as some FUSE and SMB volumes do: use a claim of another kind.',
  ENOTSUP:
    'The volume knows no hard links (link(2) failed), as some FUSE and SMB volumes do: use a claim of another kind.',
}

async function asSinkError<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw inSentence(error, root)
  }
}

function inSentence(error: unknown, path: string): SinkError {
  if (error instanceof SinkError) return error
  const code = codeOf(error)
  const known = advice[code]
  return new SinkError(known ?? `The volume failed with ${code} below ${path}: check the volume.`)
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'an unknown error'
}
