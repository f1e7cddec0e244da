/** The checkpoint in a folder: what a run without a cluster holds, and how processes fence each other by it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../src/connector/run.ts'
import { claim, Fenced } from '../../src/sync/checkpoint.ts'
import { systemClock } from '../../src/sync/clock.ts'
import { fileCheckpoint } from '../../src/sync/file-checkpoint.ts'
import { aProgress } from './fixtures/connectors.ts'

const module = join(import.meta.dirname, '..', '..', 'src', 'sync', 'file-checkpoint.ts')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const counted = (records: number): Checkpoint => ({
  account: 'acme',
  sink: 'file/local',
  streams: { Users: { next: 1, lowerBound: '2026-11-20T00:00:00Z', records, complete: false } },
})
/** Writes so many versions, one after another. */
async function advance(times: number): Promise<void> {
  const store = fileCheckpoint(folder)
  for (let time = 0; time < times; time++) await store.write(counted(time), (await store.read()).version)
}

describe('a checkpoint in a folder', () => {
  it('is none before the first, and then what was written last', async () => {
    const store = fileCheckpoint(folder)
    const { checkpoint, version } = await store.read()
    expect(checkpoint).toBeUndefined()
    const written = await store.write(counted(1), version)
    await store.write(counted(2), written.version)
    expect((await fileCheckpoint(folder).read()).checkpoint).toEqual(counted(2))
  })

  it('refuses a write of what is not the kept version, with the reason Conflict', async () => {
    const store = fileCheckpoint(folder)
    const { version } = await store.read()
    await store.write(counted(1), version)
    await expect(store.write(counted(2), version)).rejects.toMatchObject({ reason: 'Conflict' })
    expect((await store.read()).checkpoint).toEqual(counted(1))
  })

  it('refuses a process that slept for so long that its version is gone', async () => {
    const store = fileCheckpoint(folder)
    const { version } = await store.read()
    await advance(20)
    await expect(store.write(counted(99), version)).rejects.toMatchObject({ reason: 'Conflict' })
    expect((await store.read()).checkpoint).toEqual(counted(19))
  })

  it('leaves a few small files that only their owner reads, however often it is written', async () => {
    await writeFile(join(folder, '.000000000007.json.0b5d3c1e-0000-4000-8000-000000000000'), 'half')
    await advance(20)
    const names = await readdir(folder)
    expect(names).toEqual(['000000000017.json', '000000000018.json', '000000000019.json', '000000000020.json'])
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  it('says so when its folder is gone, or what stands there is no checkpoint', async () => {
    await writeFile(join(folder, '000000000001.json'), '{')
    await expect(fileCheckpoint(folder).read()).rejects.toMatchObject({ reason: 'Malformed' })
    await rm(folder, { recursive: true })
    await expect(fileCheckpoint(folder).read()).rejects.toMatchObject({ reason: 'NotFound' })
  })

  it('fences the run that another takes over from', async () => {
    const { signal } = new AbortController()
    const options = { clock: systemClock, signal, progress: () => aProgress('') }
    const who = { run: 'a', slot: 1, pod: 'a', account: 'acme', sink: 'file/local' }
    const [first, second] = [fileCheckpoint(folder), fileCheckpoint(folder)]
    const held = await claim(first, who, options)
    const taken = await claim(second, { ...who, run: 'b', slot: 2, pod: 'b' }, options)
    expect(taken.found?.holder).toMatchObject({ run: 'a', released: false })
    await expect(held.confirm()).rejects.toBeInstanceOf(Fenced)
    await taken.confirm()
  })
})

describe('processes side by side on one folder', () => {
  /** Adds one to the count, for ever, and says each number that was accepted. */
  const adder = `
    import { writeSync } from 'node:fs'
    import { fileCheckpoint } from ${JSON.stringify(module)}
    const store = fileCheckpoint(process.argv[1])
    for (;;) {
      const { checkpoint, version } = await store.read()
      const { Users } = checkpoint.streams
      const next = { ...checkpoint, streams: { Users: { ...Users, records: Users.records + 1 } } }
      try {
        await store.write(next, version)
        writeSync(1, String(Users.records + 1) + '\\n')
      } catch (error) {
        if (error.reason !== 'Conflict') throw error
      }
    }`
  const children: ChildProcess[] = []
  const closed: Promise<unknown>[] = []
  const killed = async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await Promise.all(closed.splice(0))
  }
  afterEach(killed)
  const start = (accepted: number[]) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', adder, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    createInterface({ input: child.stdout }).on('line', (line) => accepted.push(Number(line)))
    children.push(child)
    closed.push(once(child, 'close'))
    return child
  }
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  it('lose no write and accept none twice, though some are killed and some frozen in the middle', async () => {
    const store = fileCheckpoint(folder)
    await store.write(counted(0), '0')
    const accepted: number[] = []
    const more = (count: number) => {
      const goal = accepted.length + count
      return until(() => accepted.length >= goal)
    }

    for (let round = 0; round < 3; round++) {
      const [one, other] = [start(accepted), start(accepted)]
      await more(10)
      one.kill('SIGSTOP')
      // While it is frozen, its version is left far behind.
      await more(10)
      other.kill('SIGKILL')
      one.kill('SIGCONT')
      await more(3)
      await killed()
    }

    // Whoever overwrote another's write would say the same number once more.
    expect(new Set(accepted).size).toBe(accepted.length)
    const records = (await store.read()).checkpoint?.streams.Users?.records ?? 0
    expect(records).toBeGreaterThanOrEqual(Math.max(...accepted))
  })
})
