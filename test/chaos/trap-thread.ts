/** The thread behind trap.ts. */
import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import type { Trap, TrapMessage } from './trap.ts'

const set = new Map<number, () => void>()

parentPort?.on('message', ({ id, trap }: TrapMessage) => {
  if (trap === undefined) return disarm(id)
  const isIt = trap.on === 'temporary' ? /^\.\d{12}\.ndjson\.gz\./ : /^\d{12}\.ndjson\.gz$/
  const watchers = trap.folders.map((folder) =>
    watch(folder, (_event, name) => {
      // What a dead predecessor left behind is removed: that shows as an event as well.
      if (set.has(id) && name !== null && isIt.test(name) && existsSync(join(folder, name))) strike(id, trap)
    }),
  )
  set.set(id, () => {
    for (const watcher of watchers) watcher.close()
  })
})

function disarm(id: number): void {
  set.get(id)?.()
  set.delete(id)
}

function strike(id: number, { pid, signal, afterMs }: Trap): void {
  // No timer: it would come a millisecond late.
  const until = performance.now() + afterMs
  while (performance.now() < until);
  disarm(id)
  try {
    process.kill(pid, signal)
    parentPort?.postMessage(id)
  } catch {
    // It has ended by itself in between.
  }
}
