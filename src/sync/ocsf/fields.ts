/**
 * What mappers read of a record, field by field: a field that has another shape than documented is not there, and costs
 * neither the event nor its validity. By hand and not by zod, because this runs for every field of every record.
 */
import { isIP } from 'node:net'

/** Text that says something: Zendesk writes "" and null for what is not there. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Ids are numbers, or the digits of numbers beyond 2^53 (D); those of the access log are text (D). */
export function id(value: unknown): string | undefined {
  return typeof value === 'number' ? String(value) : text(value)
}

export function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}

/** A whole number that a double holds exactly. */
export function whole(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined
}

export function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined
}

/** OCSF's longest: an IPv6 address that ends in a written out IPv4 address may be longer. */
const LONGEST_IP = 40

/** An IP address that OCSF takes. */
export function ip(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= LONGEST_IP && isIP(value) ? value : undefined
}

/** OCSF's own pattern of an e-mail address. */
const ADDRESS = /^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$/

/** An e-mail address that OCSF takes. */
export function email(value: unknown): string | undefined {
  return typeof value === 'string' && ADDRESS.test(value) ? value : undefined
}
