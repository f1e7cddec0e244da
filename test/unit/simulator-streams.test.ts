import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Account } from '../simulator/account.ts'
import { createProbe, type Probe, recordTexts } from '../simulator/probe.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'

let simulator: Simulator
let probe: Probe

beforeAll(async () => {
  simulator = await startSimulator()
  probe = createProbe(simulator)
})
afterAll(async () => {
  await probe.close()
  await simulator.stop()
})

const roomy = { limit: { requests: 1_000_000, incremental: 1_000_000 } }

async function signedIn(options: Parameters<Simulator['account']>[1] = {}): Promise<Account> {
  const account = simulator.account('acme', { ...roomy, ...options })
  await probe.signIn()
  return account
}

async function get(path: string) {
  const reply = await probe.get(path)
  expect(reply.status, `${path}: ${reply.text.slice(0, 200)}`).toBe(200)
  return reply.text
}

const pathOf = (url: string) => url.replace('https://acme.zendesk.com', '')

/** Follows `links.next` to the end. */
async function listAll(path: string, name: string): Promise<string[][]> {
  const pages: string[][] = []
  for (let next: string | null = path; next; ) {
    const text = await get(next)
    pages.push(recordTexts(text, name))
    const links: string | null = JSON.parse(text).links.next
    next = links && pathOf(links)
  }
  return pages
}

/** Follows the cursor to the end of the stream. */
async function exportAll(path: string): Promise<{ pages: string[][]; cursor: string }> {
  const pages: string[][] = []
  for (let next = path; ; ) {
    const text = await get(next)
    const { after_url, after_cursor, end_of_stream } = JSON.parse(text)
    pages.push(recordTexts(text, 'users'))
    if (end_of_stream) return { pages, cursor: after_cursor }
    next = pathOf(after_url)
  }
}

const idOf = (raw: string) => /"id":(\d+)/.exec(raw)?.[1] ?? ''
const ids = (raws: Iterable<string>) => [...raws].map(idOf)
const ended = '/api/v2/incremental/users/cursor?start_time=0'

