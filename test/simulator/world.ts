import type { AccessLog } from './access-logs.ts'
import type { ActivityStore } from './activities.ts'
import type { Clock } from './clock.ts'
import type { Collection, CollectionName } from './collections.ts'
import type { OAuth, Token } from './oauth.ts'
import type { AccountSettings } from './options.ts'
import type { PageCache } from './page-cache.ts'
import type { User, UserStore } from './users.ts'

/** Everything an endpoint may look at. */
export type World = {
  readonly subdomain: string
  readonly settings: AccountSettings
  readonly clock: Clock
  readonly users: UserStore
  readonly activities: ActivityStore
  readonly accessLog: AccessLog
  readonly collections: Record<CollectionName, Collection>
  readonly oauth: OAuth
  readonly pages: PageCache
}

/** A request as an endpoint sees it; a caller without a token is anonymous. */
export type Call = {
  readonly method: string
  readonly url: URL
  readonly body: string
  readonly contentType: string
  readonly caller: { readonly token: Token; readonly user: User } | undefined
}
