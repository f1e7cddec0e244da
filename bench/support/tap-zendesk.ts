/** tap-zendesk, the Python peer: reads the users of an account as its documentation says, into a file. */
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createProbe } from '../../test/simulator/probe.ts'
import { type Measured, measured } from './measured.ts'
import type { Stage } from './stage.ts'
import { venvWith } from './venv.ts'

/** Prepares it; the result reads all users of the account and resolves with what that took, and how many came. */
export async function tapZendesk(
  { simulator, folder, env }: Stage,
  account: string,
): Promise<() => Promise<Measured & { readonly records: number }>> {
  const venv = await venvWith(join(import.meta.dirname, 'tap-zendesk.txt'))
  const own = join(folder, 'tap-zendesk')
  await mkdir(own)
  const probe = createProbe(simulator, account)
  const config = {
    subdomain: account,
    start_date: '1970-01-01T00:00:00Z',
    page_size: 1000,
    access_token: await probe.signIn({ expires_in: 172_000 }),
  }
  await probe.close()
  const [configFile, catalogFile] = [join(own, 'config.json'), join(own, 'catalog.json')]
  await writeFile(configFile, JSON.stringify(config))
  await writeFile(catalogFile, JSON.stringify(await catalogOf(venv)))

  return async () => {
    const output = join(own, 'users.jsonl')
    const file = await open(output, 'w')
    try {
      const took = await measured(
        join(venv, 'bin', 'tap-zendesk'),
        ['--config', configFile, '--catalog', catalogFile],
        { env: { ...env, REQUESTS_CA_BUNDLE: simulator.caFile }, outputTo: file.fd },
      )
      return { ...took, records: await countRecords(output) }
    } finally {
      await file.close()
    }
  }
}

/** As its own discovery gives it, all fields of the users selected; discovery itself asks for what no stream here needs. */
async function catalogOf(venv: string): Promise<object> {
  const [python = ''] = await readdir(join(venv, 'lib'))
  const path = join(venv, 'lib', python, 'site-packages', 'tap_zendesk', 'schemas', 'users.json')
  const schema = JSON.parse(await readFile(path, 'utf8')) as { properties: object }
  const always = ['id', 'updated_at']
  const fields = Object.keys(schema.properties).map((field) => ({
    breadcrumb: ['properties', field],
    metadata: { selected: true, inclusion: always.includes(field) ? 'automatic' : 'available' },
  }))
  const whole = {
    selected: true,
    'table-key-properties': ['id'],
    'forced-replication-method': 'INCREMENTAL',
    'valid-replication-keys': ['updated_at'],
  }
  const users = {
    stream: 'users',
    tap_stream_id: 'users',
    schema,
    metadata: [{ breadcrumb: [], metadata: whole }, ...fields],
  }
  return { streams: [users] }
}

async function countRecords(path: string): Promise<number> {
  const file = await open(path)
  let count = 0
  for await (const line of createInterface(file.createReadStream()))
    if (line.startsWith('{"type": "RECORD"')) count += 1
  return count
}