describe('audit logs', () => {
  test('paging visits every record once, in either direction, whatever the page size and however many share a second', async () => {
    const shapes = fc.record({
      size: fc.integer({ min: 1, max: 100 }),
      lastSevenDays: fc.integer({ min: 0, max: 130 }),
      sharing: fc.integer({ min: 1, max: 40 }),
      extra: fc.array(fc.integer({ min: -400_000, max: -1 }), { maxLength: 20 }),
      ascending: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(shapes, async ({ size, lastSevenDays, sharing, extra, ascending }) => {
        const account = await signedIn({ activities: { days: 9, lastSevenDays, perEarlierDay: 3, sharing } })
        for (const seconds of extra) account.appendActivity({ createdAt: simulator.clock.now() + seconds * 1000 })
        const sort = ascending ? 'created_at' : '-created_at'
        const pages = await listAll(`/api/v2/audit_logs?page[size]=${size}&sort=${sort}`, 'audit_logs')
        const expected = [...account.activities()]
        expect(pages.flat()).toEqual(ascending ? expected : expected.reverse())
        expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('are newest first unless asked otherwise', async () => {
    const account = await signedIn()
    const [page] = await listAll('/api/v2/audit_logs?page[size]=100', 'audit_logs')
    expect(page?.[0]).toBe([...account.activities()].at(-1))
  })

  test('hold exactly the number asked for in the last seven days, and pages end within a second', async () => {
    const account = await signedIn({ activities: { days: 40, lastSevenDays: 1200, perEarlierDay: 20 } })
    const from = simulator.clock.now() - 7 * 86_400_000
    expect([...account.activities({ from })].length).toBe(1200)
    expect([...account.activities()].length).toBe(1200 + 33 * 20)
    const second = (raw: string | undefined) => /"created_at":"([^"]+)"/.exec(raw ?? '')?.[1]
    const pages = await listAll('/api/v2/audit_logs?page[size]=100&sort=created_at', 'audit_logs')
    expect(pages.some((page, index) => second(page.at(-1)) === second(pages[index + 1]?.[0]))).toBe(true)
  })

  test.each(['filter[created_at][]', 'filter[created_at]'])('are filtered by %s, both ends inclusive', async (name) => {
    const account = await signedIn({ activities: { lastSevenDays: 0, perEarlierDay: 0 } })
    for (const second of [10, 11, 12, 13, 14])
      account.appendActivity({ createdAt: second * 1000, action: `at ${second}` })
    const range = [11, 13].map((second) => `${name}=${new Date(second * 1000).toISOString()}`).join('&')
    for (const sort of ['created_at', '-created_at']) {
      const pages = await listAll(`/api/v2/audit_logs?page[size]=2&sort=${sort}&${range}`, 'audit_logs')
      expect(ids(pages.flat()).sort()).toEqual(ids(account.activities({ from: 11_000, to: 13_000 })))
      expect(pages.flat()).toHaveLength(3)
    }
  })

  test('are filtered by action and actor', async () => {
    const account = await signedIn()
    account.appendActivity({ action: 'login', actorId: '42', actorName: 'Mallory' })
    const [page] = await listAll(
      '/api/v2/audit_logs?page[size]=9&filter[action]=login&filter[actor_id]=42',
      'audit_logs',
    )
    expect(page).toHaveLength(1)
  })

  test('surface late: an append is invisible until its time, and then stands where it belongs', async () => {
    const account = await signedIn()
    const now = simulator.clock.now()
    const id = account.appendActivity({ createdAt: now - 2 * 86_400_000, surfaceAt: now + 120_000 })
    const seen = async () => ids((await listAll('/api/v2/audit_logs?page[size]=100', 'audit_logs')).flat())
    const before = await seen()
    simulator.clock.advance(121_000)
    const after = await seen()
    expect(before).not.toContain(id)
    expect(after.filter((each) => each !== id)).toEqual(before)
    expect(after.indexOf(id)).toBeGreaterThan(0)
  })

  test('keep every digit of ids above 2^53, and every byte of hostile strings', async () => {
    const firstId = '9007199254740993'
    const account = await signedIn({ activities: { firstId, lastSevenDays: 400 }, hostileStrings: true })
    const raws = (await listAll('/api/v2/audit_logs?page[size]=100&sort=created_at', 'audit_logs')).flat()
    expect(idOf(raws[0] ?? '')).toBe(firstId)
    expect(ids(raws)).toEqual(raws.map((_, index) => `${BigInt(firstId) + BigInt(index)}`))
    for (const raw of raws) expect(account.rawActivity(idOf(raw))).toBe(raw)
    const texts = raws.map((raw) => JSON.parse(raw))
    expect(texts.some(({ change_description: text }) => text.includes('\u0000'))).toBe(true)
    expect(texts.some(({ change_description: text }) => text.length === 5000)).toBe(true)
    expect(raws.some((raw) => raw.includes('\u2028'))).toBe(true)
    expect(raws.some((raw) => raw.includes('\\u2028'))).toBe(true)
    expect(raws.some((raw) => raw.includes('山'))).toBe(true)
    expect(raws.some((raw) => raw.includes('\\u5c71'))).toBe(true)
    expect(texts.some(({ actor_id, actor_name }) => actor_id === -1 && actor_name === 'Zendesk')).toBe(true)
  })
})

describe('the export of users', () => {
  test('visits every user once, whatever the page size, and changed ones at their last change', async () => {
    const shapes = fc.record({
      perPage: fc.integer({ min: 1, max: 60 }),
      count: fc.integer({ min: 1, max: 80 }),
      changes: fc.array(fc.nat({ max: 79 }), { maxLength: 15 }),
      added: fc.nat({ max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(shapes, async ({ perPage, count, changes, added }) => {
        const account = await signedIn({ users: { count } })
        const first = 360_000_000_001n
        for (const [step, index] of changes.entries()) {
          account.updateUser(first + BigInt(index % count), { notes: `change ${step}` })
        }
        for (let user = 0; user < added; user++) account.addUser()
        simulator.clock.advance(61_000)
        const { pages } = await exportAll(`${ended}&per_page=${perPage}`)
        expect(pages.flat().sort()).toEqual([...account.users()].sort())
        const moments = pages.flat().map((raw) => JSON.parse(raw).updated_at)
        expect(moments).toEqual([...moments].sort())
      }),
      { numRuns: 40 },
    )
  })

  test('repeats users at page boundaries when told to, and still ends', async () => {
    const account = await signedIn({ users: { count: 50, repeatAtBoundaries: 3 } })
    const { pages, cursor } = await exportAll(`${ended}&per_page=10`)
    expect(new Set(pages.flat())).toEqual(new Set(account.users()))
    for (const [index, page] of pages.slice(1).entries()) expect(page.slice(0, 3)).toEqual(pages[index]?.slice(-3))
    expect((await exportAll(`/api/v2/incremental/users/cursor?cursor=${cursor}`)).pages.flat()).toEqual([])
    const single = await exportAll(`${ended}&per_page=1`)
    expect(single.pages.flat()).toHaveLength(50)
  })

  test('shows a change on a page that was served before', async () => {
    const account = await signedIn({ users: { count: 50 } })
    const path = `${ended}&per_page=10`
    const before = recordTexts(await get(path), 'users')
    account.updateUser(idOf(before[3] ?? ''), { name: 'Moved on' })
    const after = recordTexts(await get(path), 'users')
    expect(after.slice(0, -1)).toEqual(before.filter((_, index) => index !== 3))
  })

  test('goes on later from its last cursor, a minute behind', async () => {
    const account = await signedIn()
    const { cursor } = await exportAll(ended)
    const id = account.addUser({ name: 'Späte Zugabe' })
    account.deleteUser('360000000010')
    const later = () => exportAll(`/api/v2/incremental/users/cursor?cursor=${cursor}`)
    expect((await later()).pages.flat()).toEqual([])
    simulator.clock.advance(62_000)
    const users = (await later()).pages.flat()
    expect(new Set(users)).toEqual(new Set([account.rawUser('360000000010'), account.rawUser(id)]))
    expect(account.rawUser('360000000010', 0)).toContain('"active":true')
    expect(account.rawUser('360000000010', 1)).toContain('"active":false')
  })

  test.each([
    `start_time=${Math.floor(Date.now() / 1000) + 9e6}`,
    'start_time=x',
    'start_time=0&per_page=1001',
    'cursor=x',
    '',
  ])('answers 400 to %s', async (query) => {
    await signedIn()
    expect((await probe.get(`/api/v2/incremental/users/cursor?${query}`)).status).toBe(400)
  })
})

describe('access logs', () => {
  test('need the add-on', async () => {
    await signedIn()
    expect((await probe.get('/api/v2/access_logs')).status).toBe(403)
  })

  test('are paged by a cursor among the filters, within their times', async () => {
    const account = await signedIn({ accessLogs: { count: 60 } })
    const raws = [...account.accessLogs()]
    const path = '/api/v2/access_logs?page[size]=7'
    expect((await listAll(path, 'access_logs')).flat()).toEqual(raws)
    const [end, start] = [raws[20], raws[41]].map((raw) => JSON.parse(raw ?? '').timestamp)
    const range = `filter[start]=${start}&filter[end]=${end}`
    expect((await listAll(`${path}&${range}`, 'access_logs')).flat()).toEqual(raws.slice(20, 42))
    expect((await probe.get('/api/v2/access_logs?page[size]=2501')).status).toBe(400)
  })
})

describe('lists', () => {
  test.each([
    'page[size]=0',
    'page[size]=101',
    'page[size]=x',
    'page[after]=x',
    'page=101&per_page=100',
    'per_page=101',
  ])('answer 400 to %s', async (query) => {
    await signedIn()
    expect((await probe.get(`/api/v2/users?${query}`)).status).toBe(400)
  })

  test('users come without the deleted ones, which have a list of their own', async () => {
    const account = await signedIn({ users: { count: 230, deleted: 7 } })
    account.deleteUser('360000000200', { permanently: true })
    account.updateUser('360000000201', { suspended: true })
    const present = (await listAll('/api/v2/users?page[size]=100', 'users')).flat()
    const deleted = (await listAll('/api/v2/deleted_users?page[size]=3', 'deleted_users')).flat()
    expect([present.length, deleted.length]).toEqual([222, 8])
    expect([...present, ...deleted].sort()).toEqual([...account.users()].sort())
    expect(deleted.at(-1)).toContain('Permanently Deleted User')
    expect(JSON.parse(await get('/api/v2/users/count')).count.value).toBe(222)
  })

  test('numbered pages know their neighbours', async () => {
    await signedIn({ users: { count: 120, deleted: 0 } })
    const first = JSON.parse(await get('/api/v2/users.json?per_page=50'))
    expect([first.users.length, first.count, first.previous_page]).toEqual([50, 120, null])
    const last = JSON.parse(await get('/api/v2/users?per_page=50&page=3'))
    expect([last.users.length, last.next_page]).toEqual([20, null])
  })

  test('small streams can be added to and taken from', async () => {
    const account = await signedIn({ groups: 3 })
    const id = account.putRecord('groups', { name: 'Night shift' })
    expect(account.removeRecord('groups', '7000000000002')).toBe(true)
    const groups = (await listAll('/api/v2/groups?page[size]=2', 'groups')).flat()
    expect(groups).toEqual(account.records('groups'))
    expect(ids(groups)).toEqual(['7000000000001', '7000000000003', id])
    expect((await listAll('/api/v2/group_memberships?page[size]=100', 'group_memberships')).flat()).toHaveLength(5)
    expect(recordTexts(await get('/api/v2/custom_roles'), 'custom_roles')).toHaveLength(4)
  })
})

describe('a million', () => {
  test('users and activities cost next to nothing until they are asked for, and pages of them not much more', async () => {
    const collect = () => {
      globalThis.gc?.()
      return process.memoryUsage().heapUsed
    }
    const before = collect()
    await signedIn({ users: { count: 1_000_000 }, activities: { lastSevenDays: 1_000_000 } })
    let count = 0
    let cursor = `${ended}&per_page=1000`
    for (let page = 0; page < 100; page++) {
      const text = await get(cursor)
      count += text.split('"updated_at"').length - 1
      cursor = pathOf(/"after_url":"([^"]+)"/.exec(text)?.[1] ?? '')
    }
    expect(count).toBe(100_000)
    expect((collect() - before) / 2 ** 20).toBeLessThan(120)
  })
})
