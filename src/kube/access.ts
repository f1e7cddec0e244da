/**
 * Who we are to which API server: a kubeconfig named by its path, or the service account of the pod we run in.
 * `~/.kube/config` and `KUBECONFIG` are never looked at, but by commands that only look (src/person.ts). In a pod this
 * needs no library: loading client-node takes longer than all else that a run does before its first request.
 */
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'

/** What a connection needs; certificates rotate under a running process. */
export type TlsMaterial = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>

/** What a call carries, and the connection that carries it. */
export type Credentials = { readonly headers: Readonly<Record<string, string>>; readonly tls: TlsMaterial }

export type Access = {
  /** `https://host:port`, with a path where the API server stands behind one; no slash at the end. */
  readonly server: string
  /** What the next call must carry. Tokens and certificates in files are read again as they change. */
  credentials(): Promise<Credentials>
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** @throws Error in one sentence when neither a kubeconfig is named nor a service account is there, or it is of no use. */
export async function loadAccess(kubeconfig: string | undefined): Promise<Access> {
  if (kubeconfig === undefined) return serviceAccountAccess(process.env, SERVICE_ACCOUNT)
  const { kubeconfigAccess } = await import('./kubeconfig.ts')
  return kubeconfigAccess(kubeconfig)
}

/** The namespace of the pod we run in; undefined: we run in none. */
export async function ownNamespace(): Promise<string | undefined> {
  const text = await readFile(join(SERVICE_ACCOUNT, 'namespace'), 'utf8').catch(() => '')
  return text.trim() || undefined
}

/** The pod's own account, by the variables and the folder that the kubelet gives to every pod. @throws as loadAccess. */
export async function serviceAccountAccess(environment: NodeJS.ProcessEnv, folder: string): Promise<Access> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment
  if (!host) throw new Error('no cluster: pass a kubeconfig, or run in a pod (KUBERNETES_SERVICE_HOST is not set)')
  const read = (name: string) => readFile(join(folder, name), 'utf8')
  // Read again and again: the kubelet replaces token and authority whenever it likes, and the files are tiny.
  const credentials = async (): Promise<Credentials> => {
    const [token, ca] = await Promise.all([read('token'), read('ca.crt')])
    return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } }
  }
  await credentials().catch(({ code }: NodeJS.ErrnoException) => {
    throw new Error(
      `no cluster: token and ca.crt in ${folder} cannot be read (${code}); the pod needs automountServiceAccountToken: true`,
    )
  })
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port || 443}`, credentials }
}
