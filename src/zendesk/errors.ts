/** What can go wrong between us and Zendesk, as values of our own: no library error and no response body gets past here. */
import type { Reason } from '../connector/reasons.ts'

/** A kind of failure that may pass by itself: what retries are counted by. Numbers are HTTP's; `body`: cut off, or no JSON. */
export type Trouble =
  | 'dns'
  | 'connect'
  | 'proxy'
  | 'tls'
  | 'reset'
  | 'stall'
  | 'body'
  | '401'
  | '404'
  | '429'
  | '4xx'
  | '503'
  | '504'
  | '5xx'

/**
 * Zendesk refused, or did not answer. `message` is one sentence for people, free of secrets and of the answer's body;
 * whether trying again helps follows from `reason` (see reasons.ts).
 */
export class ZendeskError extends Error {
  override readonly name = 'ZendeskError'
  readonly reason: Reason
  /** Set when no answer came at all. */
  readonly trouble: Trouble | undefined

  constructor(reason: Reason, message: string, trouble?: Trouble) {
    super(message)
    this.reason = reason
    this.trouble = trouble
  }
}
