/** What the kubelet is told, and who may change the level of the log. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isLoopback, type Probe, serveProbes } from '../../src/health-probes.ts'
import { logLevel } from '../../src/logger.ts'
import type { Server } from '../../src/serve.ts'

let server: Server
let watch: string | undefined
let queue: Probe
let lines: string[]
let level: ReturnType<typeof logLevel>

beforeEach(async () => {
  watch = undefined
  queue = () => undefined
  lines = []
  level = logLevel('info')
  const line = (kind: string) => (fields: object, message: string) =>
    void lines.push(`${kind} ${JSON.stringify(fields)} ${message}`)
  server = await serveProbes(
    { host: '127.0.0.1', port: 0 },
    {
      healthz: { watch: () => watch, queue: () => queue() },
      readyz: { synced: () => 'connectors have not been listed yet' },
      logLevel: level,
      log: { warn: line('warn'), info: line('info') },
    },
  )
})
afterEach(() => server.close())

async function ask(path: string, init?: RequestInit) {
  const answer = await fetch(`http://${server.address}${path}`, init)
  return { status: answer.status, text: await answer.text() }
}

test('who is well says ok, and on demand what was looked at', async () => {
  expect(await ask('/healthz')).toEqual({ status: 200, text: 'ok' })
  expect(await ask('/healthz?verbose')).toEqual({
    status: 200,
    text: '[+]watch ok\n[+]queue ok\nhealthz check passed\n',
  })
})

test('what is wrong is told with its reason, always, and is no good for /readyz either', async () => {
  watch = 'secrets hang'
  expect(await ask('/healthz')).toEqual({
    status: 500,
    text: '[-]watch failed: secrets hang\n[+]queue ok\nhealthz check failed\n',
  })
  expect(await ask('/readyz')).toEqual({
    status: 500,
    text: '[-]synced failed: connectors have not been listed yet\nreadyz check failed\n',
  })
})

test('a probe that throws has failed, and stops no other', async () => {
  queue = () => {
    throw new Error('c4n4ry')
  }
  const { status, text } = await ask('/healthz')
  expect(status).toBe(500)
  expect(text).toMatch(/^\[\+\]watch ok\n\[-\]queue failed: /)
  expect(text).not.toContain('c4n4ry')
})

test('the log tells once that a probe fails, and once that it is well again', async () => {
  for (const wrong of ['hangs for 240 s', 'hangs for 250 s', undefined, undefined]) {
    watch = wrong
    await ask('/healthz')
  }
  expect(lines).toEqual(['warn {"probe":"healthz/watch"} hangs for 240 s', 'info {"probe":"healthz/watch"} well again'])
})

test('what is no path of ours is not found, and ends nothing', async () => {
  for (const path of ['/', '/metrics', '/healthz/watch', '//', '/%']) expect((await ask(path)).status).toBe(404)
  expect((await ask('/healthz')).status).toBe(200)
})

describe('the level of the log', () => {
  const put = (body: string) => ({ method: 'PUT', body })

  test('is shown and changed from the loopback', async () => {
    expect(await ask('/log/level')).toEqual({ status: 200, text: '{"level":"info"}\n' })
    expect(await ask('/log/level', put('{"level":"debug"}'))).toEqual({ status: 200, text: '{"level":"debug"}\n' })
    expect(level.get()).toBe('debug')
  })

  test('is changed by nothing but a level', async () => {
    for (const body of ['', '{', '{"level":"loud"}', '"debug"', `{"level":"debug"}${' '.repeat(5_000)}`])
      expect(await ask('/log/level', put(body))).toMatchObject({
        status: 400,
        text: expect.stringMatching(/^Send \{"level":/),
      })
    expect((await ask('/log/level', { method: 'POST', body: '{"level":"debug"}' })).status).toBe(405)
    expect(level.get()).toBe('info')
  })

  test('is for the loopback alone', () => {
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) expect(isLoopback(address)).toBe(true)
    for (const address of ['10.0.0.1', '::', 'fe80::1', '::ffff:10.0.0.1', '1.127.0.0', '127.evil', '', undefined])
      expect(isLoopback(address)).toBe(false)
  })
})
