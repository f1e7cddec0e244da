/** Service account tokens for one pod, each kept until four fifths of its life are over, as a kubelet does. */
import type { Api } from '../cluster/api.ts'
import type { Pod } from './kinds.ts'

/** Hands out a token for an audience; `undefined` means the API server itself. */
export type Tokens = (audience: string | undefined, seconds: number | undefined) => Promise<string>

/** Makes the source of a pod's tokens; `onDue` is called when one should be asked for again. */
export function podTokens(api: Api, { metadata, spec }: Pod, signal: AbortSignal, onDue: () => void): Tokens {
  const kept = new Map<string, { readonly token: Promise<string>; readonly due: number }>()
  const path = `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${spec.serviceAccountName}/token`
  return (audience, seconds = 3600) => {
    const key = audience ?? ''
    const old = kept.get(key)
    if (old && Date.now() < old.due) return old.token
    const lifetime = seconds * 800
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds: seconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid },
      },
    }
    const token = api.request<{ status: { token: string } }>('POST', path, { body }).then(({ status }) => status.token)
    kept.set(key, { token, due: Date.now() + lifetime })
    token.catch(() => kept.delete(key))
    const timer = setTimeout(onDue, lifetime + 1000)
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    return token
  }
}
