/**
 * How a container comes to see its volumes at their mount paths without a trace on the host. With `mounts` it gets a
 * mount namespace and a root of its own: an empty file system in memory, into which the host's top-level folders and
 * the volumes are bound; all of it exists in that namespace only and vanishes with its last process. With `paths`, for
 * machines without mount namespaces, mention of a mount path in variables and arguments is replaced by the real folder.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

/** A folder or file of the host, and where a container shall see it. */
export type Mount = { readonly source: string; readonly target: string; readonly readOnly: boolean }

/** How a container is started. */
export type Launch = {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string | undefined
}

/** The ways to show volumes to a container. */
export type Isolation = 'mounts' | 'paths'

const unshareFlags = [['--mount'], ['--mount', '--map-root-user']] as const

/** The `unshare` command line that makes a mount namespace for this user, if any does. */
export function findUnshare(): readonly string[] | undefined {
  const works = (flags: readonly string[]) => spawnSync('unshare', [...flags, 'true'], { stdio: 'ignore' }).status === 0
  const flags = process.platform === 'linux' ? unshareFlags.find(works) : undefined
  return flags && ['unshare', ...flags]
}

/** Returns the command line that starts a container in a root of its own; what that takes is put into `folder`. */
export function inOwnRoot(
  unshare: readonly string[],
  folder: string,
  mounts: readonly Mount[],
  { command, workingDir = '/' }: Launch,
): string[] {
  const root = join(folder, 'root')
  const outerFirst = mounts
    .map((mount) => ({ ...mount, target: resolved(mount.target) }))
    .sort((a, b) => a.target.length - b.target.length)
  const plan: RootPlan = { folders: [], files: [], links: new Map(), fstab: [] }
  const targets = outerFirst.map(({ target }) => target)
  showHost('/', root, targets, plan)
  for (const mount of outerFirst) {
    makePlace(mount, root, outerFirst, plan)
    plan.fstab.push(fstabLine(mount.source, join(root, mount.target), mount.readOnly ? 'rbind,ro' : 'rbind'))
  }
  mkdirSync(root, { recursive: true })
  writeFileSync(join(folder, 'fstab'), plan.fstab.join(''))
  writeFileSync(join(folder, 'enter.sh'), enterScript(folder, root, plan))
  return [...unshare, '--', '/bin/sh', join(folder, 'enter.sh'), workingDir, ...command]
}

// What the root is made of, before anything is bound into it.
type RootPlan = {
  readonly folders: string[]
  readonly files: string[]
  /** The host's symbolic links, by the folder they are copied to. */
  readonly links: Map<string, string[]>
  readonly fstab: string[]
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

// Few programs for many files: the start of each one is what takes time.
const enterScript = (folder: string, root: string, { folders, files, links }: RootPlan) =>
  [
    'set -e',
    `mount -t tmpfs -o mode=755 tmpfs ${quoted(root)}`,
    `mkdir -p ${folders.map(quoted).join(' ')}`,
    ...files.map((file) => `: > ${quoted(file)}`),
    ...[...links].map(([to, from]) => `cp -P ${from.map(quoted).join(' ')} ${quoted(to)}`),
    `mount --all --fstab ${quoted(join(folder, 'fstab'))}`,
    `exec chroot ${quoted(root)} /bin/sh -c 'cd "$0" && exec "$@"' "$@"`,
    '',
  ].join('\n')

/** The same launch with every mention of a mount path replaced by where the volume really is. */
export function withRealPaths(mounts: readonly Mount[], launch: Launch): Launch {
  const longestFirst = [...mounts].sort((a, b) => b.target.length - a.target.length)
  const real = (text: string) => {
    const mount = longestFirst.find(({ target }) => text === target || text.startsWith(`${target}/`))
    return mount ? mount.source + text.slice(mount.target.length) : text
  }
  return {
    command: launch.command.map(real),
    env: Object.fromEntries(Object.entries(launch.env).map(([name, value]) => [name, real(value)])),
    workingDir: launch.workingDir && real(launch.workingDir),
  }
}

// The container's /var/run/x is the host's /run/x where /var/run is a link.
function resolved(target: string): string {
  const clean = join('/', target).replace(/\/+$/, '')
  if (existsSync(clean)) return realpathSync(clean)
  return clean === '' ? '/' : join(resolved(dirname(clean)), basename(clean))
}

const devices = 'null zero full random urandom tty ptmx pts shm fd stdin stdout stderr'.split(' ')

/**
 * Plans in `to` an image of the host's folder `from`: entries are bound as they are, only those on the way to a target
 * are made anew, so that something can be put there that the host does not have.
 */
function showHost(from: string, to: string, targets: readonly string[], plan: RootPlan): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const path = join(from, entry.name)
    const place = join(to, entry.name)
    if (targets.includes(path) || (from === '/dev' && !devices.includes(entry.name))) continue
    if (entry.isSymbolicLink()) plan.links.set(to, [...(plan.links.get(to) ?? []), path])
    else if (!entry.isDirectory()) {
      plan.files.push(place)
      plan.fstab.push(fstabLine(path, place, 'bind,nofail'))
    } else {
      plan.folders.push(place)
      if (targets.some((target) => target.startsWith(`${path}/`))) showHost(path, place, targets, plan)
      else plan.fstab.push(fstabLine(path, place, 'rbind,nofail'))
    }
  }
}

// A target within another mount is hidden by it: its place has to be in that mount's source.
function makePlace({ source, target }: Mount, root: string, mounts: readonly Mount[], plan: RootPlan): void {
  const isFolder = statSync(source).isDirectory()
  const around = mounts.findLast((other) => target.startsWith(`${other.target}/`))
  if (around) {
    const place = join(around.source, relative(around.target, target))
    mkdirSync(isFolder ? place : dirname(place), { recursive: true })
    if (!isFolder) writeFileSync(place, '', { flag: 'a' })
  } else {
    plan.folders.push(join(root, isFolder ? target : dirname(target)))
    if (!isFolder) plan.files.push(join(root, target))
  }
}

function fstabLine(source: string, target: string, options: string): string {
  const escaped = (path: string) =>
    path.replace(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
  return `${escaped(source)} ${escaped(target)} none ${options} 0 0\n`
}
