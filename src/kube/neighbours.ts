/**
 * The connectors of each Zendesk account, and what their runs have spent of its budget. Apart from the rest of what is seen,
 * since an account may have many, and each looks at all others.
 */
import type { Books } from '../connector/observed.ts'
import { type Connector, subdomain } from '../connector/schema.ts'
import { createIndex } from './index-by.ts'
import type { KeptCheckpoint } from './kept.ts'
import { checkpointName } from './names.ts'

export type Neighbours = {
  /** The connector with this key is another than before; undefined: it was not there, or is gone. */
  moved(key: string, before: Connector | undefined, after: Connector | undefined): void
  /** The ConfigMap with this key has changed. */
  checkpointChanged(key: string): void
  /** The keys of all connectors. */
  keys(): Iterable<string>
  uidOf(key: string): string | undefined
  /** Keys of the account's connectors. */
  of(account: string): Iterable<string>
  /** What the checkpoints of the account's connectors tell, but for the one with this key. */
  booksBut(key: string, account: string): readonly Books[]
}

/** The account of a connector. */
export function accountOf({ spec }: Connector): string {
  return subdomain(spec.endpoint)
}

/** Key of the ConfigMap with a connector's checkpoint. */
export function checkpointKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${checkpointName(name)}`
}

/** `checkpointAt`: the checkpoint that is known under its key. */
export function createNeighbours(checkpointAt: (key: string) => KeptCheckpoint | undefined): Neighbours {
  const byAccount = createIndex()
  const uids = new Map<string, string>()
  // By checkpoint, and unpacked when a neighbour first asks: most connectors have none, and ten thousand are 13 MiB.
  const books = new Map<string, { readonly owner: string; readonly kept: Books | undefined }>()

  function booksOf(key: string): Books | undefined {
    const [namespace = '', name = ''] = key.split('/')
    const its = checkpointKey({ namespace, name })
    let found = books.get(its)
    if (found === undefined) {
      const stored = checkpointAt(its)
      if (stored === undefined) return undefined
      found = { owner: stored.owner.uid, kept: booksIn(stored) }
      books.set(its, found)
    }
    // Not those of an earlier connector of the same name.
    return found.owner === uids.get(key) ? found.kept : undefined
  }

  return {
    moved: (key, before, after) => {
      byAccount.move(key, before && accountOf(before), after && accountOf(after))
      if (after === undefined) uids.delete(key)
      else uids.set(key, after.metadata.uid)
    },
    checkpointChanged: (key) => void books.delete(key),
    keys: () => uids.keys(),
    uidOf: (key) => uids.get(key),
    of: byAccount.under,
    booksBut: (key, account) =>
      Array.from(byAccount.under(account))
        .filter((neighbour) => neighbour !== key)
        .map(booksOf)
        .filter((one) => one !== undefined),
  }
}

function booksIn({ checkpoint }: KeptCheckpoint): Books | undefined {
  const { holder, budget } = checkpoint ?? {}
  return holder || budget ? { ...(holder && { holder }), ...(budget && { budget }) } : undefined
}
