/** What is written into the log, and from which level on. */
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { KubeError } from '../../src/kube/errors.ts'
import { createLogger, logLevel } from '../../src/logger.ts'

function logging(level: Parameters<typeof createLogger>[0]) {
  const stream = new PassThrough()
  const lines = () =>
    String(stream.read() ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { log: createLogger(level, stream), lines }
}

test('a changed level holds at once, also for the loggers that were made before', () => {
  const level = logLevel('info')
  const { log, lines } = logging(level)
  const child = log.child({ connector: 'security/acme' })
  const grandchild = child.child({ run: 'acme-1' })
  const all = () => {
    for (const one of [log, child, grandchild]) one.debug({}, 'looked')
    return lines()
  }
  expect(all()).toEqual([])
  level.set('debug')
  expect(all()).toMatchObject([
    { level: 'debug', msg: 'looked' },
    { connector: 'security/acme' },
    { connector: 'security/acme', run: 'acme-1' },
  ])
  level.set('error')
  expect(all()).toEqual([])
  child.error({}, 'failed')
  expect(lines()).toMatchObject([{ level: 'error', connector: 'security/acme', msg: 'failed' }])
})

test('a logger with a fixed level writes from there on', () => {
  const { log, lines } = logging('warn')
  log.info({}, 'no')
  log.warn({}, 'yes')
  expect(lines()).toMatchObject([{ msg: 'yes' }])
})

test('names that can hold a secret are blanked, and of strange errors only the name is told', () => {
  const { log, lines } = logging('trace')
  log.info({ token: 'c4n4ry', secret: { clientSecret: 'c4n4ry' }, error: new Error('c4n4ry') }, 'x')
  log.warn({ error: new KubeError('Conflict', 'changed meanwhile') }, 'y')
  const [first, second] = lines()
  expect(JSON.stringify(first)).not.toContain('c4n4ry')
  expect(first).toMatchObject({ token: '[redacted]', error: { name: 'Error' } })
  expect(second).toMatchObject({ error: { name: 'KubeError', reason: 'Conflict', message: 'changed meanwhile' } })
})
