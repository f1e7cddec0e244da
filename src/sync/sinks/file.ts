/** Segments as files: `<root>/<namespace>/<connector>/<stream>/<number>.ndjson.gz`. */
import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { clearHalfWritten, codeOf, createFile, makeFolders } from '../create-file.ts'
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

export function createFileSink({ root, claimName, namespace, connector }: FileSinkOptions): Sink {
  const folders = new Map<string, Promise<string>>()

  /** The stream's folder, which from now on survives a crash; made and cleaned once. */
  const folderOf = (stream: string): Promise<string> => {
    const folder = folders.get(stream) ?? prepare(root, [namespace, connector, stream])
    folders.set(stream, folder)
    return folder
  }
  const nameOf = (number: number) => `${String(number).padStart(12, '0')}.ndjson.gz`
  const pathOf = async (stream: string, number: number) => join(await folderOf(stream), nameOf(number))

  return {
    identity: `file/${claimName}`,
    publish: ({ header: { stream, number }, gzip }) =>
      asSinkError(root, async () => {
        if (await createFile(await folderOf(stream), nameOf(number), gzip, 0o640)) return 'published'
        const path = await pathOf(stream, number)
        const taken = await headerAt(path)
        if (taken === undefined) throw vanished(path)
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
          throw codeOf(error) === 'ENOENT' ? vanished(path) : inSentence(error, path)
        }
      },
    },
  }
}

async function prepare(root: string, below: readonly string[]): Promise<string> {
  // Without the root nothing is mounted, and records would end in the container's own layer.
  await stat(root)
  const folder = await makeFolders(root, below)
  await clearHalfWritten(folder)
  return folder
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
    if (header === undefined) throw new SinkError(`${path} is not a segment of a connector: move it out of the volume.`)
    return header
  } finally {
    await file.close()
  }
}

const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'The volume is full: enlarge it, or delete segments older than two days.',
  EDQUOT: 'The quota of the volume is exhausted: raise it, or delete segments older than two days.',
  EROFS: 'The volume is mounted read-only: use a writable claim.',
  EACCES: 'The sync pod may not write to the volume: make it writable by group 65532.',
  ENOENT: 'The volume is missing: check the claim and that it is mounted.',
  EPERM:
    'The volume does not support hard links (link(2) failed), like some FUSE and SMB volumes: use another kind of claim.',
  ENOTSUP:
    'The volume does not support hard links (link(2) failed), like some FUSE and SMB volumes: use another kind of claim.',
}

function vanished(path: string): SinkError {
  return new SinkError(`${path} was deleted while it was read: configure consumers to keep the last two days.`)
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
