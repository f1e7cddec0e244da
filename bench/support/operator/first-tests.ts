/** First tests of many connectors that come at once. */
import type { Onlooker } from './arrivals.ts'
import { clockMs } from './figures.ts'
import { type Member, makeNewcomer, makeSecrets } from './fleet.ts'
import type { Served } from './model.ts'
import type { World } from './world.ts'

/** Makes the connectors; resolves with the seconds from the first one until the last one's test is written down. */
export async function firstTests(world: World, onlooker: Onlooker, members: readonly Member[]): Promise<number> {
  const { api } = world.cluster
  await makeSecrets(api, members)
  const tested = ({ status }: Served) => status?.connectionTest?.lastTime !== undefined
  const all = members.map((member) => onlooker.when(member, tested))
  const began = clockMs()
  // One after another, as kubectl and GitOps apply them: sixteen at a time is a load on the API server and nothing else.
  for (const member of members) await makeNewcomer(api, member)
  return (Math.max(...(await Promise.all(all))) - began) / 1000
}
