/**
 * Ends, or stops, a process at the moment a segment is written or published into a folder of the file sink. The watching
 * is done by a thread of its own (trap-thread.ts): such a moment lasts a millisecond, and the main thread plays Zendesk.
 */
import { Worker } from 'node:worker_threads'

/** What is waited for, and who is struck by what. */
export type Trap = {
  readonly pid: number
  readonly signal: 'SIGKILL' | 'SIGSTOP'
  readonly folders: readonly string[]
  /** A segment begins to be written, or has got its name. */
  readonly on: 'temporary' | 'linked'
  /** Then this much later, in ms. */
  readonly afterMs: number
}

/** To the thread: a trap to set, or, without one, to take away. Back come the ids of those that have struck. */
export type TrapMessage = { readonly id: number; readonly trap?: Trap }

export type Trapper = {
  set(trap: Trap, onStruck: () => void): { disarm(): void }
  stop(): Promise<void>
}

export function startTrapper(): Trapper {
  const worker = new Worker(new URL('./trap-thread.ts', import.meta.url))
  const waiting = new Map<number, () => void>()
  let last = 0
  const send = (message: TrapMessage) => worker.postMessage(message)
  worker.on('message', (id: number) => waiting.get(id)?.())
  return {
    set: (trap, onStruck) => {
      const id = ++last
      waiting.set(id, onStruck)
      send({ id, trap })
      return {
        disarm: () => {
          waiting.delete(id)
          send({ id })
        },
      }
    },
    stop: async () => {
      await worker.terminate()
    },
  }
}
