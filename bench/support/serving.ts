/** How fast the simulator serves: it must not be what a bench measures. */
import { createProbe } from '../../test/simulator/probe.ts'
import type { SimulatorProcess } from './simulator-process.ts'

/** Reads all users and the audit log side by side, and nothing else; resolves with the seconds it took. */
export async function secondsToServe(simulator: SimulatorProcess, account: string): Promise<number> {
  const probe = createProbe(simulator, account)
  await probe.signIn()
  const read = async (path: string, follow: (end: string) => string | undefined) => {
    for (let next: string | undefined = path; next !== undefined; ) {
      const { status, text } = await probe.get(next)
      if (status !== 200) throw new Error(`the simulator answered ${status}`)
      next = follow(text.slice(-END))
    }
  }
  const begin = performance.now()
  const users = '/api/v2/incremental/users/cursor?per_page=1000'
  const audit = '/api/v2/audit_logs?sort=created_at&page[size]=100'
  await Promise.all([
    read(`${users}&start_time=0`, (end) => {
      const { cursor, last } =
        /"after_cursor":"(?<cursor>[^"]*)".*"end_of_stream":(?<last>true)?/.exec(end)?.groups ?? {}
      return last === undefined ? `${users}&cursor=${cursor}` : undefined
    }),
    read(audit, (end) => {
      const { more, cursor } = /"has_more":(?<more>true)?.*"after_cursor":"(?<cursor>[^"]*)"/.exec(end)?.groups ?? {}
      return more === undefined ? undefined : `${audit}&page[after]=${cursor}`
    }),
  ])
  await probe.close()
  return (performance.now() - begin) / 1000
}

/** What leads to the next page stands in the last so many characters of a page. */
const END = 1500
