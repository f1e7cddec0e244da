/**
 * Objects put where the API server keeps them: tens of thousands in seconds. Through the API, each would be admitted,
 * written, and written again for its status, which takes longer than all that is to be measured.
 */
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'undici'
import type { Cluster } from '../../../test/support/cluster/cluster.ts'
import { readKubeconfig } from '../../../test/support/cluster/kubeconfig.ts'

export type Stored = { readonly key: string; readonly object: object }

export type Etcd = {
  /** Puts objects under keys that begin with `/registry`; resolves with the resourceVersion of each, in their order. */
  put(objects: readonly Stored[]): Promise<string[]>
  close(): Promise<void>
}

/** Its own limit is 128 operations and 1.5 MB. */
const AT_ONCE = 50

export async function openEtcd(cluster: Cluster): Promise<Etcd> {
  const { pid } = cluster.parts.find(({ name }) => name === 'etcd') ?? {}
  const server = /--listen-client-urls=(\S+)/.exec(
    (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' '),
  )?.[1]
  const { caPem: ca, certPem: cert, keyPem: key } = await readKubeconfig(cluster.kubeconfig)
  const dispatcher = new Agent({ connect: { ca, cert, key }, allowH2: false })
  const base64 = (text: string) => Buffer.from(text).toString('base64')

  async function putSome(objects: readonly Stored[]): Promise<string> {
    const success = objects.map((one) => ({
      requestPut: { key: base64(one.key), value: base64(JSON.stringify(one.object)) },
    }))
    const body = JSON.stringify({ success })
    const answer = await request(`${server}/v3/kv/txn`, { dispatcher, method: 'POST', body })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`etcd: ${text}`)
    return String(JSON.parse(text).header.revision)
  }

  return {
    async put(objects) {
      const versions: string[] = []
      for (let at = 0; at < objects.length; at += AT_ONCE) {
        const some = objects.slice(at, at + AT_ONCE)
        const version = await putSome(some)
        versions.push(...some.map(() => version))
      }
      return versions
    },
    close: () => dispatcher.destroy(),
  }
}
