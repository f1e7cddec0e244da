/**
 * What is in an image, read from the archive that `docker save`, `podman save` and `buildah push` write. Only as much of tar
 * as these write: files, folders, links, and long names as POSIX has them (pax).
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'

export type Entry = {
  /** Without a slash at its begin or end. */
  readonly path: string
  readonly type: 'file' | 'folder' | 'link'
  /** Of the permissions alone. */
  readonly mode: number
  readonly user: number
  readonly group: number
  /** In seconds since 1970. */
  readonly changed: number
  readonly content: Buffer
}

export type Layer = {
  /** Of the layer as a tar, not compressed: the `diff_id` of the image's configuration. */
  readonly digest: string
  readonly tar: Buffer
  readonly entries: readonly Entry[]
}

export type ImageContent = {
  /** From the base image's first to the last of our own. */
  readonly layers: readonly Layer[]
  /** Of the image's configuration: what a container is started with. */
  readonly config: {
    readonly User?: string
    readonly Env?: readonly string[]
    readonly Entrypoint?: readonly string[]
    readonly Labels?: Readonly<Record<string, string>>
  }
}

/** Reads the only image of an archive. */
export async function readImage(archive: string): Promise<ImageContent> {
  const files = new Map(entriesOf(await readFile(archive)).map((entry) => [entry.path, entry]))
  const content = (path: string): Buffer => {
    const file = files.get(path)
    if (file === undefined) throw new Error(`${archive} has no ${path}: it is no archive of an image.`)
    // A layer that several images share may be there as a link to the place where it was first.
    return file.type === 'link' ? content(file.content.toString().replace(/^(?:\.\.\/)+/, '')) : file.content
  }
  const [image] = JSON.parse(content('manifest.json').toString())
  const { config } = JSON.parse(content(image.Config).toString())
  const layers = image.Layers.map((path: string) => layerOf(content(path)))
  return { layers, config }
}

/** Whether all that a layer brings is the program's own. */
export const isOurs = ({ entries }: Layer): boolean =>
  entries.length > 0 && entries.every(({ path }) => path === 'app' || path.startsWith('app/'))

function layerOf(bytes: Buffer): Layer {
  const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b
  const tar = isCompressed ? gunzipSync(bytes) : bytes
  const digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`
  return { digest, tar, entries: entriesOf(tar) }
}

const BLOCK = 512

/** The entries of a tar, in its order. */
function entriesOf(tar: Buffer): Entry[] {
  const entries: Entry[] = []
  /** What entries before it say of the next one: names that are too long for its header. */
  let more: { path?: string; linkpath?: string } = {}
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + BLOCK)
    const size = numberAt(header, 124, 12)
    const content = tar.subarray(at + BLOCK, at + BLOCK + size)
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
    const kind = String.fromCharCode(header[156] ?? 0)
    if (kind === 'x') more = { ...more, ...Object.fromEntries(recordsOf(content)) }
    else {
      const prefix = textAt(header, 345, 155)
      const path = more.path ?? (prefix && `${prefix}/`) + textAt(header, 0, 100)
      const type = kind === '5' ? 'folder' : kind === '1' || kind === '2' ? 'link' : 'file'
      entries.push({
        path: path.replace(/^(?:\.?\/)+|\/$/g, ''),
        type,
        mode: numberAt(header, 100, 8) & 0o7777,
        user: numberAt(header, 108, 8),
        group: numberAt(header, 116, 8),
        changed: numberAt(header, 136, 12),
        content: type === 'link' ? Buffer.from(more.linkpath ?? textAt(header, 157, 100)) : content,
      })
      more = {}
    }
  }
  return entries
}

const textAt = (block: Buffer, at: number, length: number): string =>
  block
    .subarray(at, at + length)
    .toString('utf8')
    .replace(/\0.*$/s, '')

const numberAt = (block: Buffer, at: number, length: number): number =>
  Number.parseInt(textAt(block, at, length).trim() || '0', 8)

/** Records of a pax header: `LENGTH KEY=VALUE\n`, where the length counts itself. */
function* recordsOf(content: Buffer): Generator<[string, string]> {
  for (let at = 0; at < content.length; ) {
    const length = Number.parseInt(content.subarray(at).toString('utf8', 0, 20), 10)
    const record = content.subarray(at, at + length - 1).toString('utf8')
    const [, key = '', value = ''] = /^\d+ ([^=]+)=(.*)$/s.exec(record) ?? []
    yield [key, value]
    at += length
  }
}
