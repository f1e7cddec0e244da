/** A cgroup for all containers of a machine: in one tree with version 2, in one for each controller with version 1. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const ROOT = '/sys/fs/cgroup'

/** Makes it; the household that it belongs to removes it. */
export async function makeCgroup(name: string): Promise<void> {
  const controllers = join(ROOT, 'cgroup.controllers')
  if (!existsSync(controllers)) {
    const trees = await readdir(ROOT, { withFileTypes: true })
    // Others are links to these.
    for (const tree of trees) if (tree.isDirectory()) await mkdir(join(ROOT, tree.name, name))
    return
  }
  for (const one of (await readFile(controllers, 'utf8')).trim().split(' ')) {
    // One that cannot be handed down is missed by the kubelet, if it needs it, and named there.
    await writeFile(join(ROOT, 'cgroup.subtree_control'), `+${one}`).catch(() => {})
  }
  await mkdir(join(ROOT, name))
}
