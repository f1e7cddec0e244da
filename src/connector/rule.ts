/**
 * A rule is said once and holds twice: as CEL in the API server, with a message that a person can act on, and as a
 * zod refinement on the command line, where no API server is asked.
 */
import type { z } from 'zod'

/** One `x-kubernetes-validations` entry. `rule` is CEL over `self`. */
export type CelRule = { readonly rule: string; readonly message: string }

/** A rule with its twin in TypeScript. */
export type Rule<T> = CelRule & { readonly holds: (value: T) => boolean }

/** Adds rules to a schema: refinements for zod, CEL for the CRD. `celOnly` rules compare with the old object. */
export function withRules<S extends z.ZodType>(
  schema: S,
  rules: readonly Rule<z.output<S>>[],
  celOnly: readonly CelRule[] = [],
): S {
  let refined: z.ZodType = schema
  for (const { holds, message } of rules) {
    refined = refined.refine((value) => holds(value as z.output<S>), { message })
  }
  const validations = [...rules, ...celOnly].map(({ rule, message }) => ({ rule, message }))
  return refined.meta({ ...schema.meta(), 'x-kubernetes-validations': validations }) as S
}

/** Makes a list a set: the API server refuses one that holds something twice, and so does zod. */
export function asSet<S extends z.ZodType<readonly string[]>>(schema: S): S {
  const refined = schema.refine((values) => new Set(values).size === values.length, {
    message: 'must not contain duplicates',
  })
  return refined.meta({ ...schema.meta(), 'x-kubernetes-list-type': 'set' }) as S
}
