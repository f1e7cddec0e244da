/**
 * Whether the operator does its work: a connector is made, a Secret changed, a test and a run asked for; all of it must
 * come true, and so must every other connector's status.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { complaints, type Shown, type ShownJob } from './judge.ts'
import type { Residents } from './residents.ts'
import { NAMESPACE, type World } from './world.ts'

/** Longest time for the state to be right, in ms. */
export const RIGHT_WITHIN = 60_000
const LOOK_MS = 200

/** What became of it: seconds since then until all was right, or what was not right in the end. */
export type Finding = { readonly seconds: number; readonly wrong: readonly string[] }

/** `since`: performance.now() from which on the state has its time to be right. */
export async function probe(world: World, residents: Residents, since: number): Promise<Finding> {
  const name = `probe-${Math.round(performance.now())}`
  await residents.add(name, { connection: 'Connected' })
  await residents.rotate('rotated')
  await residents.flip('flipped')
  await residents.syncNow('runner')
  const finding = await untilTrue(world, residents, since + RIGHT_WITHIN)
  await residents.remove(name)
  return { seconds: (performance.now() - since) / 1000, wrong: finding }
}

/** Waits until all is as it should be; otherwise tells what is not. */
export async function untilTrue({ cluster: { api } }: World, residents: Residents, giveUp: number): Promise<string[]> {
  for (;;) {
    const { items } = await api.request<{ items: Shown[] }>(
      'GET',
      `/apis/cloudapps.security/v1alpha1/namespaces/${NAMESPACE}/zendeskconnectors`,
    )
    const jobs = await api.request<{ items: ShownJob[] }>('GET', `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`)
    const wrong = complaints(items, jobs.items, residents.truth)
    if (wrong.length === 0 || performance.now() > giveUp) return wrong
    await delay(LOOK_MS)
  }
}
