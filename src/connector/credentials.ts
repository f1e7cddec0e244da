/** What a connector's Secret must hold. Values go from here to the token request and nowhere else. */
import type { Check } from './status.ts'

export type Credentials = { readonly clientId: string; readonly clientSecret: string }

const KEYS = ['clientId', 'clientSecret'] as const

/** Reads the decoded data of the Secret `name`; undefined: there is none. A Check says what is wrong with it. */
export function readCredentials(name: string, data: Readonly<Record<string, string>> | undefined): Credentials | Check {
  if (data === undefined) {
    return {
      name: 'Secret',
      result: 'Failed',
      reason: 'SecretNotFound',
      message: `The Secret ${name} does not exist: create it with the keys clientId and clientSecret, or correct spec.secretRef.name.`,
    }
  }
  const missing = KEYS.find((key) => (data[key] ?? '').trim() === '')
  if (missing !== undefined) {
    return {
      name: 'Secret',
      result: 'Failed',
      reason: 'SecretKeyMissing',
      message: `The key ${missing} of the Secret ${name} is missing or empty: add it.`,
    }
  }
  return { clientId: (data.clientId ?? '').trim(), clientSecret: (data.clientSecret ?? '').trim() }
}
