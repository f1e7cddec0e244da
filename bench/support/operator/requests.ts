/** What one user asked of the API server within a time, counted in its audit log. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

type Entry = {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly requestReceivedTimestamp: string
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string }
}

/** Counts by what was asked (`patch zendeskconnectors/status`), of requests that came between the two times and have ended. */
export async function requestsBetween(
  auditLog: string,
  user: string,
  fromMs: number,
  toMs: number,
): Promise<ReadonlyMap<string, number>> {
  const folder = dirname(auditLog)
  const counts = new Map<string, number>()
  // The API server begins a new file every 100 MB.
  const names = (await readdir(folder)).filter((name) => /^audit(-.*)?\.log$/.test(name))
  for (const file of names.map((name) => join(folder, name))) {
    if ((await stat(file)).mtimeMs < fromMs) continue
    for await (const line of createInterface(createReadStream(file))) {
      if (!line.includes(user) || !line.endsWith('}')) continue
      const { verb, user: by, requestReceivedTimestamp, objectRef } = JSON.parse(line) as Entry
      const at = Date.parse(requestReceivedTimestamp)
      if (by.username !== user || at < fromMs || at > toMs) continue
      const what = [verb, [objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/')].join(' ')
      counts.set(what, (counts.get(what) ?? 0) + 1)
    }
  }
  return counts
}

/** All of them together. */
export const sumOf = (counts: ReadonlyMap<string, number>): number => counts.values().reduce((sum, one) => sum + one, 0)
