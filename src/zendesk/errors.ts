/** What can go wrong between us and Zendesk, as values of our own: no library error and no response body gets past here. */
import type { Reason } from '../connector/reasons.ts'

/**
 * Zendesk refused, or did not answer. `message` is one sentence for people, free of secrets and of the answer's body;
 * whether trying again helps follows from `reason` (see reasons.ts).
 */
export class ZendeskError extends Error {
  override readonly name = 'ZendeskError'
  readonly reason: Reason

  constructor(reason: Reason, message: string) {
    super(message)
    this.reason = reason
  }
}
