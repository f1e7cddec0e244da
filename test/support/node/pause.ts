/** The image of every pod's first container, which holds its namespaces and does nothing: one program that sleeps. */
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeArchive } from '../image/base.ts'

export const PAUSE = 'localhost/pause:1'

/** Writes it into a folder as a docker archive, and returns the archive's path. */
export async function writePauseImage(folder: string): Promise<string> {
  const [root, archive] = [join(folder, 'root'), join(folder, 'pause.tar')]
  await mkdir(root)
  await copyFile('/bin/busybox', join(root, 'busybox'))
  await writeArchive(root, archive, { Entrypoint: ['/busybox', 'sleep', '2147483647'] }, [PAUSE])
  return archive
}
