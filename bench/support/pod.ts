/** A container's root of its own, entered once; processes are then started in it without the time that entering takes. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findUnshare, inOwnRoot, type Mount } from '../../test/support/process-node/isolation.ts'
import type { Order, Started } from './starter.ts'

export type Pod = {
  /** Starts a process and waits for its end. One at a time. */
  start(order: Order): Promise<Started>
  leave(): void
}

/** What the root takes is put into `folder`. */
export function enterPod(folder: string, mounts: readonly Mount[]): Pod {
  const unshare = findUnshare()
  if (unshare === undefined) throw new Error('This bench needs mount namespaces (unshare --mount): run it on Linux.')
  const command = [process.execPath, join(import.meta.dirname, 'starter.ts')]
  const [file = '', ...args] = inOwnRoot(unshare, folder, mounts, { command, env: {}, workingDir: '/' })
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    start: async (order) => {
      child.stdin.write(`${JSON.stringify(order)}\n`)
      const answer = await answers.next()
      if (answer.done) throw new Error('The starter in the pod has ended.')
      return JSON.parse(answer.value)
    },
    leave: () => void child.stdin.end(),
  }
}
