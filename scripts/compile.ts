/**
 * A step of the Dockerfile: starts each command once, so that Node keeps what it has compiled. It runs on the image's own
 * Node and as its user, because what is kept holds for these alone. That image has no shell, and nothing but this file.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

const [main = '', cache = ''] = process.argv.slice(2)

/**
 * Each ends at once, because it lacks what it needs; by then it has loaded all that it starts with. `test` comes first:
 * the others set flags of V8, so that what they share with it is compiled anew, and the last one's is kept.
 */
const commands = [
  ['test', '-f', '/nowhere'],
  ['operator', '--image', 'none', '--metrics-bind-address', '0', '--health-probe-bind-address', '0'],
  ['sync'],
]
const LACKS_WHAT_IT_NEEDS = 64

for (const command of commands) {
  const env = { ...process.env, NODE_COMPILE_CACHE: cache }
  const { status, stderr } = spawnSync(process.execPath, [main, ...command], { env, encoding: 'utf8' })
  if (status === LACKS_WHAT_IT_NEEDS) continue
  console.error(`${command[0]} ended with ${status}, not ${LACKS_WHAT_IT_NEEDS}: ${stderr}`)
  process.exit(1)
}

// Node writes for its user alone; in the image all belongs to root.
const paths = readdirSync(cache, { recursive: true, withFileTypes: true })
for (const entry of paths) {
  const path = join(entry.parentPath, entry.name)
  chmodSync(path, entry.isDirectory() ? 0o755 : 0o644)
  utimesSync(path, 0, 0)
}
chmodSync(cache, 0o755)
utimesSync(cache, 0, 0)
