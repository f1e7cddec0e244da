/** One event of a watch, as the API server sends it: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
import { z } from 'zod'
import { fromAnswer, KubeError } from './errors.ts'

/** What a watch tells, and the version that it has told everything up to. */
export type Frame = { readonly version: string } & (
  | { readonly what: 'is' | 'was'; readonly object: unknown }
  /** `allSent`: every object that there was at the beginning has come. */
  | { readonly what: 'bookmark'; readonly allSent: boolean }
)

/** The annotation of the bookmark behind which no object that was there at the beginning comes. */
export const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'
const event = z.object({ type: z.string(), object: z.unknown() })
const versioned = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    annotations: z.object({ [INITIAL_EVENTS_END]: z.string().optional() }).optional(),
  }),
})

/** @throws KubeError: that the event itself stands for, or Malformed. */
export function readFrame(raw: unknown): Frame {
  const { type, object } = parseAnswer(event, raw)
  if (type === 'ERROR') throw fromAnswer(500, object)
  const { resourceVersion: version, annotations } = parseAnswer(versioned, object).metadata
  if (type === 'BOOKMARK') return { what: 'bookmark', version, allSent: annotations?.[INITIAL_EVENTS_END] === 'true' }
  return { what: type === 'DELETED' ? 'was' : 'is', version, object }
}

/** @throws KubeError: Malformed. */
export function parseAnswer<S extends z.ZodType>(schema: S, raw: unknown): z.output<S> {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw new KubeError('Malformed', 'the API server sent something that is neither a list nor a watch event')
}
