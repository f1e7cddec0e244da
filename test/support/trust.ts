/** Lets this process trust one more authority, as NODE_EXTRA_CA_CERTS does for processes that start with it. */
import { readFile } from 'node:fs/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

export async function trust(caFile: string): Promise<void> {
  setDefaultCACertificates([...getCACertificates('default'), await readFile(caFile, 'utf8')])
}
