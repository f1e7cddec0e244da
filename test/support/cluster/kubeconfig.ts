/** Writes and reads the kubeconfigs of test clusters, and no others: neither KUBECONFIG nor ~/.kube/config is looked at. */
import { readFile, writeFile } from 'node:fs/promises'
import { parse, stringify } from 'yaml'

/** How to reach an API server, and as whom: by client certificate, or by a file with a token. */
export type Access = { readonly server: string; readonly caPem: string } & (
  | { readonly certPem: string; readonly keyPem: string }
  | { readonly tokenFile: string }
)

const encode = (text: string) => Buffer.from(text).toString('base64')
const decode = (text: string) => Buffer.from(text, 'base64').toString()

/** Writes a kubeconfig that only its owner can read. */
export async function writeKubeconfig(file: string, access: Access, namespace = 'default'): Promise<void> {
  const user =
    'tokenFile' in access
      ? { tokenFile: access.tokenFile }
      : { 'client-certificate-data': encode(access.certPem), 'client-key-data': encode(access.keyPem) }
  const cluster = { server: access.server, 'certificate-authority-data': encode(access.caPem) }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  }
  await writeFile(file, stringify(config), { mode: 0o600 })
}

type WrittenConfig = {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }]
  users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }]
}

/** Reads back a kubeconfig with a client certificate that `writeKubeconfig` wrote. */
export async function readKubeconfig(file: string) {
  const { clusters, users } = parse(await readFile(file, 'utf8')) as WrittenConfig
  const { cluster } = clusters[0]
  return {
    server: cluster.server,
    caPem: decode(cluster['certificate-authority-data']),
    certPem: decode(users[0].user['client-certificate-data']),
    keyPem: decode(users[0].user['client-key-data']),
  }
}
