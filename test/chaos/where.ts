/** What a process is, or was when it died, in the middle of: told by what can be seen from outside. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Where } from './books.ts'
import { type Lane, STREAMS } from './lane.ts'

export function whereIs(lane: Lane): Where {
  const temporary = streamFolders(lane).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.startsWith('.'))
      .map((name) => join(folder, name)),
  )
  if (temporary.length > 0) return temporary.every(isWhole) ? 'publishing' : 'writing'
  const upload = lane.sink.relay?.underWay().find(({ method }) => method !== 'GET')
  if (upload) return upload.step === 'head' || upload.step === 'body' ? 'writing' : 'publishing'
  if (lane.toCluster.underWay().some(({ method }) => method === 'PUT')) return 'checkpointing'
  return isAsking(lane) ? 'fetching' : 'elsewhere'
}

/** Folders of a file sink's streams that are there already. */
export function streamFolders({ sink: { segments } }: Lane): string[] {
  if (segments === undefined) return []
  return STREAMS.map((stream) => join(segments, stream)).filter((folder) => existsSync(folder))
}

function isWhole(path: string): boolean {
  try {
    gunzipSync(readFileSync(path))
    return true
  } catch {
    return false
  }
}

/** Whether a request is at Zendesk that is neither answered nor spoilt by a fault. */
function isAsking({ account }: Lane): boolean {
  const lately = Date.now() - 10_000
  return account.ledger
    .requests()
    .some(({ at, status, fault }) => at > lately && status === 0 && (fault === undefined || fault === 'latency'))
}
