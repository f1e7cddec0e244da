/** Reads a Secret when it is needed. Nothing here keeps it. */
import { z } from 'zod'
import type { Cluster } from './cluster.ts'
import { isKubeError, KubeError } from './errors.ts'
import { pathOf } from './paths.ts'
import type { Learn } from './view.ts'

/** A Secret's contents as text, and which version they are of. */
export type Secret = {
  readonly uid: string
  readonly resourceVersion: string
  readonly data: Readonly<Record<string, string>>
}

const secret = z.object({
  metadata: z.object({ uid: z.string(), resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).default({}),
})

/** undefined: not there. Throws KubeError. What was found is learned: a rule compares the Secret tested with the one seen. */
export async function readSecret(
  cluster: Cluster,
  learn: Pick<Learn, 'secret' | 'secretSeen' | 'noSecret'>,
  namespace: string,
  name: string,
): Promise<Secret | undefined> {
  const seen = learn.secretSeen(namespace, name)
  try {
    const answer = await cluster.request('GET', pathOf('/api/v1', namespace, 'secrets', name))
    learn.secret(answer)
    const parsed = secret.safeParse(answer)
    if (!parsed.success) throw new KubeError('Malformed', 'the API server returned something that is not a Secret')
    const { metadata, data } = parsed.data
    const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')])
    return { uid: metadata.uid, resourceVersion: metadata.resourceVersion, data: Object.fromEntries(decoded) }
  } catch (error) {
    if (isKubeError(error, 'NotFound')) {
      learn.noSecret(namespace, name, seen)
      return undefined
    }
    throw error
  }
}
