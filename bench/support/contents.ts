/** What was written, to be compared: of each stream the SHA-256 of its lines as they are, one after another. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'

/** Of gzip files, in this order. */
export async function digestOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    const plain = createReadStream(file).pipe(createGunzip())
    for await (const bytes of plain) hash.update(bytes as Buffer)
  }
  return hash.digest('hex')
}

/** The segments of a stream's chain, in order. */
export async function segmentsOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort().map((name) => join(folder, name))
}
