/** The file of `operator --sync-pod`. Read once, at the start: who changes it restarts the operator. */
import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { UsageError } from './config.ts'
import { type FieldPath, readDocuments } from './documents.ts'
import { type PodTemplate, podTemplate } from './kube/pod-template.ts'
import { inOneLine, withoutNulls } from './manifest.ts'
import { codeOf } from './sync/create-file.ts'

/** @throws UsageError with a line for each thing that is wrong, naming the field. */
export async function readSyncPod(file: string): Promise<PodTemplate> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${file} cannot be read (${codeOf(error)}): check --sync-pod.`)
  })
  const { objects, problems } = readDocuments(text, file)
  if (problems.length > 0) throw new UsageError(problems.map(inOneLine).join('\n'))
  const [object, ...more] = objects
  if (object === undefined || more.length > 0)
    throw new UsageError(`${file} must contain one object with the settings of sync pods.`)
  const parsed = podTemplate.safeParse(withoutNulls(object.value))
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.flatMap(sentences)
  throw new UsageError(
    wrong.map(({ path, message }) => inOneLine({ level: 'error', message, place: object.placeOf(path) })).join('\n'),
  )
}

type Wrong = { readonly path: FieldPath; readonly message: string }

function sentences(issue: z.core.$ZodIssue): Wrong[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const inside = [...path, key]
      return { path: inside, message: `${inside.join('.')} is not a setting of sync pods.` }
    })
  }
  // What is wrong with a key, and not with what it stands for.
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
  return [{ path, message: `${path.join('.') || 'It'}: ${message}.` }]
}
