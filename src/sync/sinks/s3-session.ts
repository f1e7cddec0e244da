/**
 * The store as the sink uses it: opened when it is first needed, with credentials that are read anew when they are
 * refused, and asked again for as long as its trouble may pass.
 */
import { backOff } from '../../zendesk/retry-after.ts'
import type { Clock } from '../clock.ts'
import { graceAfter } from './grace.ts'
import type { Place } from './s3-refusals.ts'
import type { S3Credentials, Store, StoreOptions } from './s3-store.ts'
import { explain } from './s3-trouble.ts'
import { SinkError } from './sink.ts'

export type SessionOptions = StoreOptions & {
  /**
   * What a Secret holds, read when the store is first needed and whenever it is refused. Without: what the pod finds
   * around it (environment, web identity, pod identity, instance metadata).
   */
  readonly credentials?: () => Promise<S3Credentials>
  readonly clock: Clock
  /** From [0, 1). */
  readonly random: () => number
  /** Each wait says what it waits for. */
  readonly onWait: (what: string, milliseconds: number) => void
  /** The process shall end: what is under way has a few seconds left. */
  readonly signal: AbortSignal
}

export type Session = {
  /**
   * Does `work`, which must bear to be repeated, until its trouble has passed.
   * @throws SinkError when it does not pass; the signal's reason when time is up.
   */
  run<T>(work: (store: Store, signal: AbortSignal) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** A store that does not recover for so long is given up. */
const PATIENCE_MS = 120_000

export function openSession(options: SessionOptions): Session {
  const { credentials, clock, random, onWait, signal } = options
  const place: Place = { ...options, secret: credentials !== undefined }
  const { timeIsUp, close } = graceAfter(signal, clock)

  const connect = async () => (await import('./s3-store.ts')).connectToS3(options)
  let connected: ReturnType<typeof connect> | undefined
  let opened: Promise<Store> | undefined
  const open = async () => {
    connected ??= connect()
    return (await connected).open(credentials && (await readCredentials(credentials)))
  }

  return {
    run: async (work) => {
      const since = clock.monotonic()
      let isRenewed = false
      for (let attempt = 0; ; attempt += 1) {
        opened ??= open()
        const used = opened
        try {
          return await work(await used, timeIsUp)
        } catch (error) {
          if (error instanceof SinkError) {
            // Of the Secret: whoever comes next reads it again.
            if (opened === used) opened = undefined
            throw error
          }
          timeIsUp.throwIfAborted()
          const trouble = explain(error, place)
          if (trouble === undefined) throw error
          const { next, message } = trouble
          if (next === 'renew' && !isRenewed) {
            isRenewed = true
            if (opened === used) opened = undefined
            continue
          }
          const waitMs = backOff(attempt, random(), { firstMs: 500, mostMs: 20_000 })
          if (next !== 'again' || clock.monotonic() + waitMs - since > PATIENCE_MS) throw new SinkError(message)
          onWait(message, waitMs)
          await clock.wait(waitMs, timeIsUp)
          timeIsUp.throwIfAborted()
        }
      }
    },
    close: async () => {
      close()
      await (await connected)?.close()
    },
  }
}

async function readCredentials(credentials: () => Promise<S3Credentials>): Promise<S3Credentials> {
  const found = await credentials().catch((error: unknown) => {
    if (error instanceof SinkError) throw error
    throw new SinkError("The sink's Secret cannot be read: check that it exists.")
  })
  const trimmed = {
    accessKeyId: found.accessKeyId.trim(),
    secretAccessKey: found.secretAccessKey.trim(),
    ...(found.sessionToken?.trim() && { sessionToken: found.sessionToken.trim() }),
  }
  const missing = (['accessKeyId', 'secretAccessKey'] as const).find((key) => trimmed[key] === '')
  if (missing !== undefined) {
    throw new SinkError(`The key ${missing} of the sink's Secret is missing or empty: add it.`)
  }
  return trimmed
}
