/** Shows what has arrived: how many, where, and one of each; and that it is what Zendesk has. */
import { join } from 'node:path'
import type { SinkRecord, Stage } from '../support/stage.ts'
import { say } from './telling.ts'

/** @throws Error when the sink does not hold exactly what it should. */
export async function showRecords(stage: Stage, expected: { users: number; activities: number }): Promise<void> {
  const claim = 'zendesk-data'
  const account = stage.simulator.find('acme')
  if (account === undefined) throw new Error('the simulator has lost its account')
  for (const [stream, count, texts] of [
    ['Users', expected.users, account.users()],
    ['AuditLogs', expected.activities, undefined],
  ] as const) {
    const records = await stage.records(claim, 'acme', stream)
    const folder = join(stage.cluster.folder, 'claims', 'security', claim, 'security', 'acme', stream)
    say(`${stream}: ${records.length} records in ${folder}/*.ndjson.gz; one of them:`)
    say(JSON.stringify(records.at(-1), null, 2))
    compare(stream, count, records, texts)
    say('')
  }
  const logs = await stage.cluster.kubectl(
    'logs',
    '-n',
    'security',
    '-l',
    'cloudapps.security/connector=globex',
    '--tail=1',
  )
  say(`globex publishes to its pod's standard output; kubectl logs ends with:\n${logs.slice(0, 300)}…`)
}

function compare(
  stream: string,
  count: number,
  records: readonly SinkRecord[],
  texts: Iterable<string> | undefined,
): void {
  const distinct = new Set(records.map((record) => record.metadata.uid)).size
  if (records.length !== count || distinct !== count) {
    throw new Error(`${stream}: ${count} records were expected, ${records.length} came, ${distinct} of them distinct.`)
  }
  if (texts === undefined) return
  const held = new Set(records.map((record) => record.raw_data))
  for (const text of texts) if (!held.has(text)) throw new Error(`${stream}: a record of Zendesk's is missing: ${text}`)
  say('Byte for byte what Zendesk has, each once.')
}
