/**
 * The limit that a sync run is measured by: reads the same pages the same way and writes the same events with gzip -1,
 * as fast as this machine and this language allow. No engine, no checkpoint, no budget, nothing is flushed, nothing told
 * apart; killed anywhere, all of it is for nothing. `bare-loop.js <account> <displayName> <folder> <lookback seconds> <stream> …`
 */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { StreamName } from '../../src/connector/schema.ts'
import { newChain } from '../../src/sync/chain.ts'
import { isoTime } from '../../src/sync/clock.ts'
import { gatherLines } from '../../src/sync/lines.ts'
import { baseKind, eventLine } from '../../src/sync/ocsf/event.ts'
import { readRecord } from '../../src/sync/record.ts'
import { STREAM } from '../../src/sync/streams.ts'
import { connectTo } from '../../src/zendesk/http.ts'
import { splitPage } from '../../src/zendesk/pages.ts'
import { readToken, requestToken } from '../../src/zendesk/token.ts'

const [account = '', displayName = '', folder = '', lookback = '', ...streams] = process.argv.slice(2)
const endpoint = `${account}.zendesk.com`
const { send, close } = connectTo(endpoint, { httpsProxy: process.env.HTTPS_PROXY, noProxy: undefined })
const { signal } = new AbortController()

const credentials = { clientId: 'zendesk-connector', clientSecret: `${account}-secret` }
const answer = await requestToken(send, credentials, 7200, signal)
const minted = readToken(answer, endpoint, new Date(), 7200)
if (minted.kind !== 'token') throw new Error(minted.message)
const headers = { authorization: `Bearer ${minted.token}` }
const zendeskNow = new Date(answer.header('date') ?? '')

async function get(path: string): Promise<Buffer> {
  const { status, body } = await send({ method: 'GET', path, headers, signal })
  if (status !== 200) throw new Error(`${path}: ${status}`)
  return body
}

async function copy(name: StreamName): Promise<void> {
  const stream = STREAM[name]
  const chain = newChain(isoTime(Math.floor(zendeskNow.getTime() / 1000 - Number(lookback)) * 1000))
  const reading = stream.kind.reading(chain, { zendeskNow, snapshotsSince: undefined })
  if (reading === undefined) throw new Error(`nothing of ${name} is due`)
  const origin = { account, stream: name, displayName }
  const gzip = createGzip({ level: 1, chunkSize: 64 * 1024 })
  const file = gzip.pipe(createWriteStream(join(folder, `${name}.ndjson.gz`)))
  const lines = gatherLines()
  let written: Promise<void> = Promise.resolve()
  const page = (cursor?: string) => get(stream.path(cursor, reading.bounds, stream.pageSize.most))
  for (let next: Promise<Buffer> | undefined = page(); next !== undefined; ) {
    const { records, envelope } = splitPage(await next, stream.records)
    const { cursor, more } = stream.follow(envelope)
    next = more ? page(cursor) : undefined
    for (const raw of records) {
      const record = readRecord(raw, stream.timeField)
      const kind = stream.map(record, origin) ?? baseKind
      lines.add(eventLine(kind, record, stream.kind.key(record, reading), record.time ?? 0, origin))
    }
    await written
    written = new Promise((resolve) => gzip.write(lines.take(), () => resolve()))
  }
  gzip.end()
  await finished(file)
}

await Promise.all(streams.map((name) => copy(name as StreamName)))
await close()
